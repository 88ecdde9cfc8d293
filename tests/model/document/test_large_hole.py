"""A large hole, fitted reduced and then in tiles, against the same hole fitted as a whole."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from inpaint_model.document import large_hole, placement
from inpaint_model.document.blending import RAW, BlendContext, BlendSettings
from inpaint_model.document.borders import distance_to, distance_within
from inpaint_model.document.compositing import Patch
from inpaint_model.document.detail_matching import BlockNoise, noise_floor
from inpaint_model.document.document_image import DocumentImage
from inpaint_model.document.geometry import Box, Frame
from inpaint_model.document.hole import Hole
from inpaint_model.document.large_hole import LargeHole, noise_at
from inpaint_model.document.placement import BlendFit, place, sharing_memory
from scipy import ndimage

SIDE, RESOLUTION = 240, 32
WHOLE = Frame(SIDE / 2, SIDE / 2, SIDE)
INNER = Frame(SIDE / 2, SIDE / 2, 130)  # the hole reaches beyond it


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Make regions of this test large, and tiles small enough that there are several."""
    monkeypatch.setattr(placement, "LARGE", 15_000)
    monkeypatch.setattr(large_hole, "_TILE", 80)
    return monkeypatch


def wave(side: int, grain: float) -> npt.NDArray[np.float32]:
    """A smooth image [side, side, 3] of 0..1 that shows the same at every size, with grain."""
    y, x = (np.mgrid[:side, :side] + 0.5) * (SIDE / side)
    planes = [np.sin(x / 60) + np.cos(y / 50), np.sin((x + y) / 70), np.cos(x / 45)]
    noise = np.random.default_rng(0).normal(0, grain, (side, side, 3))
    return (0.5 + 0.15 * np.stack(planes, -1) + noise).astype(np.float32)


def ellipse() -> npt.NDArray[np.uint8]:
    y, x = np.mgrid[:SIDE, :SIDE]
    inside = ((x - 120) / 90) ** 2 + ((y - 115) / 75) ** 2 < 1
    return np.where(inside, np.uint8(255), np.uint8(0))


IMAGE = DocumentImage((255 * wave(SIDE, 0.02)).clip(0, 255).astype(np.uint8))
OUTPUT = wave(RESOLUTION, 0.0) + np.array([0.06, -0.04, 0.0], np.float32)


def patches(hole: npt.NDArray[np.uint8], frame: Frame, blending: BlendSettings) -> list[Patch]:
    """The fill, an edit of it, and the smooth fill."""
    placed = place(IMAGE, Hole(hole), frame, RESOLUTION, whole=True)
    fitting = BlendFit.of(placed, OUTPUT, blending)
    edit = OUTPUT.copy()
    edit[10:20, 10:20, 0] += 0.2
    return [fitting.to_patch(), fitting.edit_to_patch(edit), placed.smooth(blending)]


def both(
    small: pytest.MonkeyPatch, hole: npt.NDArray[np.uint8], frame: Frame, blending: BlendSettings
) -> list[tuple[Patch, Patch]]:
    """As a whole and in tiles."""
    tiled = patches(hole, frame, blending)
    with small.context() as whole:
        whole.setattr(placement, "LARGE", 1 << 30)
        return list(zip(patches(hole, frame, blending), tiled, strict=True))


def levels(patch: Patch) -> npt.NDArray[Any]:
    return patch.fill[patch.covered].astype(np.int16)


def test_only_large_regions_are_divided(small: pytest.MonkeyPatch) -> None:
    placed = place(IMAGE, Hole(ellipse()), WHOLE, RESOLUTION)
    assert isinstance(placed.surroundings, LargeHole)
    small.setattr(placement, "LARGE", placed.region.width * placed.region.height)
    again = place(IMAGE, Hole(ellipse()), WHOLE, RESOLUTION)
    assert isinstance(again.surroundings, BlendContext)


def test_groups_share_what_one_large_hole_may_take(small: pytest.MonkeyPatch) -> None:
    hole = np.zeros((SIDE, SIDE), np.uint8)
    hole[20:60, 20:60] = hole[150:200, 150:200] = 255
    groups = [place(IMAGE, Hole(hole), WHOLE, RESOLUTION) for _ in range(3)]
    shared = sharing_memory(groups)
    assert sum(each.fitted_px for each in shared) <= 15_000
    assert all(isinstance(each.surroundings, LargeHole) for each in shared)
    small.setattr(
        placement, "LARGE", sum(each.region.width * each.region.height for each in groups)
    )
    assert [each.most_px for each in sharing_memory(groups)] == [None] * 3


