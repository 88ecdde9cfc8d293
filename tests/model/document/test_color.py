"""Document pixels and display values, both ways."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from inpaint_model.document.color import (
    FULL_SCALE,
    converted,
    display_from_document,
    display_from_oklab,
    document_from_display,
    linear_from_srgb,
    oklab_from_display,
    quantize,
    srgb_from_linear,
)

DTYPES = [np.uint8, np.uint16, np.float16, np.float32]


def test_the_curve_has_its_published_values() -> None:
    linear = np.array([0.0, 0.0031308, 0.18, 0.5, 1.0], np.float32)
    srgb = np.array([0.0, 0.04045, 0.46135613, 0.73535698, 1.0])
    assert srgb_from_linear(linear) == pytest.approx(srgb, abs=2e-6)
    assert linear_from_srgb(srgb.astype(np.float32)) == pytest.approx(linear, abs=2e-6)


def test_the_curve_is_inverted_beyond_white_and_below_black() -> None:
    values = np.linspace(-3, 60, 1001, dtype=np.float32)
    assert linear_from_srgb(srgb_from_linear(values)) == pytest.approx(values, rel=1e-4, abs=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("linear", [False, True])
@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("dtype", DTYPES)
def test_the_way_there_and_back_keeps_every_value(dtype: Any, channels: int, linear: bool) -> None:
    if np.dtype(dtype).kind == "u":
        samples = np.arange(np.iinfo(dtype).max + 1).astype(dtype)
    else:
        samples = np.linspace(-0.5, 16, 4096).astype(dtype)
    pixels = np.repeat(samples.reshape(-1, 16)[..., None], channels, axis=2)
    if channels == 4:
        pixels[..., 3] = quantize(np.ones(1, np.float32), dtype)
    color, alpha = display_from_document(pixels, linear)
    assert color.shape == (*pixels.shape[:2], 3)
    assert (alpha is None) == (channels != 4)
    back = document_from_display(color, dtype, channels, linear)
    assert back.dtype == dtype
    if np.dtype(dtype).kind == "u":
        assert np.array_equal(back, pixels)
    else:
        assert back == pytest.approx(pixels, rel=2e-3, abs=1e-4)


def test_gray_is_the_luma_of_the_result() -> None:
    color = np.array([[[1.0, 0.5, 0.25]]], np.float32)
    gray = document_from_display(color, np.uint8, 1, linear=False)
    assert gray.shape == (1, 1, 1)
    assert gray[0, 0, 0] == round((0.2126 + 0.5 * 0.7152 + 0.25 * 0.0722) * 255)


def test_rounding_is_half_to_even_and_clipped() -> None:
    values = np.array([0.5, 1.5, 2.5, -3, 300], np.float32) / np.float32(255)
    assert quantize(values, np.uint8).tolist() == [0, 2, 2, 0, 255]


def test_no_sample_of_a_broken_float_image_is_lost_in_infinity() -> None:
    broken = np.array([[[np.nan, np.inf, -np.inf]]], np.float32)
    color, _ = display_from_document(broken, linear=True)
    assert np.isfinite(color).all()
    assert np.isfinite(document_from_display(color, np.float16, 3, linear=True)).all()


@pytest.mark.parametrize("source", DTYPES)
@pytest.mark.parametrize("target", DTYPES)
def test_samples_of_one_type_become_those_of_another(source: Any, target: Any) -> None:
    white, white_there = FULL_SCALE[np.dtype(source)], FULL_SCALE[np.dtype(target)]
    values = np.linspace(0, white, 256).astype(source)[None, :, None]
    there = converted(values, np.dtype(target))
    assert there.dtype == target
    np.testing.assert_allclose(
        there.astype(np.float64) / white_there,
        values.astype(np.float64) / white,
        atol=0.51 / white_there if np.dtype(target).kind == "u" else 1e-3,
    )
    if source is np.uint8:
        assert (converted(there, np.dtype(source)) == values).all()


def test_what_is_no_number_becomes_black_in_integers() -> None:
    broken = np.array([[[np.nan, np.inf, -np.inf]]], np.float32)
    assert converted(broken, np.dtype(np.uint8)).tolist() == [[[0, 255, 0]]]
    assert converted(broken, np.dtype(np.float32)) is broken


def test_oklab_has_its_published_values_and_is_inverted() -> None:
    # From the author's page, for CIE XYZ (0.950, 1.000, 1.089), and by his formulas for red.
    colors = np.array([[1, 1, 1], [1, 0, 0], [0, 0, 0], [0.2, 0.5, 0.7]], np.float32)
    found = oklab_from_display(colors)
    assert found[:3] == pytest.approx(
        np.array([[1, 0, 0], [0.62796, 0.22486, 0.12585], [0, 0, 0]]), abs=1e-4
    )
    assert display_from_oklab(found) == pytest.approx(colors, abs=1e-5)
