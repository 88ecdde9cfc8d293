"""A sheet of the same holes filled by several methods."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from inpaint_model.data.dataset import load_images
from inpaint_model.data.devices import choose_device
from inpaint_model.data.image_grid import contact_sheet
from inpaint_model.evaluation.mask_sets import mask_set
from inpaint_model.evaluation.methods import Model, candidate_seed
from inpaint_model.inference.inpainter import load_bundle
from inpaint_model.networks.config import TITLES, Arch
from PIL import Image, ImageDraw

HOLES = (("easy", 6), ("hard", 6))  # how many of which mask set
GRAY = 128
SIDE = 128  # px of a cell
HEADER = 18  # px


def draw_sheet(
    bundles: Mapping[Arch, Path], sources: Sequence[str], folder: Path, device: str
) -> Image.Image:
    """Draw a row for each hole: the image, the erased one, and each method's fill.

    `folder` has the mask sets in `masks`, or gets them.
    """
    models = {
        arch: Model(load_bundle(bundle, choose_device(device))) for arch, bundle in bundles.items()
    }
    R = load_bundle(next(iter(bundles.values()))).resolution
    images = load_images(sources, R, progress=False)
    chosen = np.linspace(0, len(images) - 1, sum(count for _, count in HOLES)).astype(int)
    sets = [name for name, count in HOLES for _ in range(count)]
    cells = []
    for number, name in zip(chosen, sets, strict=True):
        masks = mask_set(name, 0, len(images), R, folder / "masks")
        image = images.pixels[number].permute(1, 2, 0).contiguous().numpy()
        hole = masks.holes[number, 0].numpy()
        cells += [image, np.where(hole[..., None], np.uint8(GRAY), image)]
        seed = candidate_seed(0, int(number))
        cells += [model.fill(image, hole, seed).composite for model in models.values()]
    scale = max(SIDE // R, 1)
    enlarged = np.stack(cells).repeat(scale, axis=1).repeat(scale, axis=2)
    titles = ["original", "erased", *(TITLES[arch] for arch in bundles)]
    return _with_titles(contact_sheet(enlarged, len(titles)), titles)


def _with_titles(sheet: Image.Image, titles: Sequence[str]) -> Image.Image:
    whole = Image.new("RGB", (sheet.width, sheet.height + HEADER), "white")
    whole.paste(sheet, (0, HEADER))
    draw = ImageDraw.Draw(whole)
    for k, title in enumerate(titles):
        draw.text((k * sheet.width // len(titles) + 3, 3), title, fill="black")
    return whole
