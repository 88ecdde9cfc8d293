"""Gray in, gray out: prints in one color are filled in it, and color images as they were."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from compositing import composited, filled
from drawings import portrait
from hypothesis import given, settings
from hypothesis import strategies as st
from inpaint_model.document import large_hole, placement
from inpaint_model.document.blending import BlendSettings
from inpaint_model.document.color import LUMA
from inpaint_model.document.document_image import DocumentImage
from inpaint_model.document.geometry import Frame
from inpaint_model.document.hole import Hole
from inpaint_model.document.large_hole import LargeHole
from inpaint_model.document.monochrome import find_tint, has_shades
from inpaint_model.document.placement import BlendFit, Placement, place
from old_prints import brightness, damage, gray, sepia, stored

SIDE, RESOLUTION = 256, 64
FRAME = Frame(SIDE / 2, SIDE / 2, 240)
HOLE = damage(SIDE)
CORNER = np.s_[5:60, 190:250]  # deep inside the missing corner


def colorful() -> np.ndarray:
    """Return the portrait as a model would paint it, in colors, [R, R, 3]."""
    return portrait(RESOLUTION).astype(np.float32) / np.float32(255)


def placed(pixels: np.ndarray, hole: np.ndarray = HOLE, frame: Frame = FRAME) -> Placement:
    return place(DocumentImage(pixels), Hole(hole), frame, RESOLUTION, whole=True)


def beside_the_tint(colors: np.ndarray) -> np.ndarray:
    """How far colors [n, 3] of 0..1 are from sepia of their brightness, 0..255."""
    shades = np.linspace(0, 1, 2000)
    tint = sepia(shades)
    nearest = np.interp(colors @ LUMA, tint @ LUMA, shades)
    return np.asarray(255 * np.abs(colors - sepia(nearest)).max(axis=-1))


@pytest.mark.parametrize("channels", [3, 4])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float16, np.float32])
def test_a_gray_print_scanned_in_color_stays_exactly_gray(dtype: Any, channels: int) -> None:
    pixels = stored(gray(brightness(SIDE)), dtype)
    if channels == 4:
        pixels = np.dstack([pixels, stored(np.ones((SIDE, SIDE)), dtype)])
    placement, blonde = placed(pixels), colorful() + np.array([0.2, 0.1, -0.1], np.float32)
    fitting = BlendFit.of(placement, colorful())
    for patch in (
        fitting.to_patch(),
        fitting.edit_to_patch(blonde),
        placement.smooth(BlendSettings()),
    ):
        result = composited(placement.image, [patch])
        assert result[HOLE == 0].tobytes() == pixels[HOLE == 0].tobytes()
        assert (result[..., :3] == result[..., :1]).all()
        assert result[CORNER][..., 0].std() > 0
    own = filled(placement, colorful(), BlendSettings(colour_match=False)).astype(float)
    assert np.ptp(own[CORNER][..., :3], axis=-1).max() > 0.05 * np.asarray(pixels).max()


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_one_channel_and_three_equal_ones_are_filled_alike(dtype: Any) -> None:
    pixels = stored(gray(brightness(SIDE)), dtype)
    three = filled(placed(pixels), colorful())
    one = filled(placed(pixels[..., :1]), colorful())
    assert np.abs(three[..., :1].astype(int) - one).max() <= 1
    assert one.dtype == dtype


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_a_sepia_print_is_filled_in_sepia(dtype: Any) -> None:
    pixels = stored(sepia(brightness(SIDE)), dtype)
    white = np.iinfo(dtype).max
    result = filled(placed(pixels), colorful())
    assert result[HOLE == 0].tobytes() == pixels[HOLE == 0].tobytes()
    wrong = beside_the_tint(result[HOLE > 0] / white)
    assert wrong.mean() < 4
    assert np.quantile(wrong, 0.99) < 12
    own = filled(placed(pixels), colorful(), BlendSettings(colour_match=False))
    assert beside_the_tint(own[HOLE > 0] / white).mean() > 4 * wrong.mean()


@pytest.mark.parametrize("tone", [gray, sepia])
def test_the_grain_is_the_prints(tone: Any) -> None:
    flat = np.full((SIDE, SIDE), 0.55) + np.linspace(-0.2, 0.2, SIDE)
    grain = np.random.default_rng(1).normal(0, 0.02, (SIDE, SIDE))
    pixels = stored(tone(flat + grain), np.uint8)
    smooth = np.repeat(np.linspace(0.5, 0.6, RESOLUTION), RESOLUTION * 3)
    output = smooth.reshape(RESOLUTION, RESOLUTION, 3).astype(np.float32)

    def strength(image: np.ndarray) -> float:
        shades = image.astype(float) @ LUMA
        return float((shades[:, 1:] - shades[:, :-1]).std())

    result = filled(placed(pixels), output)
    assert strength(result[CORNER]) == pytest.approx(strength(pixels[CORNER]), rel=0.25)
    without = filled(placed(pixels), output, BlendSettings(grain=False))
    assert strength(without[CORNER]) < 0.4 * strength(pixels[CORNER])


def test_large_holes_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(placement, "LARGE", 15_000)
    monkeypatch.setattr(large_hole, "_TILE", 80)
    pixels = stored(gray(brightness(SIDE)), np.uint16)
    large = placed(pixels)
    assert isinstance(large.surroundings, LargeHole)
    fitting = BlendFit.of(large, colorful())
    for patch in (fitting.to_patch(), fitting.edit_to_patch(colorful() ** 2)):
        assert (patch.fill == patch.fill[..., :1]).all()
    brown = filled(placed(stored(sepia(brightness(SIDE)), np.uint8)), colorful())
    assert beside_the_tint(brown[HOLE > 0] / 255).mean() < 4


def test_uneven_yellowing_is_no_color() -> None:
    y, x = np.mgrid[:SIDE, :SIDE] / SIDE - 0.5
    yellow = (x**2 + y**2)[..., None] * np.array([0.0, -0.02, -0.09])
    pixels = stored((sepia(brightness(SIDE)) + yellow).clip(0, 1), np.uint8)
    assert placed(pixels).tint is not None


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10_000), saturation=st.floats(0.6, 1))
def test_color_images_are_left_alone(seed: int, saturation: float) -> None:
    colors = portrait(64, seed).reshape(-1, 3).astype(np.float32) / np.float32(255)
    shades = (colors @ LUMA)[:, None]
    paler = shades + np.float32(saturation) * (colors - shades)
    assert find_tint(paler.astype(np.float32)) is None


def test_a_color_photograph_is_filled_bit_for_bit_as_without_tints(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pixels = portrait(SIDE, 2)
    result = filled(placed(pixels), colorful())
    monkeypatch.setattr(Placement, "tint", None)
    assert result.tobytes() == filled(placed(pixels), colorful()).tobytes()


@given(
    shades=st.lists(st.floats(0, 1), min_size=2, max_size=300),
    image=st.lists(st.tuples(*[st.floats(0, 1, width=32)] * 3), min_size=1, max_size=50),
)
def test_a_tint_keeps_brightness_and_gray_is_exact(
    shades: list[float], image: list[tuple[float, ...]]
) -> None:
    colors = np.array(image, np.float32)
    for tone in (gray, sepia):
        tint = find_tint(tone(np.array(shades)).astype(np.float32))
        if tint is None:  # too few shades to draw the curve of sepia
            assert tone is sepia
            continue
        tinted = tint.applied(colors)
        assert np.abs((tinted - colors) @ LUMA).max() < 1e-5
        assert tint.is_gray == (tone is gray)
        if tint.is_gray:
            assert (tinted == tinted[:, :1]).all()


def test_an_empty_canvas_says_nothing() -> None:
    assert not has_shades(np.ones((500, 3), np.float32))
    assert not has_shades(np.ones((0, 3), np.float32))
    assert placed(np.full((SIDE, SIDE, 3), 255, np.uint8)).tint is None


def test_where_the_model_sees_only_a_wall_the_whole_image_decides() -> None:
    wall = 0.7 + np.random.default_rng(0).normal(0, 0.01, (SIDE, SIDE))
    wall[: SIDE // 2] = brightness(SIDE)[: SIDE // 2]
    spot = np.zeros((SIDE, SIDE), np.uint8)
    spot[215:230, 120:135] = 255
    below = Frame(128, 222, 60)
    pixels = stored(gray(wall), np.uint8)
    assert not has_shades(placed(pixels, spot, below).source.known)
    tint = placed(pixels, spot, below).tint
    assert tint is not None
    assert tint.is_gray
    pixels[: SIDE // 2] = portrait(SIDE)[: SIDE // 2]
    assert placed(pixels, spot, below).tint is None