def test_without_blending_tiles_are_the_models_pixels(small: pytest.MonkeyPatch) -> None:
    for whole, tiled in both(small, ellipse(), WHOLE, RAW)[:2]:
        assert np.abs(levels(whole) - levels(tiled)).max() <= 1  # rounding


@pytest.mark.parametrize("frame", [WHOLE, INNER])
@pytest.mark.parametrize("feather_px", [0.0, 20.0])
def test_tiles_differ_little_from_a_fit_in_one_piece(
    small: pytest.MonkeyPatch, frame: Frame, feather_px: float
) -> None:
    blending = BlendSettings(grain=False, feather_px=feather_px)
    for whole, tiled in both(small, ellipse(), frame, blending):
        difference = np.abs(levels(whole) - levels(tiled))
        assert difference.mean() < 2.5
        assert np.quantile(difference, 0.99) < 12


@pytest.mark.parametrize("frame", [WHOLE, INNER])
def test_grain_is_as_strong_as_that_of_the_whole(small: pytest.MonkeyPatch, frame: Frame) -> None:
    for pair in both(small, ellipse(), frame, BlendSettings()):
        whole, tiled = (
            (patch.fill - ndimage.uniform_filter(patch.fill.astype(float), (5, 5, 0)))[
                ndimage.binary_erosion(patch.covered, iterations=12)
            ].std()
            for patch in pair
        )
        assert tiled == pytest.approx(whole, rel=0.12)


@pytest.mark.parametrize("blending", [BlendSettings(), BlendSettings(feather_px=20)])
def test_no_tile_shows(small: pytest.MonkeyPatch, blending: BlendSettings) -> None:
    """Other tiles give the same pixels, but for what the sums of grain are rounded by."""
    first = patches(ellipse(), INNER, blending)
    small.setattr(large_hole, "_TILE", 112)
    for one, other in zip(first, patches(ellipse(), INNER, blending), strict=True):
        difference = np.abs(levels(one) - levels(other))
        assert np.quantile(difference, 0.999) <= 2
        assert difference.mean() < 0.5


@settings(
    max_examples=15,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    x=st.integers(0, 150),
    y=st.integers(0, 150),
    width=st.integers(40, 240),
    height=st.integers(40, 240),
    side=st.floats(60, 480),
    gap=st.integers(0, 30),
)
def test_the_document_stays_and_the_border_is_met(
    small: pytest.MonkeyPatch, x: int, y: int, width: int, height: int, side: float, gap: int
) -> None:
    hole = np.zeros((SIDE, SIDE), np.uint8)
    hole[y : y + height, x : x + width] = 255
    hole[y + 5 : y + 5 + gap, x + 5 : x + 5 + gap] = 0
    if hole.all():
        hole[0, 0] = 0
    frame = Frame(x + width / 2, y + height / 2, side)
    for patch in patches(hole, frame, BlendSettings(grain=False)):
        known = ~patch.covered
        assert np.array_equal(patch.fill[known], patch.box.cut(IMAGE.pixels)[known])
        assert np.isfinite(patch.fill.astype(float)).all()


def test_noise_is_of_its_place() -> None:
    wide = noise_at(5, 1, Box(0, 0, 300, 260))
    part = noise_at(5, 1, Box(100, 90, 140, 130))
    assert torch.equal(part, wide[:, 90:220, 100:240])
    assert float(wide.std()) == pytest.approx(1, abs=0.01)
    assert not torch.equal(part, noise_at(5, 0, Box(100, 90, 140, 130)))


def test_noise_of_parts_is_that_of_the_whole() -> None:
    band, at = torch.randn(3, 80, 96), torch.rand(80, 96) < 0.995
    parts = BlockNoise()
    for rows in (slice(0, 40), slice(40, 80)):
        parts.add(band[:, rows], at[rows])
    floor, whole = parts.floor(), noise_floor(band, at)
    assert floor is not None
    assert whole is not None
    torch.testing.assert_close(floor, whole, rtol=1e-4, atol=1e-6)


def test_distances_within_reach_are_exact() -> None:
    mask = torch.zeros(1500, 30, dtype=torch.bool)
    mask[700, 10] = mask[3, 29] = True
    exact, near = distance_to(mask), distance_within(mask, 50)
    assert torch.equal(near[exact <= 50], exact[exact <= 50])
    assert bool((near[exact > 50] > 50).all())
