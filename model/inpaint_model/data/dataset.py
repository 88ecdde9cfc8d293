"""Load folders and zips of images into one uint8 tensor."""

from __future__ import annotations

import hashlib
import io
import json
import logging
import os
import struct
import zipfile
import zlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image, ImageOps
from safetensors import safe_open
from torch import Tensor
from tqdm import tqdm

from inpaint_model.bundle.tensor_files import write_tensors
from inpaint_model.data.devices import free_memory
from inpaint_model.data.image_files import ImageFiles, Source, open_images
from inpaint_model.data.transfer import upload

log = logging.getLogger(__name__)

_UNREADABLE = (  # damaged images, damaged or encrypted zip entries
    OSError, SyntaxError, ValueError, EOFError, RuntimeError, NotImplementedError, struct.error,
    zipfile.BadZipFile, zlib.error, Image.DecompressionBombError,
)  # fmt: skip


@dataclass(frozen=True)
class ImageSet:
    """Square RGB images of one size, sorted by name."""

    names: tuple[str, ...]  # unique paths inside the sources, including prefixes
    pixels: Tensor  # uint8 [N, 3, R, R]
    skipped: tuple[str, ...] = ()  # unreadable files
    enlarged: int = 0  # images that were smaller than R, which makes them blurry
    replaced: int = 0  # from the replacements
    classes: Tensor | None = None  # int64 [N], 0 .. class_count - 1
    class_count: int = 0

    def __len__(self) -> int:
        return len(self.names)

    @property
    def resolution(self) -> int:
        """Return R, the side in pixels."""
        return int(self.pixels.shape[2])

    def on(self, device: torch.device) -> ImageSet:
        """Move the pixels to a device if they fit into half of its free memory."""
        if self.pixels.nbytes > free_memory(device) / 2:
            return self
        return replace(self, pixels=self.pixels.to(device))

    def labels(self, indices: Tensor) -> Tensor:
        """Return the classes of images `indices` [B] one-hot, float32 [B, class_count]."""
        if self.classes is None:
            return torch.zeros(len(indices), 0)
        return F.one_hot(self.classes[indices], self.class_count).float()

    def batch(
        self,
        indices: Tensor,
        mirrored: Tensor | None = None,
        device: torch.device | str = "cpu",
    ) -> Tensor:
        """Return images `indices` [B] as [B, 3, R, R] in -1..1, flipped where `mirrored` [B]."""
        pixels = upload(self.pixels[upload(indices, self.pixels.device)], device)
        if mirrored is not None:
            flip = upload(mirrored, device)[:, None, None, None]
            pixels = torch.where(flip, pixels.flip(3), pixels)
        return pixels.float() / 127.5 - 1


def load_images(
    sources: Source | Sequence[Source],
    resolution: int,
    *,
    replacements: Source | None = None,
    limit: int | None = None,
    spread: bool = False,
    cache: str | Path | None = None,
    progress: bool = True,
) -> ImageSet:
    """Read the images of `sources` as `square` crops; log unreadable files.

    Sources are folders or zips, optionally with the `:prefix` of a folder inside
    (`faces.zip:train`). Images of `replacements` replace those of the same name. Sets are often
    sorted by source, so `spread` takes evenly spaced images instead of the first `limit`.

    Raises:
        ValueError: as in `open_images`, or no image is readable, or `resolution` or `limit` is not
            positive.
    """
    if resolution < 1:
        raise ValueError(f"the resolution is {resolution}; it must be a positive number of pixels")
    if limit is not None and limit < 1:
        raise ValueError(f"the limit is {limit}; it must be a positive number of images")
    with open_images(sources, replacements) as files:
        names = files.names()
        if spread and limit is not None and limit < len(names):
            names = [names[k * len(names) // limit] for k in range(limit)]
        names = names[:limit]
        if cache is None:
            return _decode(files, names, resolution, progress)
        key = hashlib.sha256(files.fingerprint(names).encode()).hexdigest()[:16]
        path = Path(cache) / f"images-{resolution}-{key}.safetensors"
        if path.exists():
            return _read_cache(path)
        images = _decode(files, names, resolution, progress)
    _write_cache(path, images)
    return images


def square(image: Image.Image, resolution: int) -> Image.Image:
    """Crop to the largest centered square, resize (Lanczos), and convert to RGB without alpha."""
    image = ImageOps.exif_transpose(image)
    if image.mode.startswith("I"):  # 16 bits: Pillow would clip instead of scaling
        image = Image.fromarray((np.asarray(image) / 257).clip(0, 255).astype(np.uint8))
    if image.mode == "F":  # float: 0..1, or the range of 8 or 16-bit integers
        values = np.nan_to_num(np.asarray(image))
        white = next((w for w in (1, 255, 65535) if values.max() <= w), values.max())
        image = Image.fromarray((values * (255 / white)).clip(0, 255).astype(np.uint8))
    image = image.convert("RGB")
    side = min(image.size)
    left, top = (image.width - side) // 2, (image.height - side) // 2
    crop = image.crop((left, top, left + side, top + side))
    if side == resolution:
        return crop
    # reducing_gap first box-reduces much larger images by an integer: as sharp and far cheaper.
    return crop.resize((resolution,) * 2, Image.Resampling.LANCZOS, reducing_gap=3.0)


def _decode(files: ImageFiles, names: Sequence[str], resolution: int, progress: bool) -> ImageSet:
    pixels = np.empty((len(names), resolution, resolution, 3), np.uint8)

    def decode(index: int) -> tuple[bool, bool]:
        """Return whether the image was readable and whether it was enlarged."""
        try:
            with Image.open(io.BytesIO(files.read(names[index]))) as image:
                pixels[index] = np.asarray(square(image, resolution))
                return True, min(image.size) < resolution
        except _UNREADABLE as error:
            log.warning("skipped %s: %s", names[index], error)
            return False, False

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        outcomes = list(
            tqdm(
                pool.map(decode, range(len(names))),
                "reading images",
                len(names),
                disable=None if progress else True,
            )
        )
    readable = np.array([read for read, _ in outcomes])
    skipped = tuple(name for name, read in zip(names, readable, strict=True) if not read)
    if not readable.any():
        raise ValueError(
            f"none of the {len(names)} images could be read (the first is {names[0]}); "
            "give undamaged files in a format that Pillow reads"
        )
    if skipped:
        log.warning("%d of %d images could not be read", len(skipped), len(names))
        pixels = pixels[readable]
    kept = tuple(name for name, read in zip(names, readable, strict=True) if read)
    return ImageSet(
        kept,
        torch.from_numpy(pixels).permute(0, 3, 1, 2).contiguous(),
        skipped,
        sum(enlarged for _, enlarged in outcomes),
        len(files.replaced.intersection(kept)),
    )


def _read_cache(path: Path) -> ImageSet:
    with safe_open(path, framework="pt") as file:
        about = json.loads(file.metadata()["about"])
        pixels = file.get_tensor("pixels")
    counts = about["enlarged"], about["replaced"]
    return ImageSet(tuple(about["names"]), pixels, tuple(about["skipped"]), *counts)


def _write_cache(path: Path, images: ImageSet) -> None:
    """Write atomically."""
    path.parent.mkdir(parents=True, exist_ok=True)
    about = {
        "names": images.names,
        "skipped": images.skipped,
        "enlarged": images.enlarged,
        "replaced": images.replaced,
    }
    part = path.with_suffix(f".{os.getpid()}.part")
    write_tensors({"pixels": images.pixels}, part, {"about": json.dumps(about)})
    part.replace(path)
