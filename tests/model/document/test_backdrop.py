"""A plain background is continued behind what a matte says is in front of it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from inpaint_model.document import large_hole, placement
from inpaint_model.document.backdrop import Backdrop, Matte
from inpaint_model.document.blending import RAW, BlendSettings
from inpaint_model.document.document_image import DocumentImage
from inpaint_model.document.geometry import Box, Frame, scaling
from inpaint_model.document.hole import Hole
from inpaint_model.document.placement import BlendFit, Placement, place

SIDE, R = 160, 40
FRAME = Frame(80, 80, 160)
HAIR = (0.4, 0.3, 0.25)
HEAD = 76  # rows from here on show the head
SAME = scaling(1, 1)  # document px are px of the view
EVERYTHING = Box(0, 0, SIDE, SIDE)


def wall() -> np.ndarray:
    """A wall, darker toward the right, float32 [SIDE, SIDE, 3]."""
    image: np.ndarray = np.empty((SIDE, SIDE, 3), np.float32)
    image[...] = np.linspace(0.7, 0.6, SIDE)[None, :, None] * np.array([1, 0.95, 0.9])
    return image


def document() -> np.ndarray:
    image = wall()
    image[HEAD:, 40:120] = HAIR
    pixels: np.ndarray = np.rint(image * 255).astype(np.uint8)
    return pixels


def hole() -> np.ndarray:
    mask = np.zeros((SIDE, SIDE), np.uint8)
    mask[40:90, 30:130] = 255
    return mask


def person() -> np.ndarray:
    """Where the fill shows a head: lower than the hole begins."""
    shown = np.zeros((SIDE, SIDE), np.float32)
    shown[60:, 40:120] = 1
    return shown


def backdrop(_: Placement | None = None) -> Backdrop:
    """The view is the document itself."""
    known = np.where(hole() > 0, 1, person() * (np.arange(SIDE)[:, None] >= HEAD))
    return Backdrop(SAME, wall(), wall(), hole() > 0, known.astype(np.float32))


def matte(region: Box, shown: np.ndarray) -> Matte:
    """A matte without guidance: inside the frame it is the offset alone."""
    guided = np.dstack([np.zeros((SIDE, SIDE, 3), np.float32), shown])
    return Matte(region, SAME, shown, guided)


def placed() -> Placement:
    found = place(DocumentImage(document()), Hole(hole()), FRAME, R, whole=True)
    return replace(found, find_backdrop=backdrop)


def output() -> np.ndarray:
    """What a model draws: hair from row 60 on, and another wall above."""
    image = np.full((R, R, 3), (0.3, 0.5, 0.8), np.float32)
    image[15:, 10:30] = HAIR
    return image


def filled(
    where: Placement, settings: BlendSettings, shown: np.ndarray | None, lighter: float = 0.0
) -> np.ndarray:
    matted = None if shown is None else matte(where.region, shown)
    patch = BlendFit.of(where, output() + np.float32(lighter), settings, matted).to_patch()
    result = document()
    patch.box.cut(result)[...] = patch.fill
    return result.astype(np.float32) / 255


def test_the_background_is_known_wall_that_looks_like_the_wall() -> None:
    color = torch.from_numpy(document().astype(np.float32) / 255).permute(2, 0, 1).contiguous()
    color[:, 10, 10] = 0.2  # a stray hair
    found = backdrop().background(EVERYTHING, color).numpy()
    expected = (hole() == 0) & (person() * (np.arange(SIDE)[:, None] >= HEAD) == 0)
    expected[10, 10] = False
    assert np.array_equal(found, expected)


@pytest.mark.parametrize("octave", [0, 1, 2])
def test_a_matte_follows_the_fill_only_where_the_model_made_it(octave: int) -> None:
    region = Box(16, 8, 64, 32)
    guided = np.zeros((SIDE, SIDE, 4), np.float32)
    guided[..., 0], guided[..., 3] = 0.5, 0.25
    outside = np.full((SIDE, SIDE), 0.9, np.float32)
    fill = torch.full((3, 32 >> octave, 64 >> octave), 0.5)
    fill[0, :, 0] = 4.0
    by_model = torch.ones(fill.shape[1:])
    by_model[0] = 0
    shares = Matte(region, SAME, outside, guided).shares(fill, by_model, octave)
    assert torch.allclose(shares[0], torch.tensor(0.9))
    assert torch.allclose(shares[1:, 1:], torch.tensor(0.5))
    assert torch.allclose(shares[1:, 0], torch.tensor(1.0))  # clamped


def test_a_reduced_matte_is_that_of_the_means() -> None:
    region = Box(20, 44, 80, 40)
    ramp = np.broadcast_to(np.linspace(0, 1, SIDE, dtype=np.float32), (SIDE, SIDE)).copy()
    finest, halved = (
        matte(region, ramp).shares(
            torch.zeros(3, 40 >> k, 80 >> k), torch.ones(40 >> k, 80 >> k), k
        )
        for k in (0, 1)
    )
    assert torch.allclose(torch.nn.functional.avg_pool2d(finest[None], 2)[0], halved, atol=1e-5)


@pytest.mark.parametrize("most_px", [None, 2000])
def test_the_wall_goes_on_behind_the_head(
    most_px: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(large_hole, "_TILE", 64)
    if most_px is not None:
        monkeypatch.setattr(placement, "LARGE", most_px)
    settings = BlendSettings(grain=False)
    result = filled(placed(), settings, person())
    above, head = np.s_[42:56, 34:126], np.s_[68:88, 46:114]
    assert np.abs(result - wall())[above].max() < 0.012
    assert np.abs(result - np.array(HAIR))[head].mean() < 0.06
    veiled = filled(placed(), settings, None)
    assert np.abs(veiled - wall())[above].max() > 0.025


def test_the_light_of_the_head_is_corrected_though_most_of_the_border_is_wall() -> None:
    settings = BlendSettings(colour_match=False, grain=False)
    result = filled(placed(), settings, person(), lighter=0.15)
    head = result[64:88, 46:114]
    assert np.abs(head - np.array(HAIR)).mean() < 0.05


def test_without_the_gradient_the_fill_stays_as_it_is() -> None:
    assert np.array_equal(filled(placed(), RAW, person()), filled(placed(), RAW, None))


def test_an_edit_is_shown_before_the_same_wall() -> None:
    where, settings = placed(), BlendSettings(grain=False)
    fit = BlendFit.of(where, output(), settings, matte(where.region, person()))
    taller = person()
    taller[50:60, 40:120] = 1
    edit = output()
    edit[12:15, 10:30] = HAIR
    patch = fit.edit_to_patch(edit, matte(where.region, taller))
    result = document()
    patch.box.cut(result)[...] = patch.fill
    shown = result.astype(np.float32) / 255
    assert np.abs(shown - wall())[42:47, 34:126].max() < 0.02
    assert (shown[54:58, 60:100].mean((0, 1)) < 0.5).all()
