"""Holes in which directions are tried."""

from __future__ import annotations

import numpy as np
import pytest
from inpaint_model.directions.face_regions import CHEEKS, FOREHEAD, HAIR, Region
from inpaint_model.directions.subjects import face_hole, hair_hole, half_hole, quarter_kept
from inpaint_model.document.arrays import MaskU8


def erased(hole: MaskU8, region: Region) -> float:
    """Return the erased fraction of a region."""
    R = len(hole)
    boxes = [[round(edge * R) for edge in box] for box in region]
    pixels = [hole[top:bottom, left:right].ravel() for left, top, right, bottom in boxes]
    return float((np.concatenate(pixels) > 0).mean())


@pytest.mark.parametrize("R", [32, 64, 256])
def test_the_four_quarters_make_the_image(R: int) -> None:
    kept = [quarter_kept(R, number) == 0 for number in range(4)]
    assert (np.sum(kept, axis=0) == 1).all()


@pytest.mark.parametrize("R", [32, 64, 256])
def test_the_four_halves_are_two_pairs(R: int) -> None:
    left, right, lower, upper = (half_hole(R, number) for number in range(4))
    assert ((left > 0) ^ (right > 0)).all()
    assert ((lower > 0) ^ (upper > 0)).all()


@pytest.mark.parametrize("R", [64, 256])
def test_hair_and_face_show_different_attributes(R: int) -> None:
    hair, face = hair_hole(R), face_hole(R)
    assert not ((hair > 0) & (face > 0)).any()
    assert erased(face, CHEEKS) == 1
    assert erased(face, FOREHEAD) > 0.9
    assert erased(hair, HAIR) > 0.99
    assert erased(hair, CHEEKS) == erased(face, HAIR) == 0
