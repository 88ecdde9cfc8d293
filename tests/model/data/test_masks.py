"""The mask recipes: against the published distributions, and against a slow obvious drawing."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from inpaint_model.data.masks import (
    COMODGAN,
    MAT_256,
    RECIPES,
    TRAINING_SHARES,
    FreeForm,
    draw_holes,
    hole_ratio,
    training_holes,
    whole,
)
from PIL import Image, ImageDraw


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def drawn_with_pillow(rng: np.random.Generator, limits: tuple[int, int, int], s: int) -> float:
    """One free-form mask as its authors describe it; returns the hole ratio."""
    image = Image.new("L", (s, s), 0)
    draw = ImageDraw.Draw(image)
    for limit, side in ((limits[0], s // 2), (limits[1], s)):
        for _ in range(rng.integers(limit)):
            w, h = rng.integers(side, size=2)
            x = rng.integers(-(w // 2) - w % 2, s - w + w // 2)
            y = rng.integers(-(h // 2) - h % 2, s - h + h // 2)
            if w and h:
                draw.rectangle((x, y, x + w - 1, y + h - 1), fill=1)
    reach = math.sqrt(2) * s / 8
    for _ in range(rng.integers(limits[2])):
        least = 2 * math.pi / 5 - rng.uniform(0, 2 * math.pi / 15)
        largest = 2 * math.pi / 5 + rng.uniform(0, 2 * math.pi / 15)
        points = [rng.uniform(0, s, 2)]
        for number in range(rng.integers(4, 18)):
            angle = rng.uniform(least, largest)
            angle = 2 * math.pi - angle if number % 2 == 0 else angle
            length = np.clip(rng.normal(reach, reach / 2), 0, 2 * reach)
            step = length * np.array([math.cos(angle), math.sin(angle)])
            points.append(np.clip(points[-1] + step, 0, s))
        width = int(rng.uniform(12, 48))
        draw.line([tuple(point) for point in points], fill=1, width=width)
        for x, y in points:
            draw.ellipse((x - width / 2, y - width / 2, x + width / 2, y + width / 2), fill=1)
    return float(np.asarray(image).mean())


# Measured once with the authors' own generators, several hundred masks each: mean, the 5, 25, 50,
# 75 and 95 % quantiles, and the share of masks with less than 0.4 hole.
PUBLISHED = [
    (COMODGAN, 256, (0, 1), 0.724, (0.36, 0.62, 0.77, 0.86, 0.95), 0.067),
    (COMODGAN, 256, (0, 0.4), 0.240, (0.04, 0.16, 0.25, 0.33, 0.39), 1),
    (COMODGAN, 256, (0.4, 1), 0.756, (0.48, 0.67, 0.78, 0.87, 0.95), 0),
    (FreeForm(10, 5, 20, frame_px=512), 512, (0, 1), 0.655, (0.35, 0.56, 0.68, 0.78, 0.89), 0.11),
    (MAT_256, 256, (0, 1), 0.407, (0.09, 0.27, 0.42, 0.55, 0.70), 0.47),
]


@pytest.mark.parametrize(("recipe", "size", "hole_range", "mean", "quantiles", "easy"), PUBLISHED)
def test_hole_ratios_follow_the_published_distributions(
    recipe: FreeForm,
    size: int,
    hole_range: tuple[float, float],
    mean: float,
    quantiles: tuple[float, ...],
    easy: float,
) -> None:
    # Drawn at 64 px for speed: the ratio does not depend on the resolution (tested below).
    ratio = hole_ratio(draw_holes(recipe, 1500, 64, generator(), hole_range))
    assert ratio.mean().item() == pytest.approx(mean, abs=0.02)
    found = torch.quantile(ratio, torch.tensor([0.05, 0.25, 0.5, 0.75, 0.95]))
    # The rows were measured on 300 to 1500 masks, so their outer quantiles are rough.
    assert found[1:].tolist() == pytest.approx(quantiles[1:], abs=0.035)
    assert found[0].item() == pytest.approx(quantiles[0], abs=0.06)
    assert (ratio < 0.4).float().mean().item() == pytest.approx(easy, abs=0.035)
    assert hole_range[0] < ratio.min() <= ratio.max() < hole_range[1]


@pytest.mark.slow
@pytest.mark.parametrize(("recipe", "limits"), [(COMODGAN, (10, 5, 20)), (MAT_256, (4, 2, 8))])
def test_free_form_agrees_with_drawing_one_mask_after_the_other(
    recipe: FreeForm, limits: tuple[int, int, int]
) -> None:
    rng = np.random.default_rng(0)
    reference = np.array([drawn_with_pillow(rng, limits, 128) for _ in range(800)])
    # Pillow draws at 128 px with widths in pixels, so the frame is 128 px here.
    scaled = FreeForm(*limits, frame_px=128)
    ours = hole_ratio(draw_holes(scaled, 1500, 128, generator())).numpy()
    assert recipe == FreeForm(*limits)
    at = np.linspace(0.05, 0.95, 10)
    assert np.quantile(ours, at) == pytest.approx(np.quantile(reference, at), abs=0.045)
    assert ours.mean() == pytest.approx(reference.mean(), abs=0.025)


def test_the_same_generator_gives_the_same_masks_at_every_resolution() -> None:
    coarse = draw_holes(COMODGAN, 40, 32, generator(3))
    fine = draw_holes(COMODGAN, 40, 256, generator(3))
    shrunk = torch.nn.functional.avg_pool2d(fine, 8)
    certain = (shrunk == 0) | (shrunk == 1)  # coarse pixels that no outline crosses
    assert torch.equal(coarse[certain], shrunk[certain])
    assert certain.float().mean() > 0.7


@pytest.mark.parametrize("name", sorted(RECIPES))
def test_masks_are_binary_repeatable_and_leave_the_global_state_alone(name: str) -> None:
    torch.manual_seed(5)
    before = torch.get_rng_state()
    first = draw_holes(RECIPES[name], 6, 64, generator(1))
    again = draw_holes(RECIPES[name], 6, 64, generator(1))
    assert torch.equal(torch.get_rng_state(), before)
    assert first.shape == (6, 1, 64, 64)
    assert first.dtype == torch.float32
    assert torch.equal(first, again)
    assert set(first.unique().tolist()) <= {0.0, 1.0}
    if name not in ("whole", "empty", "half"):
        assert not torch.equal(first, draw_holes(RECIPES[name], 6, 64, generator(2)))


# What an editor's users draw: the least and the largest plausible share of the image, at the
# median, and that there is always some hole and something known.
@pytest.mark.parametrize(
    ("name", "low", "high"),
    [("lasso", 0.03, 0.3), ("brush", 0.02, 0.2), ("box", 0.1, 0.3), ("border", 0.2, 0.7)],
)
def test_editor_masks_have_plausible_sizes(name: str, low: float, high: float) -> None:
    ratio = hole_ratio(draw_holes(RECIPES[name], 300, 64, generator()))
    assert low < ratio.median() < high
    assert ratio.min() > 0
    assert ratio.max() < 0.97


def test_half_whole_and_empty_are_exact() -> None:
    assert hole_ratio(draw_holes(RECIPES["half"], 50, 64, generator())).unique().tolist() == [0.5]
    assert draw_holes(RECIPES["whole"], 2, 32, generator()).min() == 1
    assert draw_holes(RECIPES["empty"], 2, 32, generator()).max() == 0


def test_all_four_halves_and_all_borders_occur() -> None:
    half = draw_holes(RECIPES["half"], 100, 8, generator())
    assert len(torch.unique(half, dim=0)) == 4
    border = draw_holes(RECIPES["border"], 200, 64, generator())
    middle_of_sides = [(32, 0), (0, 32), (32, 63), (63, 32)]
    for y, x in middle_of_sides:
        assert 0.4 < border[:, 0, y, x].mean() < 0.8


def test_training_batches_mix_the_recipes() -> None:
    holes = training_holes(600, 32, generator(0))
    ratio = hole_ratio(holes)
    assert holes.shape == (600, 1, 32, 32)
    assert set(holes.unique().tolist()) == {0.0, 1.0}
    # half CoModGAN (mean 0.724), the rest mostly MAT (0.407): the mean of the mixture
    assert ratio.mean().item() == pytest.approx(0.55, abs=0.05)
    assert torch.equal(holes, training_holes(600, 32, generator(0)))
    assert sum(TRAINING_SHARES.values()) == pytest.approx(1)


def test_training_redraws_free_form_masks_without_a_hole_or_without_a_known_pixel() -> None:
    ratio = hole_ratio(training_holes(1000, 16, generator(0), shares={"mat-256": 1.0}))
    assert ratio.min() > 0
    assert ratio.max() < 1
    plain = hole_ratio(draw_holes(MAT_256, 1000, 16, generator(0)))
    assert plain.min() == 0  # ... which the recipe alone does give


def test_an_unreachable_range_is_refused() -> None:
    with pytest.raises(ValueError, match=r"between 0\.1 and 0\.2"):
        draw_holes(whole, 2, 16, generator(), (0.1, 0.2))
