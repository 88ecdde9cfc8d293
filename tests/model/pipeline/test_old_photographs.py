"""Old prints through the pipeline: hundreds of holes and a missing corner in one run."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from inpaint_model import DocumentInpainter
from inpaint_model.document.hole import Hole
from inpaint_model.inference.tiny import tiny_inpainter
from old_prints import brightness, damage, gray, sepia, stored
from scipy import ndimage

SIDE = 384


@pytest.fixture(scope="module")
def document() -> DocumentInpainter:
    return DocumentInpainter(tiny_inpainter())


def print_of(tone: str, dtype: Any) -> np.ndarray:
    shades = brightness(SIDE)
    tones: dict[str, Callable[[Any], Any]] = {
        "one channel": lambda shades: shades[..., None],
        "gray": gray,
        "sepia": sepia,
    }
    return stored(tones[tone](shades), dtype)


@pytest.mark.slow
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("tone", ["one channel", "gray", "sepia"])
def test_a_damaged_print_is_filled_in_one_run(
    document: DocumentInpainter, tone: str, dtype: Any
) -> None:
    pixels, hole = print_of(tone, dtype), damage(SIDE)
    assert ndimage.label(hole, np.ones((3, 3)))[1] > 200
    damaged = pixels.copy()
    damaged[hole > 0] = np.iinfo(dtype).max
    session = document.open(damaged, hole)
    assert sum(int(placement.hole.mask.sum()) for placement in session.placements) == (
        np.count_nonzero(hole)
    )
    (fill,) = document.fill(session, [0])
    warmer = document.edit(session, fill.candidate, {"warmer": 3.0})
    scratches = hole > 0
    scratches[: SIDE // 2, SIDE // 2 :] = False  # the corner
    for result in (fill.composite, warmer.composite, document.smooth(session).composite):
        assert result.dtype == dtype
        assert result[hole == 0].tobytes() == damaged[hole == 0].tobytes()
        if tone == "gray":
            assert (result == result[..., :1]).all()
        # What is left of a scratch would be white.
        error = np.abs(result.astype(float) - pixels)[scratches] / np.iinfo(dtype).max
        assert error.mean() < 0.05


def test_recipes_of_a_print_make_the_same_fill(document: DocumentInpainter) -> None:
    pixels, hole = print_of("sepia", np.uint8), damage(SIDE, scratches=3, specks=5)
    session = document.open(pixels, Hole(hole))
    fill = next(document.fill(session, [3]))
    reopened = document.reopen(fill.recipe, session.attachment(), pixels, hole)
    again = document.edit(reopened, reopened.candidates[0], {})
    assert again.composite.tobytes() == fill.composite.tobytes()
