"""Fits where the answer is known."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from inpaint_model.directions.fitting import fit_extremes, fit_marks, without
from inpaint_model.directions.unsupervised import modulation_weights, pca, sefa
from inpaint_model.inference.tiny import tiny_model

D = 24


def unit(seed: int) -> np.ndarray:
    vector = np.random.default_rng(seed).normal(size=D)
    return vector / np.linalg.norm(vector)


def test_the_direction_of_a_score_is_found() -> None:
    rng = np.random.default_rng(0)
    w, truth = rng.normal(2.0, 0.5, (4000, D)), unit(1)
    fit = fit_extremes(w, w @ truth + rng.normal(0, 0.05, 4000), share=0.05)
    assert fit.vector @ truth > 0.9
    assert np.linalg.norm(fit.vector) == pytest.approx(1)
    assert fit.accuracy > 0.95


def test_a_score_of_noise_separates_nothing_that_was_held_out() -> None:
    rng = np.random.default_rng(0)
    fit = fit_extremes(rng.normal(size=(4000, D)), rng.normal(size=4000), share=0.05)
    assert 0.3 < fit.accuracy < 0.7


def test_what_cannot_be_fitted_is_explained() -> None:
    w = np.random.default_rng(0).normal(size=(1000, D))
    with pytest.raises(ValueError, match="draw more samples"):
        fit_extremes(w, w[:, 0], share=0.005)
    with pytest.raises(ValueError, match="the same for every sample"):
        fit_extremes(w, np.ones(1000), share=0.1)
    with pytest.raises(ValueError, match="at least 3 of each"):
        fit_marks(w, w[:5], np.array([True, True, True, True, False]))


def test_few_marks_find_the_direction_in_codes_of_uneven_widths() -> None:
    rng = np.random.default_rng(0)
    widths = np.geomspace(1.0, 0.02, D)
    w = rng.normal(size=(2000, D)) * widths
    score = w[:, 0] / widths[0] + w[:, 5] / widths[5]  # two axes of different widths
    marked = w[:60]
    fit = fit_marks(w, marked, score[:60] > 0)
    moved = (w + fit.vector)[:, 0] / widths[0] + (w + fit.vector)[:, 5] / widths[5]
    assert (moved - score).mean() > 0.5
    assert fit.accuracy > 0.7


def test_conditions_are_projected_away() -> None:
    others = [unit(2), unit(3), unit(2) + unit(3)]  # the third adds nothing
    rest = without(unit(1), others[:2])
    assert np.linalg.norm(rest) == pytest.approx(1)
    assert max(abs(rest @ other) for other in others) < 1e-12
    single = unit(1) - (unit(1) @ unit(2)) * unit(2)  # the formula of the paper
    np.testing.assert_allclose(without(unit(1), [unit(2)]), single / np.linalg.norm(single))
    with pytest.raises(ValueError, match="nothing is left"):
        without(unit(1), [unit(1)])


def test_pca_finds_the_widest_axis_first() -> None:
    rng = np.random.default_rng(0)
    truth = unit(1)
    w = rng.normal(size=(3000, D)) * 0.3 + rng.normal(size=(3000, 1)) * 2 * truth
    vectors, std_devs = pca(w, 3)
    assert abs(vectors[0] @ truth) > 0.99
    assert std_devs[0] == pytest.approx(np.hypot(2, 0.3), rel=0.05)
    np.testing.assert_allclose(vectors @ vectors.T, np.eye(3), atol=1e-12)


def test_sefa_finds_what_the_styles_follow_and_keeps_to_its_layers() -> None:
    generator = tiny_model().generator
    config = generator.config
    truth = torch.randn(config.w_dim, generator=torch.Generator().manual_seed(1))
    truth /= truth.norm()
    block = generator.synthesis.block(8)  # style 1 is its conv0, style 2 its conv1
    with torch.no_grad():
        block.conv1.affine.weight.copy_(truth + 0.01 * torch.randn(block.conv1.affine.weight.shape))
    assert abs(float(sefa(generator, (2,), 1)[0] @ truth.numpy())) > 0.99
    assert abs(float(sefa(generator, (1,), 1)[0] @ truth.numpy())) < 0.9
    shapes = [tuple(weight.shape) for weight in modulation_weights(generator, (0, 1, 2, 3))]
    assert shapes[0] == (config.channels[0], config.w_dim)
    assert len(shapes) == 4
    with pytest.raises(ValueError, match="no convolution"):
        sefa(generator, (config.num_ws - 1,), 1)  # the last ToRGB
