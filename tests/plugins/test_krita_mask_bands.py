"""Enlarging a mask in bands: everywhere covered, continuous, and exact where it is even."""

from __future__ import annotations

import os

import numpy as np
import pytest

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

from inpaint_client.geometry import Box, Extent
from inpaint_client.images import Picture
from inpaint_krita.runs import mask_bands as module
from inpaint_krita.runs.mask_bands import mask_bands


def enlarged(mask: np.ndarray, step: int, document: Extent) -> np.ndarray:
    """Join the bands, which must cover the document from top to bottom."""
    picture = Picture(mask.shape[1], mask.shape[0], 1, mask.tobytes())
    rows, y = [], 0
    for box, coverage in mask_bands(picture, step, document):
        assert box == Box(0, y, document.width, box.height)
        rows.append(np.frombuffer(coverage, np.uint8).reshape(box.height, document.width))
        y = box.bottom
    assert y == document.height
    return np.concatenate(rows)


def test_a_mask_of_the_documents_size_stays_as_it_is() -> None:
    mask = np.random.default_rng(0).integers(0, 256, (13, 17), np.uint8)
    assert np.array_equal(enlarged(mask, 1, Extent(17, 13)), mask)


@pytest.mark.parametrize("step", [2, 3, 7])
@pytest.mark.parametrize("rest", [(0, 0), (1, 1), (0, 1)])
def test_even_parts_are_exact_up_to_the_border(step: int, rest: tuple[int, int]) -> None:
    mask = np.zeros((9, 11), np.uint8)
    mask[4:, 5:] = 255
    large = enlarged(mask, step, Extent(11 * step + rest[0], 9 * step + rest[1]))
    assert (large[5 * step :, 6 * step :] == 255).all()
    assert not large[: 3 * step].any()
    assert not large[:, : 4 * step].any()


def test_the_edge_is_a_ramp_in_the_middle_between_two_pixels() -> None:
    mask = np.repeat(np.array([[0, 0, 255, 255]], np.uint8), 4, axis=0)
    row = enlarged(mask, 8, Extent(32, 32))[16].astype(int)
    assert (np.diff(row) >= 0).all()
    assert abs(int(row[15]) + int(row[16]) - 255) <= 3
    assert 0 < row[13] < row[18] < 255


def test_bands_do_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    mask = np.random.default_rng(1).integers(0, 256, (40, 30), np.uint8)
    whole = enlarged(mask, 4, Extent(122, 163))
    monkeypatch.setattr(module, "BAND_PX", 1)  # one row of the mask at a time
    assert np.array_equal(enlarged(mask, 4, Extent(122, 163)), whole)
