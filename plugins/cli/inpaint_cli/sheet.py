"""Contact sheet with the hole in the first row and then every candidate with its variants."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

CELL = 256  # px of a thumbnail's longer side
GAP = 12
LABEL = 22
BACKGROUND, INK, HOLE = (34, 34, 36), (214, 214, 214), (214, 64, 120)

UInt8 = npt.NDArray[np.uint8]


class Cell(NamedTuple):
    """A thumbnail with a label."""

    pixels: UInt8  # [h, w, 1..4], 8 bit, sRGB
    label: str


def write_sheet(
    path: Path, original: UInt8, coverage: UInt8, rows: Sequence[Sequence[Cell]]
) -> None:
    """Write rows of thumbnails; the first row shows the image and the position of its hole."""
    shown = _image(original)
    marked = Image.composite(
        Image.new("RGB", shown.size, HOLE),
        shown,
        Image.fromarray((coverage * 0.6).astype(np.uint8)),
    )
    top = [(shown, "original"), (marked, "to fill")]
    below = [[(_image(cell.pixels), cell.label) for cell in row] for row in rows]
    scale = CELL / max(shown.size)
    size = tuple(max(round(side * scale), 1) for side in shown.size)
    columns = max(map(len, [top, *below]))
    sheet = Image.new(
        "RGB",
        (GAP + columns * (size[0] + GAP), GAP + (1 + len(below)) * (size[1] + LABEL + GAP)),
        BACKGROUND,
    )
    draw = ImageDraw.Draw(sheet)
    font = ImageFont.load_default(13)
    for r, row in enumerate([top, *below]):
        for c, (image, label) in enumerate(row):
            x, y = GAP + c * (size[0] + GAP), GAP + r * (size[1] + LABEL + GAP)
            sheet.paste(image.resize((size[0], size[1]), Image.Resampling.LANCZOS), (x, y))
            draw.text((x, y + size[1] + 4), label, INK, font)
    file = io.BytesIO()  # Pillow itself does not report a full disk
    sheet.save(file, "PNG")
    path.write_bytes(file.getvalue())


def _image(pixels: UInt8) -> Image.Image:
    """Convert pixels to RGB, with transparent areas over a checkerboard."""
    image = Image.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels)
    if image.mode not in ("LA", "RGBA"):
        return image.convert("RGB")
    y, x = np.mgrid[: image.height, : image.width] // 8
    board = np.where((x + y) % 2, 96, 144).astype(np.uint8)
    under = Image.fromarray(board).convert("RGB")
    under.paste(image.convert("RGB"), mask=image.getchannel("A"))
    return under


def edits_label(edits: Mapping[str, float]) -> str:
    """Return a short description of edits for a thumbnail."""
    return ", ".join(f"{name} {value:+g}" for name, value in edits.items())
