"""Masks in which small areas stay known."""

from __future__ import annotations

import pytest
import torch
from inpaint_model.data.kept_features import FACE_FEATURES, holes_around_features
from inpaint_model.data.masks import hole_ratio
from scipy.ndimage import label


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("features", [(), FACE_FEATURES], ids=["anywhere", "faces"])
def test_masks_are_large_binary_and_repeatable(
    features: tuple[tuple[float, float, float, float], ...],
) -> None:
    torch.manual_seed(5)
    before = torch.get_rng_state()
    holes = holes_around_features(200, 64, generator(1), features)
    assert torch.equal(holes, holes_around_features(200, 64, generator(1), features))
    assert not torch.equal(holes, holes_around_features(200, 64, generator(2), features))
    assert torch.equal(torch.get_rng_state(), before)
    assert holes.shape == (200, 1, 64, 64)
    assert set(holes.unique().tolist()) == {0.0, 1.0}
    ratio = hole_ratio(holes)
    assert 0.2 < ratio.median() < 0.5
    assert 0.02 < ratio.min() < ratio.max() < 0.95


def test_most_features_stay_about_where_they_are() -> None:
    holes = holes_around_features(400, 128, generator(), FACE_FEATURES)
    for x, y, _, _ in FACE_FEATURES:
        assert 0.7 < (holes[:, 0, round(128 * y), round(128 * x)] == 0).float().mean() < 0.95
    between = holes[:, 0, round(128 * 0.6), 64]  # the nose
    assert between.mean() > 0.9


def test_areas_anywhere_are_in_the_hole() -> None:
    """Known areas that the outside does not reach."""
    holes = holes_around_features(200, 128, generator())
    islands = [label(hole.numpy() == 0)[1] - 1 for hole in holes[:, 0]]
    assert sum(count > 0 for count in islands) > 150
    assert max(islands) <= 6 + 3, "the oval may cut the corners of the image off"


def test_no_masks() -> None:
    assert holes_around_features(0, 32, generator(), FACE_FEATURES).shape == (0, 1, 32, 32)
