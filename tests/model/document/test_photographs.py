"""Golden seams on photographs and drawings, with a simulated fill: raw paste and blended, in one
run."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pytest
from compositing import filled
from drawings import portrait
from inpaint_model.document import geometry
from inpaint_model.document.blending import RAW
from inpaint_model.document.document_image import DocumentImage
from inpaint_model.document.geometry import Frame
from inpaint_model.document.hole import Hole
from inpaint_model.document.placement import place
from inpaint_model.document.resampling import resample
from inpaint_model.evaluation.metrics.seam import seam_step
from PIL import Image
from scipy import ndimage
from shared_files import SHARED

RESOLUTION = 256
FACES = {  # the FFHQ frames of three people, found once by a face detector
    "001_03": Frame(667.2, 651.8, 793.6, 3.0),
    "010_03": Frame(684.6, 589.3, 788.9, 0.9),
    "014_08": Frame(661.2, 655.3, 785.1, -0.2),
}
HOLES = {"eyes": (0.5, 0.48, 0.3, 0.1), "mouth": (0.5, 0.76, 0.2, 0.16)}


def wrong_light(pixels: np.ndarray, frame: Frame) -> np.ndarray:
    """The true pixels at model resolution, softer, with another color, contrast and light."""
    matrix = geometry.document_from_model(frame, RESOLUTION)
    view = resample(pixels.astype(np.float32) / np.float32(255), matrix, RESOLUTION, RESOLUTION)
    view = ndimage.gaussian_filter(view, (0.7, 0.7, 0))
    light = np.linspace(-0.04, 0.04, RESOLUTION, dtype=np.float32)[:, None]
    changed = (view - 0.5) * 0.88 + 0.5 + np.array([0.05, -0.02, -0.04], np.float32) + light
    return changed.clip(0, 1).astype(np.float32)


def selection(shape: tuple[int, ...], frame: Frame, hole: tuple[float, ...]) -> np.ndarray:
    y, x = np.mgrid[: shape[0], : shape[1]] + 0.5
    to_frame = geometry.unit_from_document(frame)
    u, v = geometry.transform_points(to_frame, np.stack([x.ravel(), y.ravel()], 1)).T.reshape(
        2, *shape[:2]
    )
    inside = ((u - hole[0]) / hole[2]) ** 2 + ((v - hole[1]) / hole[3]) ** 2 < 1
    return np.where(inside, 255, 0).astype(np.uint8)


def drawings() -> Iterator[tuple[np.ndarray, Frame]]:
    """Yield three drawn portraits, each slightly rotated in the document."""
    for seed, turn in enumerate((3.0, 0.9, -0.2)):
        yield portrait(512, seed), Frame(256, 256, 505, turn)


def photographs() -> Iterator[tuple[np.ndarray, Frame]]:
    for name, frame in FACES.items():
        with Image.open(SHARED / "photos" / f"{name}.jpg") as photograph:
            yield np.asarray(photograph.convert("RGB")), frame


@pytest.mark.slow
@pytest.mark.parametrize(
    "images", [drawings, pytest.param(photographs, marks=pytest.mark.shared("photos"))]
)
def test_seams_stay_below_what_can_be_seen(
    images: Callable[[], Iterator[tuple[np.ndarray, Frame]]],
) -> None:
    seams: dict[str, list[float]] = {"raw": [], "blended": []}
    for pixels, frame in images():
        output = wrong_light(pixels, frame)
        for hole in HOLES.values():
            coverage = selection(pixels.shape, frame, hole)
            placement = place(DocumentImage(pixels), Hole(coverage), frame, RESOLUTION)
            cut = placement.region.cut
            for kind, how in (("raw", RAW), ("blended", None)):
                result = filled(placement, output, how)
                assert np.array_equal(result[coverage == 0], pixels[coverage == 0])
                before, after = (
                    cut(p).astype(np.float32) / np.float32(255) for p in (pixels, result)
                )
                seams[kind].append(seam_step(after, before, cut(coverage) > 0))
    assert np.median(seams["raw"]) > 2
    assert np.median(seams["blended"]) < 1.0
    assert max(seams["blended"]) < 1.5
