"""How well a framer finds frames: `python -m benchmarks.framer [--framer FILE]`; needs ../shared.

Photographs are rotated by up to 30 degrees and scaled so that the frame is 150 to 1100 px wide. In
half of them part of the face is selected (and therefore hidden), in the others a dot; in the cases
`whole_faces`, all of it. The ground truth is the FFHQ alignment computed from YuNet's landmarks in
the original photograph. Confidence is measured on the validation portraits, pasted in the same way,
and on crops without a face.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import skimage
import torch
from inpaint_model import load_bundle
from inpaint_model.data.dataset import load_images
from inpaint_model.document import geometry
from inpaint_model.document.color import quantize
from inpaint_model.document.document_image import DocumentImage
from inpaint_model.document.geometry import Frame
from inpaint_model.document.hole import Hole
from inpaint_model.document.resampling import resample
from inpaint_model.framing.network import Framer
from inpaint_model.framing.search import propose
from inpaint_model.training.framer.backgrounds import draw_backgrounds
from inpaint_model.training.framer.scenes import Images
from numpy.typing import NDArray
from PIL import Image
from safetensors.torch import load_file
from sklearn.datasets import load_sample_images


class Case(NamedTuple):
    """A document, its hole, and the true frame (None without a face)."""

    pixels: NDArray[np.uint8]
    hole: Hole
    truth: Frame | None


def ffhq_frame(landmarks: NDArray[np.float64]) -> Frame:
    """Compute the FFHQ alignment from 5 landmarks [5, 2]: two eyes, nose, two corners of the mouth.

    The side depends on the distance between the eyes and the distance from eyes to mouth, the
    direction on both; the center is a tenth of the way from the eyes to the mouth.
    """
    left, right = sorted(landmarks[:2].tolist())
    mouth_left, mouth_right = sorted(landmarks[3:5].tolist())
    eyes, mouth = np.add(left, right) / 2, np.add(mouth_left, mouth_right) / 2
    across, down = np.subtract(right, left), mouth - eyes
    x = across + (down[1], -down[0])
    x *= max(np.hypot(*across) * 2.0, np.hypot(*down) * 1.8) / np.hypot(*x)
    center = eyes + down * 0.1
    angle = math.degrees(math.atan2(-x[1], x[0]))
    cx, cy = center.tolist()
    return Frame(cx, cy, 2 * float(np.hypot(*x)), angle)


def true_frame(pixels: NDArray[np.uint8], detector: str) -> Frame | None:
    """Return the frame of the largest face, or None."""
    scale = min(1.0, 640 / max(pixels.shape[:2]))
    small = cv2.resize(pixels, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    net = cv2.FaceDetectorYN.create(detector, "", (small.shape[1], small.shape[0]), 0.6)
    _, faces = net.detect(np.ascontiguousarray(small[..., ::-1]))
    if faces is None:
        return None
    face = max(faces, key=lambda f: f[2] * f[3])
    return ffhq_frame(face[4:14].reshape(5, 2).astype(np.float64) / scale)


def transformed(
    pixels: NDArray[np.uint8], truth: Frame, side: float, turn: float, background: int = 255
) -> tuple[NDArray[np.uint8], Frame]:
    """Rotate an image by `turn` degrees counter-clockwise and scale its frame to `side` px."""
    scale = side / truth.side
    width, height = pixels.shape[1], pixels.shape[0]
    box_side = math.ceil(scale * math.hypot(width, height) * 0.9)
    view = Frame(width / 2, height / 2, box_side / scale, -turn)
    matrix = geometry.document_from_model(view, box_side)
    inside = np.concatenate([pixels, np.full_like(pixels[..., :1], 255)], axis=2)
    inside = np.pad(inside, ((1, 1), (1, 1), (0, 0)))
    moved = geometry.compose(geometry.translation(1, 1), matrix)
    shown = resample(inside.astype(np.float32) / np.float32(255), moved, box_side, box_side)
    alpha = shown[..., 3:].clip(0, 1)
    flat = shown[..., :3] * alpha + (1 - alpha) * background / 255
    ((cx, cy),) = geometry.transform_points(geometry.inverse(matrix), [(truth.cx, truth.cy)])
    return quantize(flat, np.uint8), Frame(float(cx), float(cy), side, truth.angle + turn)


def ellipse(
    shape: tuple[int, ...], frame: Frame, middle: Sequence[float], radius: Sequence[float]
) -> Hole:
    """Select an ellipse, relative to the frame."""
    rows, columns = np.mgrid[: shape[0], : shape[1]] + 0.5
    points = np.stack([columns.ravel(), rows.ravel()], axis=1)
    u, v = geometry.transform_points(geometry.unit_from_document(frame), points).T.reshape(
        2, *shape[:2]
    )
    inside = ((u - middle[0]) / radius[0]) ** 2 + ((v - middle[1]) / radius[1]) ** 2 < 1
    return Hole(np.where(inside, 255, 0).astype(np.uint8))


def selection(
    shape: tuple[int, ...], frame: Frame, random: np.random.Generator, hides: bool
) -> Hole:
    """Return an ellipse over a part of the face, or a dot on it."""
    middle = random.uniform(0.3, 0.7, 2)
    radius = random.uniform(0.08, 0.28, 2) if hides else np.array([0.02, 0.02])
    return ellipse(shape, frame, middle.tolist(), radius.tolist())


def photographs(shared: Path, seed: int) -> Iterator[Case]:
    """Yield photographs with a face, rotated and resized at random, and the frame of the face."""
    random = np.random.default_rng(seed)
    detector = str(next((shared / "metrics").glob("face_detection_yunet*.onnx")))
    for index, path in enumerate(sorted((shared / "photos").glob("*.jpg"))):
        pixels = np.asarray(Image.open(path).convert("RGB"))
        truth = true_frame(pixels, detector)
        if truth is None:
            raise SystemExit(f"no face was found in {path}")
        side = float(np.exp(random.uniform(np.log(150), np.log(1100))))
        shown, frame = transformed(pixels, truth, side, random.uniform(-30, 30))
        yield Case(shown, selection(shown.shape, frame, random, index % 2 == 0), frame)


def whole_faces(shared: Path, seed: int) -> Iterator[Case]:
    """Yield the photographs with the whole face selected, about as far as the hairline."""
    random = np.random.default_rng(seed)
    for case in photographs(shared, seed):
        assert case.truth is not None
        middle = random.normal(0, 0.02, 2) + (0.5, 0.48)
        radius = random.uniform(0.9, 1.1, 2) * (0.29, 0.36)
        hole = ellipse(case.pixels.shape, case.truth, middle.tolist(), radius.tolist())
        yield Case(case.pixels, hole, case.truth)


def portraits(shared: Path, seed: int, part: str = "val") -> Iterator[Case]:
    """Yield validation portraits on plain canvases, rotated and scaled like the photographs."""
    random = np.random.default_rng(seed)
    archive = f"{shared / 'faces/portraits256.zip'}:{part}"
    faces = load_images(archive, 256, limit=251, spread=True, progress=False)
    for index, image in enumerate(faces.pixels.permute(0, 2, 3, 1).numpy()):
        side = float(np.exp(random.uniform(np.log(150), np.log(1100))))
        whole = Frame(128, 128, 256, 0)
        shown, frame = transformed(
            image, whole, side, random.uniform(-30, 30), int(random.integers(0, 256))
        )
        yield Case(shown, selection(shown.shape, frame, random, index % 2 == 0), frame)


def training_portraits(shared: Path, seed: int) -> Iterator[Case]:
    """Yield training portraits in the same way, for `FramerConfig.side_bias`."""
    return portraits(shared, seed, "train")


def without_faces(shared: Path, seed: int) -> Iterator[Case]:
    """Yield 100 crops of images without a face.

    They are photographs and micrographs included in scikit-image and scikit-learn (a sky, a flower,
    a cup, grass, bricks, coins, a cat, text, stars ...), clothes, and generated noise.
    """
    random = np.random.default_rng(seed)
    folder = Path(skimage.__file__).parent / "data"
    names = "coffee.png gravel.png brick.png text.png hubble_deep_field.jpg moon.png grass.png"
    names += " retina.jpg ihc.png chelsea.png coins.png rocket.jpg motorcycle_left.png page.png"
    images = [np.asarray(Image.open(folder / n).convert("RGB")) for n in names.split()]
    images += load_sample_images().images
    clothes = [
        np.asarray(Image.open(path).convert("RGB"))[1100:]
        for path in sorted((shared / "photos").glob("*.jpg"))[:20]
    ]
    source = Images(load_images(f"{shared / 'faces/portraits256.zip'}:val", 64).pixels)
    texture = source.levels[0].float() / 255
    made = draw_backgrounds(texture[:20], 512, torch.Generator().manual_seed(seed + 99))
    noise = list((made * 255).byte().permute(0, 2, 3, 1).numpy())
    for index in range(100):
        pool = images if index < 60 else clothes if index < 80 else noise
        whole = pool[index % len(pool)]
        side = int(random.uniform(0.4, 1) * min(whole.shape[:2]))
        x = int(random.integers(0, whole.shape[1] - side + 1))
        y = int(random.integers(0, whole.shape[0] - side + 1))
        crop = np.ascontiguousarray(whole[y : y + side, x : x + side])
        frame = Frame(side / 2, side / 2, side * 0.6, 0)
        yield Case(crop, selection(crop.shape, frame, random, index % 2 == 0), None)


def errors(found: Frame, truth: Frame) -> tuple[float, float, float]:
    """Return the errors of center and side, relative to the side, and of the angle in degrees."""
    center = math.hypot(found.cx - truth.cx, found.cy - truth.cy) / truth.side
    angle = abs((found.angle - truth.angle + 180) % 360 - 180)
    return center, abs(found.side / truth.side - 1), angle


def load_framer(path: Path | None) -> Framer:
    """Load a framer from a file, or the one in the shipped model.

    The file contains a training state, whose averaged weights are used, or `framer.*` tensors.
    """
    if path is None:
        shipped = load_bundle("portrait").framer
        assert shipped is not None
        return shipped
    tensors = load_file(path)
    prefix = "average/" if any(name.startswith("average/") for name in tensors) else "framer."
    framer = Framer().eval()
    framer.load_state_dict(
        {k.removeprefix(prefix): v.float() for k, v in tensors.items() if k.startswith(prefix)}
    )
    return framer


def measure(framer: Framer, cases: Iterator[Case]) -> dict[str, object]:
    """Return the accuracy of a framer's best proposals and their time."""
    rows, ratios, confidences, times = [], [], [], []
    for case in cases:
        image = DocumentImage(case.pixels)
        time.sleep(0.2)  # numpy's threads, used to make the case, spin for a while
        start, used = time.perf_counter(), time.process_time()
        box = case.hole.bounds
        assert box is not None
        best = propose(framer, image, case.hole, box)[0]
        times.append((time.perf_counter() - start, time.process_time() - used))
        confidences.append(best.confidence)
        if case.truth is not None:
            rows.append(errors(best.frame, case.truth))
            ratios.append(best.frame.side * framer.config.side_bias / case.truth.side)
    above = float(np.mean(np.array(confidences) > framer.config.threshold))
    record: dict[str, object] = {
        "cases": len(confidences),
        "confident": round(above, 3),
        "confidence_p5_p50_p95": np.percentile(confidences, [5, 50, 95]).round(3).tolist(),
        "ms": (1000 * np.median(times, axis=0)).round(1).tolist(),  # wall-clock and CPU time
    }
    if ratios:
        record["side_bias"] = round(float(np.median(ratios)), 3)  # before its correction
    for name, column in zip(("center", "side", "angle"), np.array(rows).T, strict=False):
        record[name] = {
            "median": round(float(np.median(column)), 4),
            "p95": round(float(np.percentile(column, 95)), 4),
        }
    return record


def main() -> None:
    """Print the results for each kind of case as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--framer",
        type=Path,
        help="safetensors file with a framer (default: that of the model portrait)",
    )
    parser.add_argument(
        "--shared",
        type=Path,
        default=Path("../shared"),
        help="folder with photographs and networks (default: ../shared)",
    )
    parser.add_argument("--threads", type=int, default=2, help="number of CPU threads (default: 2)")
    parser.add_argument(
        "--only",
        help="run one kind of cases: photographs, whole_faces, portraits, without_faces or "
        "training_portraits",
    )
    parser.add_argument("--limit", type=int, help="maximum number of cases of each kind")
    parser.add_argument("--seed", type=int, default=0, help="seed of the cases (default: 0)")
    args = parser.parse_args()
    framer = load_framer(args.framer)
    torch.set_num_threads(args.threads)
    sources = (photographs, whole_faces, portraits, without_faces, training_portraits)
    for source in sources:
        if source.__name__ != args.only and (args.only or source is training_portraits):
            continue
        print(
            json.dumps(
                {
                    source.__name__: measure(
                        framer, islice(source(args.shared, args.seed), args.limit)
                    )
                }
            ),
            flush=True,
        )


if __name__ == "__main__":
    main()
