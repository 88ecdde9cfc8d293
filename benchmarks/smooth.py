"""Compare the smooth fill with classical methods and the model: `python -m benchmarks.smooth`.

Needs ../shared. Photographs get small holes on skin and larger ones in the plain background, each
filled with every method. Holes of increasing size anywhere on the face are filled with the smooth
fill and with the model, to find the size up to which the smooth fill is usually closer to the
photograph. The metrics are the VGG distance around the hole and the mean absolute difference inside
it. With --frames, the model fills the holes of `benchmarks.seam` with frames larger than the true
one. The results are in docs/decisions/0038 and docs/research/finding-and-fitting.md.
"""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import torch
from inpaint_model import DocumentInpainter, load_bundle
from inpaint_model.document.geometry import Box, Frame, FrameChoice
from inpaint_model.document.hole import Hole
from inpaint_model.document.smooth_fill import smooth_fill
from inpaint_model.evaluation.metrics.feature_networks import (
    EvaluationNetworks,
    load_evaluation_networks,
)
from numpy.typing import NDArray
from PIL import Image
from skimage.restoration import inpaint_biharmonic

from benchmarks.photographs import CROP, classical, face_crop, vgg_distances
from benchmarks.seam import HOLES, cases, ellipse

Bytes = NDArray[np.uint8]
Fill = Callable[[Bytes, Hole, Frame], Bytes]
Axes = tuple[float, float, float, float]  # of an ellipse: center and half axes, in the frame
Photograph = tuple[str, Bytes, Frame]
SIDE = 160  # px of VGG's input
MARGIN = 64  # px around a hole that local methods see
SKIN = ((0.36, 0.62), (0.52, 0.33), (0.62, 0.72))  # cheek, brow, jaw; in the frame
SKIN_SIZES = (0.012, 0.03, 0.06)  # half axes, relative to the frame's side
WALL: Sequence[Axes] = ((-0.15, 0.2, 0.1, 0.1), (1.1, 0.1, 0.12, 0.2), (-0.1, 0.3, 0.15, 0.35))
SIZES = (0.02, 0.04, 0.06, 0.08, 0.12, 0.16, 0.24, 0.32)  # longer side, relative to the frame's
SPOTS = 5  # positions per photograph
GROWTHS = (1.0, 1.1, 1.25, 1.4, 1.6, 2.0)


class Score(NamedTuple):
    """The distance of a fill from the photograph."""

    vgg: float
    difference: float  # 0..255


def around(hole: Hole, pixels: Bytes, margin: int) -> Box:
    """Return the box of a hole with a margin, inside the image."""
    assert hole.bounds is not None
    return hole.bounds.grown(margin).clipped(pixels.shape[1], pixels.shape[0])


def locally(fill: Callable[[Bytes, Hole], Bytes]) -> Fill:
    """Restrict a method to the hole and its margin."""

    def filled(pixels: Bytes, hole: Hole, truth: Frame) -> Bytes:
        box = around(hole, pixels, MARGIN)
        result, part = pixels.copy(), np.ascontiguousarray(box.cut(pixels))
        mask = hole.cut(box).mask
        box.cut(result)[mask] = fill(part, hole.cut(box))[mask]
        return result

    return filled


def smooth(grain: bool) -> Fill:
    """Return the smooth fill, with or without grain."""

    def fill(part: Bytes, hole: Hole) -> Bytes:
        values = torch.from_numpy(part.astype(np.float32) / 255).permute(2, 0, 1).contiguous()
        mask = torch.from_numpy(hole.mask)
        made = smooth_fill(values, mask, ~mask, seed=1, grain=grain)
        return as_bytes(made.permute(1, 2, 0).numpy())

    return locally(fill)


def biharmonic(part: Bytes, hole: Hole) -> Bytes:
    """Fill with scikit-image's method, which is slow for large holes."""
    filled: NDArray[np.float64] = inpaint_biharmonic(part, hole.mask, channel_axis=-1)
    return as_bytes(filled)


def as_bytes(display: NDArray[np.floating]) -> Bytes:
    """Convert display values to 8 bits."""
    result: Bytes = np.rint(display.clip(0, 1) * 255).astype(np.uint8)
    return result


def opencv(flag: int) -> Fill:
    """Return a method that fills with OpenCV's algorithm `flag`."""
    method = classical(flag)
    return locally(lambda part, hole: method(part, hole, Frame(0, 0, 1)).pixels)


def by_model(document: DocumentInpainter, frame: FrameChoice | None, growth: float = 1.0) -> Fill:
    """Return a method that fills with the model and seed 0.

    If `frame` is None, the true frame is used, enlarged by `growth`.
    """

    def fill(pixels: Bytes, hole: Hole, truth: Frame) -> Bytes:
        chosen = truth._replace(side=truth.side * growth) if frame is None else frame
        filled = next(document.fill(document.open(pixels, hole, frame=chosen), [0])).composite
        assert filled.dtype == np.uint8
        return filled

    return fill


