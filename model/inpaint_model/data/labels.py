"""Classes of images, as NVIDIA's tools write them: a `dataset.json` among the images.

It holds {"labels": [[name, class], ...]}; names are paths relative to its own folder, classes
whole numbers from 0, and null says that an image has none.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from inpaint_model.data.dataset import ImageSet
from inpaint_model.data.image_files import Archive, Source

FILE = "dataset.json"
MAX_BYTES = 64 * 2**20  # of the file, which comes from strangers
MAX_CLASSES = 8192  # as many as a checkpoint may have to be read again


@dataclass(frozen=True)
class Classes:
    """Which class each image is of."""

    by_name: dict[str, int]  # 0 .. count - 1
    count: int

    def given_to(self, images: ImageSet) -> ImageSet:
        """Return the same images with their classes; ValueError if one has none."""
        without = [name for name in images.names if name not in self.by_name]
        if without:
            raise ValueError(
                f"{FILE} gives no class to {without[0]} (nor to {len(without) - 1} others); add "
                "them, or leave those images out"
            )
        classes = torch.tensor([self.by_name[name] for name in images.names])
        return replace(images, classes=classes, class_count=self.count)


def read_classes(sources: Source | Sequence[Source]) -> Classes:
    """Read the classes of all images in folders and zips, as `load_images` names them.

    The file may lie at the root of a source or, if it has a prefix, in that folder, which counts
    first. Numbers mean the same in all sources. ValueError if a source has no labels, or if they
    are not what they should be.
    """
    if isinstance(sources, str | Path):
        sources = [sources]
    found: dict[str, int] = {}
    for source in sources:
        with Archive(source) as archive:
            found |= _classes_in(archive)
    return Classes(found, max(found.values()) + 1)


def _classes_in(archive: Archive) -> dict[str, int]:
    source = archive.source
    try:
        beside = archive.beside_images(FILE, MAX_BYTES)
        document: Any = None if beside is None else json.loads(beside[1])
    except (OSError, RuntimeError, ValueError, RecursionError, zipfile.BadZipFile) as error:
        # Encrypted, damaged, too large, no JSON, or nested without end.
        raise ValueError(f"{FILE} in {source} cannot be read: {error}") from error
    labels = document.get("labels") if isinstance(document, dict) else None
    if beside is None or labels is None:
        raise ValueError(
            f'{source} has no labels; put a {FILE} with {{"labels": [["a.png", 0], ...]}} beside '
            "the images"
        )
    entries = labels if isinstance(labels, list) else [labels]
    found: dict[str, int] = {}
    for entry in entries:
        name, number = _entry(entry, source)
        name = beside[0] + name
        if number is not None and found.setdefault(name, number) != number:
            raise ValueError(f"{FILE} in {source} gives two classes to {name}; correct it")
    if not found:
        raise ValueError(f"{FILE} in {source} gives no class to any image; give each a number")
    return found


def _entry(entry: object, source: Source) -> tuple[str, int | None]:
    """Return an image's name and its class, of one entry of the list."""
    if isinstance(entry, list) and len(entry) == 2 and isinstance(entry[0], str):
        name, number = entry
        if number is None or (type(number) is int and 0 <= number < MAX_CLASSES):
            return name.replace("\\", "/"), number
    shown = json.dumps(entry)
    shown = shown if len(shown) <= 60 else shown[:60] + " ..."
    raise ValueError(
        f"{FILE} in {source} has the label {shown}; give pairs of an image's name and its class, "
        f"a whole number from 0 to {MAX_CLASSES - 1}, or null"
    )
