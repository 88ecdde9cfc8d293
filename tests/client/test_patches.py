"""Patches whose boxes overlap, painted piece by piece, against what each group covers."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from inpaint_client import Box, Patch, Picture, SampleType
from inpaint_client.patches import pieces

SIDE = 12
sides = st.integers(1, SIDE)


@st.composite
def candidates(draw: st.DrawFn) -> tuple[list[Patch], np.ndarray, np.ndarray]:
    """Patches with boxes anywhere, the fill [H, W, bytes] and the coverage of all of them."""
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    channels, kind = draw(st.sampled_from([1, 3, 4])), draw(st.sampled_from(SampleType))
    pixel_bytes = channels * kind.size
    groups = draw(st.integers(1, 4))
    group_of = random.integers(0, groups + 1, (SIDE, SIDE))  # the last stands for the known
    values = random.integers(0, 256, (SIDE, SIDE), np.uint8)
    fill = np.zeros((SIDE, SIDE, pixel_bytes), np.uint8)
    coverage = np.zeros((SIDE, SIDE), np.uint8)
    patches = []
    for group in range(groups):
        width, height = draw(sides), draw(sides)
        x, y = draw(st.integers(0, SIDE - width)), draw(st.integers(0, SIDE - height))
        part = np.s_[y : y + height, x : x + width]
        covered = np.where(group_of[part] == group, values[part], np.uint8(0))
        own = random.integers(0, 256, (height, width, pixel_bytes), np.uint8)
        fill[part][covered > 0] = own[covered > 0]
        coverage[part] |= covered
        image = Picture(width, height, channels, own.tobytes(), kind)
        patches.append(
            Patch(image, Picture(width, height, 1, covered.tobytes()), Box(x, y, width, height))
        )
    return patches, fill, coverage


@given(candidate=candidates(), max_bytes=st.integers(1, 400), backward=st.booleans())
def test_strips_painted_in_any_order_contain_every_group(
    candidate: tuple[list[Patch], np.ndarray, np.ndarray], max_bytes: int, backward: bool
) -> None:
    patches, fill, coverage = candidate
    before = [bytes(patch.fill.data) + bytes(patch.coverage.data) for patch in patches]
    painted, seen = np.zeros_like(fill), np.zeros_like(coverage)
    made = list(pieces(patches, max_bytes))
    for piece in reversed(made) if backward else made:
        box = piece.box
        part = np.s_[box.y : box.bottom, box.x : box.right]
        painted[part] = np.frombuffer(piece.fill.data, np.uint8).reshape(painted[part].shape)
        seen[part] = np.frombuffer(piece.coverage.data, np.uint8).reshape(seen[part].shape)
        assert len(piece.fill.data) <= max_bytes or box.height == 1
        assert piece.fill.sample_type is patches[0].fill.sample_type
    assert np.array_equal(seen, coverage)
    assert np.array_equal(painted[coverage > 0], fill[coverage > 0])
    assert before == [bytes(patch.fill.data) + bytes(patch.coverage.data) for patch in patches]


def test_a_single_patch_is_split_completely_from_top_to_bottom() -> None:
    data = bytes(range(60))
    patch = Patch(Picture(4, 5, 3, data), Picture(4, 5, 1, bytes(range(20))), Box(7, 9, 4, 5))
    made = list(pieces([patch], max_bytes=24))
    assert [piece.box.height for piece in made] == [2, 2, 1]
    assert all(first.box.bottom == second.box.y for first, second in pairwise(made))
    assert b"".join(piece.fill.data for piece in made) == data
    assert list(pieces([patch])) == [patch]
