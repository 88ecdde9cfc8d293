"""How well frames of faces are found, and what that means for fills of their parts.

    python -m benchmarks.face_frames [--limit N] [--photographs N]

Needs ../shared. Compares the framer's frames with those aligned by landmarks, for selections as
*Select eyes*, *mouth* and *hair* make them, a dot, and an ellipse over the whole face. The errors
are those in validation portraits, rotated and pasted onto a plain canvas, whose frames are known.
Then the eyes, mouth and hair of photographs are filled in both frames. KID compares the face crops
with the photographs; for hair, which turns short, it says little.
"""

from __future__ import annotations

import argparse
import json
import math
from collections import defaultdict
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from inpaint_model import DocumentInpainter, load_bundle
from inpaint_model.data.dataset import load_images
from inpaint_model.document.document_image import DocumentImage
from inpaint_model.document.geometry import Frame
from inpaint_model.document.hole import Hole
from inpaint_model.evaluation.metrics.feature_networks import load_evaluation_networks
from inpaint_model.evaluation.metrics.kid import paired_kernel_distance
from inpaint_model.framing.frame_holes import frame_holes
from inpaint_model.inference.inpainter import Inpainter
from inpaint_model.pipeline.face_frames import aligned
from inpaint_model.segmentation.parts import Part, Segmentation
from numpy.typing import NDArray
from PIL import Image

from benchmarks.framer import ellipse, transformed
from benchmarks.photographs import face_crop, features, vgg_distances

Bytes = NDArray[np.uint8]
ROOM: dict[Part, float] = {"eyes": 0.0, "mouth": 0.0125, "hair": 0.025}  # as the editors give them
WHOLE = Frame(128, 128, 256)
METHODS = ("framer", "landmarks")


def selections(pixels: Bytes, frame: Frame | None = None) -> Iterator[tuple[str, Hole]]:
    """Yield the parts of the largest face and, if its frame is known, a dot and the whole face."""
    segmentation = Segmentation(pixels.astype(np.float32) / np.float32(255))
    for part, room in ROOM.items():
        for mask in segmentation.masks([part], [0] if segmentation.faces else [], room):
            coverage = np.zeros(pixels.shape[:2], np.uint8)
            mask.box.cut(coverage)[...] = mask.coverage
            yield part, Hole(coverage)
    if frame is not None:
        yield "dot", ellipse(pixels.shape, frame, (0.5, 0.6), (0.02, 0.02))
        yield "whole face", ellipse(pixels.shape, frame, (0.5, 0.48), (0.29, 0.36))


def frames_of(inpainter: Inpainter, pixels: Bytes, hole: Hole) -> dict[str, Frame]:
    """Return the frame of a hole by each method."""
    image = DocumentImage(pixels)
    return {
        name: frame_holes(inpainter, image, hole, align=align)[0].frame
        for name, align in zip(METHODS, (None, aligned), strict=True)
    }


def differences(found: Frame, truth: Frame) -> tuple[float, float, float, float]:
    """Return how far a frame is to the right, down, too large (logarithm) and turned (degrees)."""
    turn = math.radians(truth.angle)
    x, y = (found.cx - truth.cx) / truth.side, (found.cy - truth.cy) / truth.side
    angle = (found.angle - truth.angle + 180) % 360 - 180
    right, down = (
        x * math.cos(turn) - y * math.sin(turn),
        x * math.sin(turn) + y * math.cos(turn),
    )
    return right, down, math.log(found.side / truth.side), angle


def portraits(shared: Path, limit: int) -> Iterator[tuple[Bytes, Frame]]:
    """Yield validation portraits, turned by up to 10 degrees, and their frames."""
    random = np.random.default_rng(0)
    archive = f"{shared / 'faces/portraits256.zip'}:val"
    faces = load_images(archive, 256, limit=limit, spread=True, progress=False)
    for image in faces.pixels.permute(0, 2, 3, 1).numpy():
        turn, gray = random.uniform(-10, 10), int(random.integers(0, 256))
        yield transformed(image, WHOLE, 500, turn, gray)


def print_errors(inpainter: Inpainter, cases: Iterator[tuple[Bytes, Frame]]) -> None:
    """Print medians of the errors, and their means, which are the biases."""
    rows: dict[tuple[str, str], list[tuple[float, ...]]] = defaultdict(list)
    for pixels, truth in cases:
        for part, hole in selections(pixels, truth):
            for name, frame in frames_of(inpainter, pixels, hole).items():
                rows[part, name].append(differences(frame, truth))
    for (part, name), values in rows.items():
        x, y, size, turn = np.array(values).T
        centers = np.hypot(x, y)
        record: dict[str, Any] = {"portraits": len(values), "hole": part, "frame": name}
        record["center_median_p95"] = np.percentile(centers, [50, 95]).round(4).tolist()
        record["side_median"] = round(float(np.median(np.abs(size))), 4)
        record["angle_median"] = round(float(np.median(np.abs(turn))), 2)
        record["bias_right_down_side_angle"] = [
            round(float(each.mean()), 4) for each in (x, y, size, turn)
        ]
        print(json.dumps(record), flush=True)


def print_fills(inpainter: Inpainter, shared: Path, limit: int) -> None:
    """Print KID and VGG distance of fills of photographs in both frames."""
    document = DocumentInpainter(inpainter)
    crops: dict[tuple[str, str], list[Bytes]] = defaultdict(list)
    for path in islice(sorted((shared / "photos").glob("*.jpg")), limit):
        pixels = np.asarray(Image.open(path).convert("RGB"))
        shown = Segmentation(pixels.astype(np.float32) / np.float32(255)).faces[0].frame
        for part, hole in selections(pixels):
            crops[part, "original"].append(face_crop(pixels, shown))
            for name, frame in frames_of(inpainter, pixels, hole).items():
                session = document.open(pixels, hole, frame=frame)
                (fill,) = document.fill(session, seeds=[0])
                crops[part, name].append(face_crop(fill.composite, shown))
    judges = load_evaluation_networks([shared / "metrics"])
    for part in ROOM:
        originals = crops[part, "original"]
        for name in METHODS:
            fills = crops[part, name]
            record: dict[str, Any] = {"photographs": len(fills), "hole": part, "frame": name}
            for network in judges.inception:
                kid = paired_kernel_distance(features(network, originals), features(network, fills))
                record[f"kid{network.suffix}_x1000"] = [round(1000 * x, 3) for x in kid]
            distances = vgg_distances(judges, originals, fills)
            record["vgg"] = round(float(distances.mean()), 4)
            print(json.dumps(record), flush=True)


def main() -> None:
    """Print the errors of the frames and the scores of the fills as lines of JSON."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument(
        "--shared",
        type=Path,
        default=Path("../shared"),
        help="folder with portraits, photographs and networks (default: ../shared)",
    )
    parser.add_argument("--limit", type=int, default=251, help="number of portraits (default: 251)")
    parser.add_argument(
        "--photographs", type=int, default=40, help="number of photographs (default: 40)"
    )
    parser.add_argument("--threads", type=int, default=2, help="number of CPU threads (default: 2)")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    inpainter = load_bundle("portrait")
    print_errors(inpainter, portraits(args.shared, args.limit))
    print_fills(inpainter, args.shared, args.photographs)


if __name__ == "__main__":
    main()
