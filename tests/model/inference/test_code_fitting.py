"""Codes fitted to the known pixels: nearer to them, the same for all candidates, reproducible."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from inpaint_model.document.arrays import ImageU8, MaskU8
from inpaint_model.inference.inpainter import Inpainter
from inpaint_model.inference.tiny import tiny_inpainter
from inpaint_model.networks.inpainting_model import Encoding


@pytest.fixture(scope="module")
def tiny() -> Inpainter:
    return tiny_inpainter()


@pytest.fixture
def image() -> ImageU8:
    """A smooth image that the untrained generator does not draw."""
    y, x = np.mgrid[:32, :32]
    return np.stack([8 * x, 8 * y, 255 - 4 * (x + y)], axis=-1).astype(np.uint8)


@pytest.fixture
def hole() -> MaskU8:
    hole = np.zeros((32, 32), np.uint8)
    hole[10:22, 8:24] = 255
    return hole


def difference(
    tiny: Inpainter, encoding: Encoding, image: ImageU8, hole: MaskU8, steps: int
) -> float:
    """How far the generator's image of the fitted mean code is from the known pixels, 0..1."""
    ws = tiny.sample(encoding, [0], truncation_psi=0.0)
    if steps:
        ws = ws + tiny.fitted_offset(image, hole, encoding, steps)
    drawn = tiny.synthesis(torch.from_numpy(ws))[0].permute(1, 2, 0).numpy() / 2 + 0.5
    return float(np.abs(drawn - image / 255)[hole == 0].mean())


def test_each_step_comes_closer_to_the_known_pixels(
    tiny: Inpainter, image: ImageU8, hole: MaskU8
) -> None:
    encoding = tiny.encode(image, hole)
    differences = [difference(tiny, encoding, image, hole, steps) for steps in (0, 10, 80)]
    assert differences == sorted(differences, reverse=True)
    assert differences[2] < 0.8 * differences[0]


def test_what_the_hole_held_does_not_matter(tiny: Inpainter, image: ImageU8, hole: MaskU8) -> None:
    other = np.where(hole[..., None] > 0, np.uint8(7), image)
    encoding = tiny.encode(image, hole)
    offset = tiny.fitted_offset(image, hole, encoding, 5)
    assert np.abs(offset).max() > 0
    with torch.inference_mode():  # as evaluations do
        assert np.array_equal(offset, tiny.fitted_offset(other, hole, encoding, 5))


def test_all_candidates_get_the_same_offset(tiny: Inpainter, image: ImageU8, hole: MaskU8) -> None:
    plain, fitted = (tiny.fill(image, hole, [1, 2], fit_steps=steps) for steps in (0, 5))
    first, second = (a.ws_out - b.ws_out for a, b in zip(fitted, plain, strict=True))
    assert np.abs(first).max() > 0.01
    assert np.allclose(first, second, atol=1e-6)
    known = hole == 0
    assert all(np.array_equal(fill.composite[known], image[known]) for fill in fitted)


def test_where_nothing_is_known_nothing_changes(tiny: Inpainter, image: ImageU8) -> None:
    everything = np.full((32, 32), 255, np.uint8)
    offset = tiny.fitted_offset(image, everything, tiny.encode(image, everything), 5)
    assert not offset.any()


def test_other_codes_than_the_generators_are_refused(image: ImageU8, hole: MaskU8) -> None:
    other = tiny_inpainter(arch="comodgan")
    with pytest.raises(ValueError, match=r"^the codes of .* cannot be fitted to an image$"):
        other.fill(image, hole, [0], fit_steps=5)
