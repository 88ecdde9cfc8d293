"""A folder of pictures: resumable, one line per failure, the others go on."""

from __future__ import annotations

import json
import sys
from argparse import Namespace
from pathlib import Path
from typing import Any

from inpaint_client import BlockingClient, InpaintError, NoDaemon
from tqdm import tqdm

from .exit_status import status_of
from .fill import fill_one
from .images import EXTENSIONS, UnusableImageError

DONE = "result.json"  # written last: its presence says that a picture is complete


def fill_folder(client: BlockingClient, options: Namespace) -> int:
    """Fill every picture of a folder with the mask of the same name, each into its own folder.

    What is complete, and was made with the same options, is not made again. Returns the worst exit
    status. NoDaemon ends the batch: nothing after it could succeed.
    """
    pictures = [p for p in sorted(options.image.iterdir()) if p.suffix.lower() in EXTENSIONS]
    if not pictures:
        raise UnusableImageError(f"{options.image} holds no PNG, JPEG, TIFF or WebP picture")
    names = [picture.stem for picture in pictures]
    wanted = _wanted(options)
    worst, results = 0, []
    with tqdm(pictures, desc=options.image.name, disable=None, leave=False) as bar:
        for picture in bar:
            folder = options.out / (
                picture.stem if names.count(picture.stem) == 1 else picture.name
            )
            result = _finished(folder / DONE, wanted)
            if result is None:
                try:
                    run = fill_one(
                        client, options, picture, _mask_of(picture, options.mask), folder
                    )
                    result = run.summary()
                    (folder / DONE).write_text(json.dumps({**wanted, "result": result}), "utf-8")
                except NoDaemon:
                    raise
                except (UnusableImageError, InpaintError) as error:
                    worst = max(worst, status_of(error))
                    bar.write(f"inpaint: {picture}: {error}", file=sys.stderr)
                    continue
            results.append({"image": str(picture), **result})
            if not options.json:
                bar.write(str(folder))
    if options.json:
        print(json.dumps({"pictures": results, "failed": len(pictures) - len(results)}))
    return worst


def _wanted(options: Namespace) -> dict[str, Any]:
    """Return what decides the results, as it is kept beside them."""
    names = (
        "n", "seed", "truncation", "edit", "variant", "frame", "model", "smooth", "raw", "format",
    )  # fmt: skip
    return {"options": json.loads(json.dumps({name: getattr(options, name) for name in names}))}


def _finished(path: Path, wanted: dict[str, Any]) -> dict[str, Any] | None:
    """Return the result of an earlier, complete run with the same options."""
    try:
        kept = json.loads(path.read_text("utf-8"))
        if kept["options"] != wanted["options"]:
            return None
        result: dict[str, Any] = kept["result"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return result


def _mask_of(picture: Path, masks: Path) -> Path:
    """The mask of a picture: the same stem in the folder of masks, or the one mask for all."""
    if not masks.is_dir():
        return masks
    found = [p for p in sorted(masks.glob("*")) if p.stem == picture.stem and p.is_file()]
    if not found:
        raise UnusableImageError(f"{masks} has no mask called {picture.stem}")
    return found[0]
