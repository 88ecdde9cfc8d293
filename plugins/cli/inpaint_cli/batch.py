"""Fill a folder of images. A batch can be resumed, and a failure does not stop the other images."""

from __future__ import annotations

import hashlib
import json
import sys
import unicodedata
from argparse import Namespace
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from inpaint_client import BlockingClient, DaemonNotFoundError, InpaintError
from tqdm import tqdm

from .exit_status import status_of
from .fill import fill_one
from .images import EXTENSIONS, UnusableImageError
from .output import write_bytes

DONE = "result.json"  # written last, so it exists only if an image is complete
_OPTIONS = (
    "n", "seed", "truncation", "edit", "variant", "frame", "model", "smooth", "no_blend",
    "no_detail", "format", "white",
)  # fmt: skip


def fill_folder(client: BlockingClient, options: Namespace) -> int:
    """Fill every image of a folder, each with the mask of the same name and into its own folder.

    Complete results of the same image, mask and options are kept.

    Returns:
        The worst exit status.

    Raises:
        UnusableImageError: the folder contains no image.
        DaemonNotFoundError: there is no daemon, so no further image could succeed.
    """
    images = _images_in(options.image, options.out)
    if not images:
        raise UnusableImageError(f"{options.image} contains no PNG, JPEG, TIFF or WebP image")
    masks = _images_in(options.mask) if options.mask.is_dir() else [options.mask]
    worst, results = 0, []
    pairs = list(zip(images, _folder_names(images), strict=True))
    with tqdm(pairs, desc=options.image.name, disable=None, leave=False) as bar:
        for image, name in bar:
            folder = options.out / name
            try:
                mask = _mask_of(image, options.mask, masks)
                wanted = _wanted(options, image, mask)
                result = _finished(folder, wanted)
                if result is None:
                    _clear(folder)
                    run = fill_one(client, options, image, mask, folder)
                    result = run.summary()
                    for note in run.notes:
                        bar.write(f"inpaint: {image}: {note}", file=sys.stderr)
                    record = json.dumps({**wanted, "result": result})
                    write_bytes(folder / DONE, record.encode())
            except DaemonNotFoundError:
                raise
            except (UnusableImageError, InpaintError, OSError, MemoryError) as error:
                worst = max(worst, status_of(error))
                reason = "there is not enough memory" if isinstance(error, MemoryError) else error
                bar.write(f"inpaint: {image}: {reason}", file=sys.stderr)
                continue
            results.append({"image": str(image), **result})
            if not options.json:
                bar.write(str(folder))
    if options.json:
        print(json.dumps({"images": results, "failed": len(images) - len(results)}))
    return worst


def _images_in(folder: Path, out: Path | None = None) -> list[Path]:
    """Return the images of a folder, sorted by name, without hidden files.

    Subfolders are skipped with a message. Links are followed; a broken link is included, so that
    reading it reports an error.
    """
    found = []
    for path in sorted(folder.iterdir()):
        if path.name.startswith("."):
            continue
        if path.is_dir():
            if out is None or not (out.exists() and path.samefile(out)):
                print(
                    f"inpaint: {path} is a folder and is skipped; fill it separately",
                    file=sys.stderr,
                )
        elif path.suffix.lower() in EXTENSIONS:
            found.append(path)
    return found


def _plain(name: str) -> str:
    """Return a name in a form that ignores case and Unicode normalization, as file systems may."""
    return unicodedata.normalize("NFC", name).casefold()


def _folder_names(images: Sequence[Path]) -> list[str]:
    """Return a folder name for each image: its stem, or its full name if stems are not unique."""
    stems = Counter(_plain(image.stem) for image in images)
    names = [image.stem if stems[_plain(image.stem)] == 1 else image.name for image in images]
    taken: set[str] = set()
    result = []
    for name in names:
        free, number = name, 2
        while _plain(free) in taken:
            free, number = f"{name}-{number}", number + 1
        taken.add(_plain(free))
        result.append(free)
    return result


def _mask_of(image: Path, given: Path, masks: Sequence[Path]) -> Path:
    """Return the mask of an image: the one mask for all, or the one with the image's name."""
    if not given.is_dir():
        return given
    for same in (
        lambda mask: mask.name == image.name,
        lambda mask: mask.stem == image.stem,
        lambda mask: _plain(mask.stem) == _plain(image.stem),
    ):
        found = [mask for mask in masks if same(mask)]
        if len(found) > 1:
            names = ", ".join(mask.name for mask in found)
            raise UnusableImageError(
                f"{given} has several masks for {image.name}: {names}; keep only one of them"
            )
        if found:
            return found[0]
    raise UnusableImageError(f"{given} has no mask named {image.stem}")


def _wanted(options: Namespace, image: Path, mask: Path) -> dict[str, Any]:
    """Return the options and hashes that determine the results, which are stored with them."""
    kept = {name: getattr(options, name) for name in _OPTIONS}
    return {
        "options": json.loads(json.dumps(kept)),
        "image_sha256": _sha256(image),
        "mask_sha256": _sha256(mask),
    }


def _sha256(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except FileNotFoundError:
        raise UnusableImageError(f"{path} does not exist") from None
    except OSError as error:
        raise UnusableImageError(f"{path} cannot be read: {error.strerror}") from error


def _record(folder: Path) -> dict[str, Any]:
    """Return the record of an earlier complete run; empty if there is none."""
    try:
        kept = json.loads((folder / DONE).read_text("utf-8"))
        return kept if isinstance(kept, dict) and isinstance(kept["result"], dict) else {}
    except (OSError, ValueError, KeyError):
        return {}


def _files(record: dict[str, Any]) -> list[Path]:
    try:
        result = record["result"]
        made = [name for one in result["candidates"] for name in one["files"].values()]
        return [Path(name) for name in (*made, result["sheet"])]
    except (KeyError, TypeError, AttributeError):
        return []


def _finished(folder: Path, wanted: dict[str, Any]) -> dict[str, Any] | None:
    """Return the complete result of an earlier run with the same image, mask and options."""
    record = _record(folder)
    files = _files(record)
    same = all(record.get(name) == value for name, value in wanted.items())
    if not same or not files or not all(_made(folder, file).is_file() for file in files):
        return None
    result: dict[str, Any] = record["result"]
    return result


def _made(folder: Path, file: Path) -> Path:
    """Return the current path of a recorded file, because the folder may have been moved."""
    return folder / file.name


def _clear(folder: Path) -> None:
    """Remove the files of an earlier run with another image, mask or options."""
    for file in _files(_record(folder)):
        _made(folder, file).unlink(missing_ok=True)
    (folder / DONE).unlink(missing_ok=True)
