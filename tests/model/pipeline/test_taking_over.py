"""A model of the same alignment takes over what another has opened, with its frames."""

from __future__ import annotations

import numpy as np
import pytest
from inpaint_client.example import MASK, PORTRAIT
from inpaint_model import DocumentInpainter, load_bundle
from inpaint_model.document.blending import BlendSettings
from inpaint_model.document.geometry import Frame
from inpaint_model.inference.tiny import tiny_inpainter
from inpaint_model.pipeline.session import FillSession
from PIL import Image

SMALL, LARGE = tiny_inpainter(resolution=32), tiny_inpainter(resolution=128)


def scene(side: int) -> tuple[np.ndarray, np.ndarray]:
    image = Image.open(PORTRAIT).convert("RGB").resize((side, side))
    mask = Image.open(MASK).convert("L").resize((side, side))
    return np.asarray(image), np.asarray(mask)


def assert_alike(one: FillSession, other: FillSession) -> None:
    """Everything that a fill depends on is the same."""
    assert one.model == other.model
    assert one.blending == other.blending
    for ours, theirs in zip(one.placements, other.placements, strict=True):
        assert (ours.frame, ours.mode, ours.box) == (theirs.frame, theirs.mode, theirs.box)
        assert (ours.notices, ours.confidence) == (theirs.notices, theirs.confidence)
        assert ours.resolution == theirs.resolution
        np.testing.assert_array_equal(ours.source.erased, theirs.source.erased)
        np.testing.assert_array_equal(ours.source.hole, theirs.source.hole)
        np.testing.assert_array_equal(ours.hole.coverage, theirs.hole.coverage)


@pytest.mark.parametrize("frame", ["auto", "box", Frame(60, 62, 90, 4.0), Frame(60, 40, 40)])
def test_without_a_framer_it_is_as_if_the_larger_model_had_opened_it(
    frame: Frame | str,
) -> None:
    """Also in explicit frames, of which the last cuts off a part of the hole."""
    image, mask = scene(120)
    blending = BlendSettings(grain=False)
    small, large = DocumentInpainter(SMALL), DocumentInpainter(LARGE)
    opened = small.open(image, mask, frame=frame, blending=blending)  # type: ignore[arg-type]
    expected = large.open(image, mask, frame=frame, blending=blending)  # type: ignore[arg-type]
    assert_alike(large.take_over(opened), expected)


def test_groups_stay_divided() -> None:
    mask = np.zeros((400, 400), np.uint8)
    mask[10:20, 10:20] = mask[370:390, 370:390] = 255
    image = np.full((400, 400, 3), 120, np.uint8)
    opened = DocumentInpainter(SMALL).open(image, mask)
    taken = DocumentInpainter(LARGE).take_over(opened)
    assert [p.box for p in taken.placements] == [p.box for p in opened.placements]
    assert len(taken.placements) == 2
    assert {p.frame.side for p in taken.placements} == {128}


@pytest.mark.slow
def test_the_frames_of_the_framer_stay() -> None:
    portrait, large = DocumentInpainter(load_bundle("portrait")), DocumentInpainter(LARGE)
    opened = portrait.open(*scene(700))
    taken = large.take_over(opened)
    (before,), (after,) = opened.placements, taken.placements
    assert before.mode == after.mode == "auto"
    assert before.frame == after.frame
    assert (before.resolution, after.resolution) == (256, 128)
    (notice,) = after.notices
    assert notice.values["resolution"] == "128"
    (fill,) = large.fill(taken, [1])
    assert fill.composite.shape == (700, 700, 3)