def score(judges: EvaluationNetworks, before: Bytes, after: Bytes, hole: Hole) -> Score:
    """Measure the distance of a fill from the photograph."""
    assert hole.bounds is not None
    larger = max(hole.bounds.width, hole.bounds.height)
    box = around(hole, before, larger * 3 // 4 + 8)
    one, two = (np.array(Image.fromarray(box.cut(p)).resize((SIDE, SIDE))) for p in (before, after))
    difference = np.abs(after[hole.mask].astype(float) - before[hole.mask]).mean()
    return Score(float(vgg_distances(judges, [one], [two])[0]), float(difference))


def compare(
    judges: EvaluationNetworks,
    photographs: list[Photograph],
    methods: Mapping[str, Fill],
    kind: str,
    ellipses: Sequence[Axes],
) -> Iterator[dict[str, object]]:
    """Fill holes of one kind with every method; yield means over holes and photographs."""
    for name, fill in methods.items():
        scores = []
        for _, pixels, truth in photographs:
            for hole in (ellipse(pixels.shape, truth, axes) for axes in ellipses):
                scores.append(score(judges, pixels, fill(pixels, hole, truth), hole))
        vgg, difference = np.mean(scores, axis=0).round(4).tolist()
        yield {
            "holes": kind,
            "method": name,
            "fills": len(scores),
            "vgg": vgg,
            "difference": difference,
        }


def sizes(
    judges: EvaluationNetworks, photographs: list[Photograph], ours: Fill, model: Fill
) -> Iterator[dict[str, object]]:
    """Yield, for each size of hole, how often the smooth fill is closer than the model's."""
    rng = np.random.default_rng(5)
    won = defaultdict(list)
    for _, pixels, truth in photographs:
        spots = rng.uniform([0.27, 0.2], [0.73, 0.85], (SPOTS, 2))
        for size in SIZES:
            for x, y in spots:
                hole = ellipse(pixels.shape, truth, (x, y, size / 2, size * 0.4))
                one, two = (
                    score(judges, pixels, f(pixels, hole, truth), hole) for f in (ours, model)
                )
                won[size].append((one.vgg < two.vgg, one.difference < two.difference))
    for size, wins in won.items():
        vgg, difference = np.mean(wins, axis=0).round(3).tolist()
        yield {
            "size": size,
            "holes": len(wins),
            "smooth_wins_vgg": vgg,
            "smooth_wins_difference": difference,
        }


def frames(
    judges: EvaluationNetworks, photographs: list[Photograph], document: DocumentInpainter
) -> Iterator[dict[str, object]]:
    """Evaluate the model with increasingly large frames, and with the square around the hole."""
    choices = {str(g): by_model(document, None, g) for g in GROWTHS} | {
        "box": by_model(document, "box")
    }
    for name, fill in choices.items():
        rows = []
        for _, pixels, truth in photographs:
            for axes in HOLES.values():
                filled = fill(pixels, ellipse(pixels.shape, truth, axes), truth)
                before, after = face_crop(pixels, truth), face_crop(filled, truth)
                difference = float(np.abs(after.astype(float) - before).mean())
                rows.append((float(vgg_distances(judges, [before], [after])[0]), difference))
        vgg, difference = np.mean(rows, axis=0).round(4).tolist()
        yield {"frame": name, "fills": len(rows), "vgg": vgg, "difference": difference, "px": CROP}


def main() -> None:
    """Print one JSON line for each kind of holes and method."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--shared",
        type=Path,
        default=Path("../shared"),
        help="folder with photographs and networks (default: ../shared)",
    )
    parser.add_argument(
        "--model", default="portrait", help="name or folder of a bundle (default: portrait)"
    )
    parser.add_argument(
        "--step", type=int, default=4, help="use every N-th photograph (default: 4)"
    )
    parser.add_argument(
        "--frames", action="store_true", help="evaluate the model with larger frames instead"
    )
    args = parser.parse_args()
    judges = load_evaluation_networks([args.shared / "metrics"])
    document = DocumentInpainter(load_bundle(args.model))
    photographs = list(islice(cases(args.shared, 1000), 0, None, args.step))
    if args.frames:
        for row in frames(judges, photographs, document):
            print(json.dumps(row), flush=True)
        return
    ours = smooth(grain=True)
    local = {
        "membrane and grain": ours,
        "membrane": smooth(grain=False),
        "navier-stokes": opencv(cv2.INPAINT_NS),
        "telea": opencv(cv2.INPAINT_TELEA),
    }
    for size in SKIN_SIZES:
        methods = {**local, "model": by_model(document, None)}
        if size < SKIN_SIZES[-1]:
            methods["biharmonic"] = locally(biharmonic)
        skin = [(x, y, size, size * 0.8) for x, y in SKIN]
        for row in compare(judges, photographs, methods, f"skin {size}", skin):
            print(json.dumps(row), flush=True)
    methods = {**local, "model": by_model(document, "auto")}
    for row in compare(judges, photographs, methods, "wall", WALL):
        print(json.dumps(row), flush=True)
    for row in sizes(judges, photographs, ours, by_model(document, "auto")):
        print(json.dumps(row), flush=True)


if __name__ == "__main__":
    main()
