"""Selections that reach beyond the model's frame: filled to their end, and without an edge."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from compositing import filled
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from inpaint_model.document.blending import RAW, BlendSettings
from inpaint_model.document.document_image import DocumentImage
from inpaint_model.document.geometry import Frame
from inpaint_model.document.hole import Hole
from inpaint_model.document.placement import BlendFit, Placement, place

FRAME = Frame(100, 100, 120)  # 40 to 160
INNER = 12  # px before the frame's edge where the fill begins to go over: a tenth of its side


def document(dtype: Any = np.uint8, channels: int = 3) -> np.ndarray:
    """A soft slope with grain, and something dark in it that is to go."""
    y, x = np.mgrid[:200, :320]
    rng = np.random.default_rng(0)
    image = np.stack([0.5 + x / 1600, 0.6 - y / 1000, 0.4 + (x + y) / 3000], axis=2)
    image += rng.normal(0, 0.01, image.shape)
    image[70:130, 90:260] = 0.02
    if channels == 4:
        image = np.dstack([image, np.ones((200, 320))])
    white = np.iinfo(dtype).max if np.dtype(dtype).kind == "u" else 1
    return (image[..., :channels] * white).astype(dtype)


def selection() -> np.ndarray:
    """From the middle of the frame to far beyond it."""
    coverage = np.zeros((200, 320), np.uint8)
    coverage[65:135, 85:270] = 255
    coverage[65, 85:270] = 90
    return coverage


def placed(pixels: np.ndarray, *, whole: bool, coverage: np.ndarray | None = None) -> Placement:
    hole = Hole(selection() if coverage is None else coverage)
    return place(DocumentImage(pixels), hole, FRAME, 64, whole=whole)


def output() -> np.ndarray:
    """Return a fill of roughly the right colors, with structure."""
    y, x = np.mgrid[:64, :64] / 64
    waves = 0.5 + 0.12 * np.sin(9 * x + 5 * y)
    return np.stack([waves + 0.1, waves, waves - 0.05], axis=2).astype(np.float32)


def step_across(image: np.ndarray, column: int) -> float:
    """How much two neighboring columns differ in the middle of the selection, 0..255."""
    rows = image[75:125].astype(float)
    return float(np.abs(rows[:, column].mean(axis=0) - rows[:, column - 1].mean(axis=0)).max())


@pytest.mark.parametrize("how", [BlendSettings(), BlendSettings(grain=False), RAW])
def test_no_edge_is_left_where_the_frame_ends(how: BlendSettings) -> None:
    pixels = document()
    result = filled(placed(pixels, whole=True), output(), how)
    edge = max(step_across(result, column) for column in range(160 - INNER, 163))
    elsewhere = max(step_across(result, column) for column in range(95, 160 - INNER))
    assert edge <= elsewhere + 1
    assert result[70:130, 90:260].min() > 60, "nothing of what was to go is left"
    # A fill that just ended there would show.
    cut = result.copy()
    cut[:, 160:] = pixels[:, 160:]
    assert step_across(cut, 160) > 5 * elsewhere


def test_what_lies_beyond_the_frame_has_the_grain_around_it() -> None:
    def grain(image: np.ndarray) -> float:
        part = image.astype(float)
        return float((part[:, 1:] - part[:, :-1]).std())

    result = filled(placed(document(), whole=True), output())
    beyond, around = result[80:120, 180:250], document()[10:50, 180:250]
    assert grain(beyond) == pytest.approx(grain(around), rel=0.25)
    smooth = filled(placed(document(), whole=True), output(), BlendSettings(grain=False))
    assert grain(smooth[80:120, 180:250]) < 0.3 * grain(around)


def test_deep_inside_the_frame_the_fill_is_the_models() -> None:
    """The same as if the selection ended with the frame."""
    within = selection()
    within[:, 160:] = 0
    both = [
        filled(placed(document(), whole=True, coverage=coverage), output(), RAW)
        for coverage in (selection(), within)
    ]
    deep = np.s_[70:130, 90 : 160 - INNER - 1]
    assert np.array_equal(both[0][deep], both[1][deep])


def test_an_edit_goes_over_into_the_rest_as_well() -> None:
    placement = placed(document(), whole=True)
    fitting = BlendFit.of(placement, output())
    brighter = fitting.edit_to_patch((output() + 0.15).astype(np.float32)).fill.astype(float)
    change = brighter - fitting.to_patch().fill
    assert change[20:50, 20:40].mean() > 15
    assert np.abs(np.diff(change[20:50].mean(axis=(0, 2)))).max() < 3


@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float16, np.float32])
def test_a_drawn_frame_cuts_softly_and_only_inside_the_selection(dtype: Any, channels: int) -> None:
    pixels = document(dtype, channels)
    placement = placed(pixels, whole=False)
    patch = BlendFit.of(placement, output()).to_patch()
    assert "Only the part inside the frame is filled" in placement.warning
    assert (patch.box.x, patch.box.right) == (85, 160)
    assert np.array_equal(patch.covered, patch.box.cut(selection()) > 0)
    alpha = patch.coverage[35].astype(int)
    assert (alpha[: 75 - INNER] == 255).all()
    assert (np.diff(alpha) <= 0).all()
    assert 0 < alpha[-1] < 5
    assert np.diff(alpha).min() > -40
    assert (patch.coverage[0] <= 90).all()
    result = filled(placement, output())
    untouched = np.ones((200, 320), bool)
    untouched[65:135, 85:160] = False
    assert result[untouched].tobytes() == pixels[untouched].tobytes()


def test_a_drawn_frame_that_holds_the_selection_keeps_its_coverage() -> None:
    coverage = selection()
    coverage[:, 160:] = 0
    patch = BlendFit.of(placed(document(), whole=False, coverage=coverage), output()).to_patch()
    assert np.array_equal(patch.coverage, patch.box.cut(coverage))


@pytest.mark.slow
@settings(deadline=None, max_examples=40)
@given(
    st.builds(
        Frame,
        cx=st.floats(-50, 370),
        cy=st.floats(-50, 250),
        side=st.floats(10, 500),
        angle=st.floats(-180, 180),
    ),
    st.booleans(),
)
def test_nothing_outside_the_selection_changes(frame: Frame, whole: bool) -> None:
    pixels, coverage = document(), selection()
    assume(whole or Hole(coverage).inside(frame) is not None)
    placement = place(DocumentImage(pixels), Hole(coverage), frame, 64, whole=whole)
    result = filled(placement, output())
    assert result[coverage == 0].tobytes() == pixels[coverage == 0].tobytes()
    if whole:
        assert np.array_equal(placement.hole.coverage, placement.box.cut(coverage))
