"""What the detail network gains: `python -m benchmarks.detail --out DIR [--model BUNDLE]`.

Needs ../shared. Each photograph is reduced so that the true frame of its face is 512 and 1024 px
wide, and gets three holes (eyes, mouth and chin, hair and forehead), which the model fills in the
true frame: enlarged plainly, blended as without a detail network, and with it. Squares of 256 px
around each hole are judged at full resolution: KID in 768 Inception features (paired), VGG
distance to the original, the color step at the border, and of the whole face, whether a detector
finds it and how far its identity is from the original's. Writes sheets of the squares to DIR.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from inpaint_model import DocumentInpainter, load_bundle
from inpaint_model.data.image_grid import contact_sheet
from inpaint_model.document import geometry
from inpaint_model.document.blending import RAW, BlendSettings
from inpaint_model.document.color import quantize
from inpaint_model.document.geometry import Frame
from inpaint_model.document.hole import Hole
from inpaint_model.document.resampling import resample
from inpaint_model.evaluation.metrics.detection import detected_share, load_detector
from inpaint_model.evaluation.metrics.feature_networks import load_evaluation_networks
from inpaint_model.evaluation.metrics.identity import load_identity
from inpaint_model.evaluation.metrics.kid import paired_kernel_distance
from numpy.typing import NDArray

from benchmarks.photographs import face_crop, features, vgg_distances
from benchmarks.seam import HOLES, added_step, cases, ellipse

Bytes = NDArray[np.uint8]
SIDES = (512, 1024)
SQUARE = 256
AROUND = 1.5  # sides of the photograph, in frames
METHODS = {
    "plain": RAW,
    "blended": BlendSettings(detail=False),
    "detail": BlendSettings(),
}
SHOWN = 8  # rows of a sheet


class Filled(NamedTuple):
    """What is judged of one fill."""

    squares: list[Bytes]  # [SQUARE, SQUARE, 3]
    face: Bytes  # at 256 px
    step: float
    seconds: float


def reduced(pixels: Bytes, frame: Frame, side: int) -> tuple[Bytes, Frame]:
    """Cut a photograph around a face, upright, with a frame of `side` px."""
    R = round(AROUND * side)
    around = Frame(frame.cx, frame.cy, frame.side * AROUND, frame.angle)
    display = pixels.astype(np.float32) / np.float32(255)
    cut = resample(display, geometry.document_from_model(around, R), R, R)
    return quantize(cut, np.uint8), Frame(R / 2, R / 2, side)


def squares(pixels: Bytes, hole: Hole) -> list[Bytes]:
    """Cut the bounding box of a hole into squares, which may overlap."""
    assert hole.bounds is not None
    height, width = pixels.shape[:2]
    box = hole.bounds
    cut = []
    for y in _starts(box.y, box.height, height):
        for x in _starts(box.x, box.width, width):
            cut.append(pixels[y : y + SQUARE, x : x + SQUARE])
    return cut


def _starts(start: int, length: int, limit: int) -> list[int]:
    count = max(1, round(length / SQUARE))
    middle = start + length / 2
    first = middle - count * SQUARE / 2
    return [min(max(round(first + k * SQUARE), 0), limit - SQUARE) for k in range(count)]


def main() -> None:
    """Fill, judge, and print one line of JSON per size and method."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shared", type=Path, default=Path("../shared"))
    parser.add_argument("--out", type=Path, required=True, help="folder for the sheets")
    parser.add_argument("--model", default="portrait", help="bundle (default: portrait)")
    parser.add_argument("--limit", type=int, default=1000, help="use only the first N photographs")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    document = DocumentInpainter(load_bundle(args.model))
    judges = load_evaluation_networks([args.shared / "metrics"])
    identity = load_identity(args.shared / "metrics" / "MobileFaceNet.onnx")
    detect = load_detector(next((args.shared / "metrics").glob("face_detection_yunet*.onnx")))
    for side in SIDES:
        originals: list[Bytes] = []
        faces: list[Bytes] = []
        fills: dict[str, list[Filled]] = {method: [] for method in METHODS}
        for _, photograph, truth in cases(args.shared, args.limit):
            pixels, frame = reduced(photograph, truth, side)
            for axes in HOLES.values():
                hole = ellipse(pixels.shape, frame, axes)
                originals += squares(pixels, hole)
                faces.append(face_crop(pixels, frame))
                for method, blending in METHODS.items():
                    session = document.open(pixels, hole, frame=frame, blending=blending)
                    for prepare in session.preparations():
                        prepare()
                    (fill,) = document.fill(session, [0])
                    start = time.monotonic()
                    filled = fill.composite
                    seconds = time.monotonic() - start
                    step = added_step(pixels, filled, hole)
                    cut = squares(filled, hole)
                    fills[method].append(Filled(cut, face_crop(filled, frame), step, seconds))
        real = features(judges.inception[0], originals)
        known = identity(_colors(faces))
        for method, made in fills.items():
            cut = [square for fill in made for square in fill.squares]
            shown = [fill.face for fill in made]
            kid = paired_kernel_distance(real, features(judges.inception[0], cut))
            row: dict[str, object] = {
                "side": side,
                "method": method,
                "squares": len(cut),
                "kid768_x1000": [round(1000 * value, 3) for value in kid],
                "vgg": round(float(vgg_distances(judges, originals, cut).mean()), 4),
                "step": round(float(np.nanmedian([fill.step for fill in made])), 3),
                "detected": round(detected_share(detect(_bytes(shown))), 3),
                "identity": round(float(1 - (identity(_colors(shown)) * known).sum(1).mean()), 4),
                "patch_ms": round(1000 * float(np.median([fill.seconds for fill in made]))),
            }
            print(json.dumps(row), flush=True)
        rows = [originals, *([s for fill in made for s in fill.squares] for made in fills.values())]
        for start in range(0, len(originals), SHOWN):
            some = [
                row[k] for k in range(start, min(start + SHOWN, len(originals))) for row in rows
            ]
            sheet = contact_sheet(np.stack(some), columns=len(rows))
            sheet.save(args.out / f"{side}-{start // SHOWN:02d}.png")


def _colors(images: list[Bytes]) -> torch.Tensor:
    return _bytes(images) / 127.5 - 1


def _bytes(images: list[Bytes]) -> torch.Tensor:
    return torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2)


if __name__ == "__main__":
    main()
