"""Which styles a fit acts on, and what of other fits is taken out of it, on a linear generator."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from inpaint_model.editing.decoupling import try_levels, unmix
from inpaint_model.editing.effects import Subject
from torch import Tensor

STYLES, R = 10, 4
FITS = {"red": np.array([1.0, 0.0, 0.0]), "green": np.array([0.0, 1.0, 0.0])}
SPREADS = {"red": 0.5, "green": 0.5}


def paint(ws: Tensor) -> Tensor:
    """Structure moves red and green together; features mix them; colours move red alone."""
    structure, features, colours = ws[:, 0], ws[:, 4], ws[:, 8]
    red = structure[:, 0] + features[:, 0] + colours[:, 0]
    green = structure[:, 0] + 0.5 * features[:, 0] + features[:, 1]
    return torch.stack([red, green, 0 * red], dim=1)[:, :, None, None].expand(-1, -1, R, R)


def red(pictures: Tensor) -> Tensor:
    return pictures[:, 0].mean(dim=(1, 2))


def green(pictures: Tensor) -> Tensor:
    return pictures[:, 1].mean(dim=(1, 2))


def tries():  # type: ignore[no-untyped-def]
    rng = torch.Generator().manual_seed(0)
    subjects = [Subject(torch.randn(STYLES, 3, generator=rng) * 0.1, paint) for _ in range(2)]
    return try_levels(FITS, subjects, {"red": red, "green": green}, SPREADS)


def test_every_fit_is_tried_on_every_level() -> None:
    found = tries()
    assert (found.fits, found.measures) == (("red", "green"), ("red", "green"))
    structure, features, colours = found.slopes * 0.5  # back from deviations
    np.testing.assert_allclose(structure, [[1, 1], [0, 0]], atol=1e-5)
    np.testing.assert_allclose(features, [[1, 0.5], [0, 1]], atol=1e-5)
    np.testing.assert_allclose(colours, [[1, 0], [0, 0]], atol=1e-5)


def test_the_level_that_moves_nothing_else_is_chosen() -> None:
    vector, layers, _ = unmix(tries(), "red", {"green": ["green"]}, STYLES)
    assert layers == (7, 8, 9)
    np.testing.assert_allclose(vector[7:], [[1, 0, 0]] * 3, atol=1e-6)
    assert not vector[:7].any()


def test_what_another_fit_does_is_subtracted() -> None:
    only = [("features",)]
    vector, layers, ratio = unmix(tries(), "red", {"green": ["green"]}, STYLES, only)
    assert layers == (3, 4, 5, 6)
    step = torch.from_numpy(vector).float()
    before, after = paint(torch.stack([torch.zeros(STYLES, 3), step]))
    change = (after - before).mean(dim=(1, 2))
    assert change[0] > 0.5
    assert abs(change[1]) < 0.05 * change[0]
    spoilt = unmix(tries(), "red", {}, STYLES, only)
    np.testing.assert_allclose(spoilt.vector[4], [1, 0, 0], atol=1e-6)  # nothing to spare
    assert ratio > 5


def test_a_score_that_nothing_moves_is_refused() -> None:
    with pytest.raises(ValueError, match="nothing moves the score 'green'"):
        unmix(tries(), "green", {}, STYLES, [("colours",)])
