"""How visible fills are: `python -m benchmarks.seam [--model NAME] [--out DIR]`.

Each photograph gets three holes (eyes, mouth and chin, hair and forehead). With a model, the model
fills them. Without one, the fill is simulated: the true pixels at 256 px, blurred and with changed
color, contrast and light, so that blending is measured independently of any model. The raw fill and
every blending step are measured in the same run: the color step across the border (CIEDE2000, minus
that of the untouched image) and the error inside the hole.
"""

from __future__ import annotations

import argparse
import json
import zlib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from inpaint_model import DocumentInpainter, load_bundle
from inpaint_model.document import geometry
from inpaint_model.document.arrays import FloatImage
from inpaint_model.document.blending import RAW, BlendSettings
from inpaint_model.document.compositing import composite
from inpaint_model.document.document_image import DocumentImage
from inpaint_model.document.geometry import Frame
from inpaint_model.document.hole import Hole
from inpaint_model.document.placement import BlendFit, Placement, place
from inpaint_model.document.resampling import resample
from inpaint_model.evaluation.metrics.seam import seam_step
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

from benchmarks.framer import true_frame

SIMULATED = 256  # px; resolution of simulated fills
HOLES = {  # ellipses in the frame: center x, y and half axes
    "eyes": (0.5, 0.48, 0.3, 0.1),
    "mouth": (0.5, 0.76, 0.2, 0.16),
    "hair": (0.5, 0.2, 0.36, 0.14),
}
SETTINGS = {
    "raw": RAW,
    "color": BlendSettings(gradient=False, grain=False, detail=False),
    "gradient": BlendSettings(colour_match=False, grain=False, detail=False),
    "grain": BlendSettings(colour_match=False, gradient=False, detail=False),
    "default": BlendSettings(),
}


def ellipse(shape: tuple[int, ...], frame: Frame, axes: tuple[float, ...]) -> Hole:
    """Return an ellipse in a frame's coordinates, with a soft edge of about a pixel."""
    y, x = np.mgrid[: shape[0], : shape[1]] + 0.5
    matrix = geometry.unit_from_document(frame)
    u, v = geometry.transform_points(matrix, np.stack([x.ravel(), y.ravel()], 1)).T.reshape(
        2, *shape[:2]
    )
    cx, cy, rx, ry = axes
    size = np.hypot((u - cx) / rx, (v - cy) / ry)
    soft: NDArray[np.float64] = (1 - size) * min(rx, ry) * frame.side + 0.5
    return Hole(np.rint(soft.clip(0, 1) * 255).astype(np.uint8))


def simulated(pixels: NDArray[np.uint8], frame: Frame, random: np.random.Generator) -> FloatImage:
    """Return the true pixels at model resolution, blurred and with changed color and light."""
    matrix = geometry.document_from_model(frame, SIMULATED)
    view = resample(pixels.astype(np.float32) / np.float32(255), matrix, SIMULATED, SIMULATED)
    view = ndimage.gaussian_filter(view, (0.7, 0.7, 0))
    gain = random.uniform(0.85, 1.15)
    offset = random.uniform(-0.06, 0.06, 3)
    y, x = np.mgrid[-1 : 1 : SIMULATED * 1j, -1 : 1 : SIMULATED * 1j]
    light = random.uniform(-0.05, 0.05) * x + random.uniform(-0.05, 0.05) * y
    changed = (view - 0.5) * gain + 0.5 + offset + light[..., None]
    display: FloatImage = changed.clip(0, 1).astype(np.float32)
    return display


def added_step(pixels: NDArray[np.uint8], filled: NDArray[np.uint8], hole: Hole) -> float:
    """Return what a fill adds to the color step across the hole's border, in CIEDE2000."""
    assert hole.bounds is not None
    part = hole.bounds.grown(16).clipped(pixels.shape[1], pixels.shape[0])
    before, after = (part.cut(p).astype(np.float32) / np.float32(255) for p in (pixels, filled))
    return seam_step(after, before, hole.cut(part).mask)


