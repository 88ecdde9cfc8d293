"""Classes of images from a `dataset.json`, as NVIDIA's tools write it.

Its content is {"labels": [[name, class], ...]}: paths relative to the file's folder, and integers
from 0, or null for no class.
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
MAX_BYTES = 64 * 2**20  # of the file, which is untrusted
MAX_CLASSES = 8192  # the limit of the checkpoint reader


@dataclass(frozen=True)
class Classes:
    """The classes of images."""

    by_name: dict[str, int]  # 0 .. count - 1
    count: int

    def given_to(self, images: ImageSet) -> ImageSet:
        """Return the images with their classes.

        Raises:
            ValueError: an image has no class.
        """
        without = [name for name in images.names if name not in self.by_name]
        if without:
            raise ValueError(
                f"{FILE} gives no class to {without[0]} (nor to {len(without) - 1} others); add "
                "the classes, or remove those images"
            )
        classes = torch.tensor([self.by_name[name] for name in images.names])
        return replace(images, classes=classes, class_count=self.count)


def read_classes(sources: Source | Sequence[Source]) -> Classes:
    """Read the classes of images, under the names of `load_images`; sources share one numbering.

    Raises:
        ValueError: a source has no labels, or invalid ones.
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
        # Encrypted, damaged, too large, not JSON, or nested too deeply.
        raise ValueError(f"{FILE} in {source} cannot be read: {error}") from error
    labels = document.get("labels") if isinstance(document, dict) else None
    if beside is None or labels is None:
        raise ValueError(
            f'{source} has no labels; put a {FILE} with {{"labels": [["a.png", 0], ...]}} next to '
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
    if isinstance(entry, list) and len(entry) == 2 and isinstance(entry[0], str):
        name, number = entry
        if number is None or (type(number) is int and 0 <= number < MAX_CLASSES):
            return name.replace("\\", "/"), number
    shown = json.dumps(entry)
    shown = shown if len(shown) <= 60 else shown[:60] + " ..."
    raise ValueError(
        f"{FILE} in {source} has the invalid label {shown}; give pairs of an image's name and its "
        f"class, a whole number from 0 to {MAX_CLASSES - 1}, or null"
    )
