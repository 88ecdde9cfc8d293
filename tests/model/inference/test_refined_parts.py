"""Parts of an image that are refined by themselves."""

from __future__ import annotations

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from inpaint_model.inference.refined_parts import parts_around
from inpaint_model.networks.refinement_network import RefinementConfig, RefinementNetwork

R, MULTIPLE = 256, 8
boxes = st.tuples(
    st.integers(0, R - 1), st.integers(0, R - 1), st.integers(1, 90), st.integers(1, 90)
)


def changing(found: list[tuple[int, int, int, int]]) -> torch.Tensor:
    pixels = torch.zeros(R, R, dtype=torch.bool)
    for top, left, height, width in found:
        pixels[top : top + height, left : left + width] = True
    return pixels


@given(st.lists(boxes, min_size=1, max_size=5))
def test_each_pixel_is_in_one_part(found: list[tuple[int, int, int, int]]) -> None:
    wanted, count = changing(found), torch.zeros(R, R, dtype=torch.int32)
    parts = parts_around(wanted, MULTIPLE)
    for rows, columns, changed in parts:
        count[rows, columns] += changed
        for side in (rows, columns):
            assert side.start % MULTIPLE == side.stop % MULTIPLE == 0
            assert 0 <= side.start < side.stop <= R
        assert changed.shape == (rows.stop - rows.start, columns.stop - columns.start)
    assert torch.equal(count, wanted.int())
    present = [wanted.any(axis).nonzero() for axis in (1, 0)]
    height, width = (int(found[-1] - found[0]) + 1 + 2 * (24 + 8) for found in present)
    assert sum(part.changed.numel() for part in parts) <= height * width


def test_two_eyes_far_apart_are_two_parts_and_close_ones_are_one() -> None:
    assert len(parts_around(changing([(100, 20, 20, 30), (100, 200, 20, 30)]), MULTIPLE)) == 2
    assert len(parts_around(changing([(100, 90, 20, 30), (100, 130, 20, 30)]), MULTIPLE)) == 1
    assert parts_around(changing([]), MULTIPLE) == []


@settings(max_examples=5, deadline=None)
@given(st.lists(boxes, min_size=1, max_size=2))
def test_parts_are_refined_as_in_the_whole_image(found: list[tuple[int, int, int, int]]) -> None:
    """Wherever they start: the coarser levels see the same blocks of pixels."""
    torch.manual_seed(0)
    network = RefinementNetwork(RefinementConfig((8, 16, 16, 16), (1, 2, 2, 2))).eval()
    torch.nn.init.normal_(network.head.weight, std=0.1)
    hole = changing(found)[None, None].float()
    fill, erased = torch.rand(2, 1, 3, R, R) * 2 - 1
    where = torch.ones(1, 1, R, R)
    with torch.inference_mode():
        whole = network(fill, erased, hole, where)
        change = (whole - fill)[..., hole[0, 0] > 0].square().mean().sqrt()
        for rows, columns, changed in parts_around(hole[0, 0] > 0, MULTIPLE):
            part = (..., rows, columns)
            refined = network(fill[part], erased[part], hole[part], where[part])
            difference = (refined - whole[part])[..., changed]
            assert difference.square().mean().sqrt() < 0.05 * change