def cases(shared: Path, limit: int) -> Iterator[tuple[str, NDArray[np.uint8], Frame]]:
    """Yield name, pixels and the face's frame of each photograph that shows one."""
    detector = str(next((shared / "metrics").glob("face_detection_yunet*.onnx")))
    for path in sorted((shared / "photos").glob("*.jpg"))[:limit]:
        pixels = np.asarray(Image.open(path).convert("RGB"))
        frame = true_frame(pixels, detector)
        if frame is not None:
            yield path.stem, pixels, frame


class Fills:
    """Outputs for a hole, from the model or simulated."""

    def __init__(self, model: str | None) -> None:
        self.document = DocumentInpainter(load_bundle(model)) if model else None

    def output(
        self, pixels: NDArray[np.uint8], hole: Hole, frame: Frame, name: str
    ) -> tuple[Placement, FloatImage]:
        """Return the placement of an output, and the output, float32 [R, R, 3], nominally 0..1.

        A simulated output depends only on the hole's name.
        """
        if self.document is None:
            random = np.random.default_rng(zlib.crc32(name.encode()))
            placement = place(DocumentImage(pixels), hole, frame, SIMULATED)
            return placement, simulated(pixels, frame, random)
        session = self.document.open(pixels, hole, frame=frame)
        fill = next(self.document.fill(session, seeds=[0]))
        return session.placements[0], fill.rendering.outputs[0]


class Measured(NamedTuple):
    """One fill of one hole."""

    region: str
    blending: str
    step: float  # color step that the fill adds across the border, CIEDE2000
    miss: float  # mean absolute difference from the photograph inside the hole, 0..1


def measure(
    fills: Fills, photographs: Iterable[tuple[str, NDArray[np.uint8], Frame]], out: Path | None
) -> Iterator[Measured]:
    """Fill each hole of each photograph with each blending; save the images to `out`."""
    for name, pixels, frame in photographs:
        for region, axes in HOLES.items():
            hole = ellipse(pixels.shape, frame, axes)
            placement, output = fills.output(pixels, hole, frame, f"{name} {region}")
            inside = placement.hole.mask
            truth = placement.document[inside].astype(np.float32)
            for blending, settings in SETTINGS.items():
                full = composite(pixels, [BlendFit.of(placement, output, settings).to_patch()])
                miss = np.abs(placement.box.cut(full)[inside] - truth).mean() / 255
                step = added_step(pixels, full, hole)
                yield Measured(region, blending, step, float(miss))
                if out is not None:
                    view = placement.region.grown(60).clipped(pixels.shape[1], pixels.shape[0])
                    Image.fromarray(view.cut(full)).save(out / f"{name}-{region}-{blending}.png")


def summary(rows: Sequence[Measured], region: str, blending: str) -> dict[str, object]:
    """Return the numbers of one blending, for the holes of one region ("" for all)."""
    chosen = [r for r in rows if r.blending == blending and region in ("", r.region)]
    low, median, high = np.nanpercentile([r.step for r in chosen], [5, 50, 95]).round(2).tolist()
    return {
        "holes": region or "all",
        "blending": blending,
        "fills": len(chosen),
        "seam_p5_p50_p95": [low, median, high],
        "error_median": round(float(np.median([r.miss for r in chosen])), 4),
    }


def main() -> None:
    """Print the visibility of seams for each kind of blending."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--shared",
        type=Path,
        default=Path("../shared"),
        help="folder with photographs and networks (default: ../shared)",
    )
    parser.add_argument("--model", help="name or folder of a bundle (default: simulate the fills)")
    parser.add_argument("--out", type=Path, help="folder for the images")
    parser.add_argument("--limit", type=int, default=1000, help="maximum number of photographs")
    args = parser.parse_args()
    if args.out is not None:
        args.out.mkdir(parents=True, exist_ok=True)
    rows = list(measure(Fills(args.model), cases(args.shared, args.limit), args.out))
    for region in ("", *HOLES):
        for blending in SETTINGS:
            print(json.dumps(summary(rows, region, blending)))


if __name__ == "__main__":
    main()
