"""Fills in the colors of their surroundings."""

from __future__ import annotations

import torch
from example_tensors import box_hole, noise
from hypothesis import given, settings
from hypothesis import strategies as st
from inpaint_model.networks.color_shift import blended, color_shift


@settings(deadline=None)  # the first call starts torch's threads
@given(st.tuples(*[st.floats(-0.5, 0.5)] * 3), st.sampled_from([16, 48, 64, 96]))
def test_a_constant_shift_of_colors_is_found_exactly(shift: tuple[float, ...], side: int) -> None:
    hole, fill = box_hole(side, side // 2), noise(3, side=side)
    added = torch.tensor(shift).reshape(1, 3, 1, 1)
    found = color_shift(fill, (fill + added) * (1 - hole), hole)
    torch.testing.assert_close(found, added.expand_as(found), atol=1e-4, rtol=1e-4)


def test_a_gradient_of_colors_is_continued_into_the_hole() -> None:
    hole, fill = box_hole(), torch.zeros(1, 3, 64, 64)
    ramp = torch.linspace(-0.5, 0.5, 64).expand(1, 3, 64, 64)
    found = color_shift(fill, ramp * (1 - hole), hole)
    assert float((found - ramp).abs().max()) < 0.2
    assert float(found[0, 0, 32, 20]) < -0.05 < 0.05 < float(found[0, 0, 32, 44])


def test_without_known_pixels_no_color_is_shifted() -> None:
    everything = torch.ones(2, 1, 64, 64)
    shift = color_shift(noise(0, 2), torch.zeros(2, 3, 64, 64), everything)
    assert torch.equal(shift, torch.zeros(2, 3, 64, 64))


def test_images_do_not_affect_each_other() -> None:
    fill, image = noise(0, 2), noise(1, 2)
    hole = torch.cat([box_hole(inner=8), box_hole(inner=40)])
    together = color_shift(fill, image * (1 - hole), hole)
    one = color_shift(fill[1:], (image * (1 - hole))[1:], hole[1:])
    torch.testing.assert_close(together[1:], one)


def test_blending_changes_only_the_hole() -> None:
    fill, image, hole = noise(0), noise(1), box_hole()
    result = blended(fill, image * (1 - hole), hole)
    known = (hole == 0).expand_as(image)
    assert torch.equal(result[known], image[known])
    shift = color_shift(fill, image * (1 - hole), hole)
    torch.testing.assert_close(result[~known], (fill + shift)[~known])
