"""A crop that holds little more than the hole, with what lies around it reduced."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from inpaint_model.document.document_image import DocumentImage
from inpaint_model.document.geometry import Box, Frame
from inpaint_model.document.hole import Hole
from inpaint_model.document.model_view import extract_model_view
from inpaint_model.document.placement import BlendFit, place
from numpy.typing import NDArray

SIDE, STEP, RESOLUTION = 640, 4, 64
BOX = Box(220, 260, 150, 90)  # of the hole
NEAR = BOX.grown(64)
FRAME = Frame(300, 310, 500, 12)


def photograph() -> NDArray[np.uint8]:
    """Waves and a little noise."""
    y, x = np.mgrid[:SIDE, :SIDE]
    waves = [np.sin(x / 40) + np.cos(y / 55), np.sin((x + y) / 70), np.cos((x - 2 * y) / 90)]
    noise = np.random.default_rng(0).normal(0, 4, (SIDE, SIDE, 3))
    return (np.stack(waves, axis=2) * 50 + 120 + noise).clip(0, 255).astype(np.uint8)


def coverage() -> NDArray[np.uint8]:
    """An ellipse."""
    y, x = np.mgrid[:SIDE, :SIDE] + 0.5
    u = (x - BOX.x - BOX.width / 2) / (BOX.width / 2)
    v = (y - BOX.y - BOX.height / 2) / (BOX.height / 2)
    return np.where(u**2 + v**2 < 1, np.uint8(255), np.uint8(0))


def near(pixels: NDArray[np.uint8]) -> tuple[DocumentImage, Hole]:
    """What is near the hole, with the rest reduced as clients reduce it."""
    squares = pixels.reshape(SIDE // STEP, STEP, SIDE // STEP, STEP, 3)
    means = squares.mean(axis=(1, 3)).astype(np.uint8)
    context = DocumentImage(means, size=(SIDE, SIDE), scale=(1 / STEP, 1 / STEP))
    origin = NEAR.x, NEAR.y
    image = DocumentImage(NEAR.cut(pixels), origin=origin, size=(SIDE, SIDE), context=context)
    return image, Hole(NEAR.cut(coverage()), origin)


def test_the_model_sees_the_same_as_of_the_whole_document() -> None:
    pixels = photograph()
    whole = extract_model_view(DocumentImage(pixels), Hole(coverage()), FRAME, RESOLUTION)
    part = extract_model_view(*near(pixels), FRAME, RESOLUTION)
    assert part.hole.tobytes() == whole.hole.tobytes()
    away = np.abs(part.erased.astype(int) - whole.erased)
    assert away.mean() < 1
    assert away.max() < 12


def test_without_the_context_the_rest_is_unknown() -> None:
    image, hole = near(photograph())
    alone = extract_model_view(replace(image, context=None), hole, FRAME, RESOLUTION)
    assert (alone.hole > 0).mean() > 0.5


def test_nothing_of_the_hole_shows_in_what_the_model_sees() -> None:
    pixels = photograph()
    painted = np.where(coverage()[..., None] > 0, np.uint8(255), pixels)
    for frame in (FRAME, FRAME._replace(cx=360, side=620), FRAME._replace(side=200)):
        before, after = (
            extract_model_view(*near(each), frame, RESOLUTION) for each in (pixels, painted)
        )
        assert before.erased.tobytes() == after.erased.tobytes()


def test_a_fill_is_fitted_to_the_bit_as_in_the_whole_document() -> None:
    pixels = photograph()
    output = np.random.default_rng(1).random((RESOLUTION, RESOLUTION, 3), np.float32)
    whole = place(DocumentImage(pixels), Hole(coverage()), FRAME, RESOLUTION)
    part = place(*near(pixels), FRAME, RESOLUTION)
    expected, patch = (BlendFit.of(each, output).to_patch() for each in (whole, part))
    assert patch.box == expected.box
    assert patch.fill.tobytes() == expected.fill.tobytes()
    assert patch.coverage.tobytes() == expected.coverage.tobytes()


@given(
    seed=st.integers(0, 2**32 - 1),
    origin=st.tuples(st.integers(-3, 20), st.integers(-3, 20)),
    step=st.integers(1, 7),
)
def test_a_reduced_hole_holds_every_covered_pixel_and_no_more(
    seed: int, origin: tuple[int, int], step: int
) -> None:
    covered = (np.random.default_rng(seed).random((13, 17)) < 0.03).astype(np.uint8)
    hole = Hole(covered, origin)
    context = DocumentImage(np.zeros((8, 9, 3), np.uint8), scale=(1 / step, 1 / step))
    found = {(y, x) for y, x in np.argwhere(hole.reduced(context).coverage).tolist()}
    expected = {
        ((y + origin[1]) // step, (x + origin[0]) // step) for y, x in np.argwhere(covered).tolist()
    }
    assert found == {(y, x) for y, x in expected if 0 <= y < 8 and 0 <= x < 9}
