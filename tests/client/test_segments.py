"""Which faces a selection is meant for."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from inpaint_client import Box, Extent, Face, Part, PartMask, Segmentation
from inpaint_client.geometry import Frame
from numpy.typing import NDArray

EXTENT = Extent(120, 60)
SIDE = 50.0
CENTERS = ((28.0, 30.0), (88.0, 30.0))
FACES = tuple(Face(Frame(x, y, SIDE), 0.9, Box(0, 0, 9, 9)) for x, y in CENTERS)
PAIR = Segmentation(EXTENT, FACES, ())


def touched(mask: NDArray[np.uint8], box: Box | None = None) -> tuple[int, ...]:
    box = box or Box(0, 0, *EXTENT)
    return PAIR.touched(box, mask[box.y : box.bottom, box.x : box.right].tobytes())


def disc(x: float, y: float, radius: float) -> NDArray[np.uint8]:
    rows, columns = np.mgrid[: EXTENT.height, : EXTENT.width]
    return np.where(np.hypot(columns - x, rows - y) < radius, 255, 0).astype(np.uint8)


@pytest.mark.parametrize("face", [0, 1])
def test_a_rough_outline_of_a_head_is_meant_for_this_face_only(face: int) -> None:
    assert touched(disc(*CENTERS[face], 27)) == (face,)


@pytest.mark.parametrize("face", [0, 1])
def test_an_eye_is_enough(face: int) -> None:
    x, y = CENTERS[face]
    assert touched(disc(x + 6, y - 2, 2)) == (face,)


def test_the_same_part_of_both_faces_is_meant_for_both() -> None:
    eyes = np.maximum(*(disc(x, y - 2, 3) for x, y in CENTERS))
    assert touched(eyes) == (0, 1)


def test_a_selection_beside_the_heads_is_meant_for_none() -> None:
    assert touched(disc(58, 2, 2)) == ()
    assert touched(np.zeros((60, 120), np.uint8)) == ()
    assert PAIR.touched(Box(0, 0, 0, 0), b"") == ()
    assert Segmentation(EXTENT, (), ()).touched(Box(0, 0, 1, 1), b"\xff") == ()


@given(st.data())
def test_it_does_not_depend_on_the_box(data: st.DataObject) -> None:
    mask = np.zeros((EXTENT.height, EXTENT.width), np.uint8)
    left, right = sorted(data.draw(st.tuples(*2 * [st.integers(0, EXTENT.width)])))
    top, bottom = sorted(data.draw(st.tuples(*2 * [st.integers(0, EXTENT.height)])))
    mask[top:bottom, left:right] = data.draw(st.integers(0, 255))
    assert touched(mask, Box(left, top, right - left, bottom - top)) == touched(mask)


def test_the_share_of_a_head_is_that_of_its_disc() -> None:
    """Compared with the same rule over arrays, for selections of any size around a head."""
    for radius in np.linspace(1, 40, 14):
        mask = disc(40, 25, float(radius))
        shares = [
            (mask * (disc(x, y, 0.4 * SIDE) > 0)).sum() / (255 * np.pi * (0.4 * SIDE) ** 2)
            for x, y in CENTERS
        ]
        least = max(0.0005, max(shares) / 2)
        assert touched(mask) == tuple(k for k, share in enumerate(shares) if share >= least)


def test_masks_of_some_faces() -> None:
    masks = tuple(PartMask(Part.HAIR, k, Box(2 * k, 0, 1, 1), bytes([k + 1])) for k in range(3))
    found = Segmentation(Extent(6, 1), 3 * FACES[:1], masks)

    def of(*faces: int) -> bytes:
        mask = found.mask((Part.HAIR,), faces)
        assert mask is not None
        return bytes(mask.data)

    assert of() == of(0, 1, 2) == b"\x01\0\x02\0\x03\0"
    assert of(1) == b"\0\0\x02\0\0\0"
    assert of(0, 2) == b"\x01\0\0\0\x03\0"
    assert found.mask((Part.HAIR,), (3,)) is None
    assert found.mask((Part.EYES,)) is None
