"""The tint of filled skin: its size, where it applies, and where it does not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from inpaint_model.document.blending import BlendContext, BlendSettings
from inpaint_model.document.color import display_from_oklab, oklab_from_display
from inpaint_model.document.geometry import Box, scaling
from inpaint_model.document.skin_tone import Skin
from torch import Tensor

SIDE = 96
SKIN = np.array([0.75, 0.58, 0.5], np.float32)
WHOLE = torch.ones(SIDE, SIDE, dtype=torch.bool)


def skin(color: np.ndarray = SKIN) -> Skin:
    mask = np.zeros((SIDE, SIDE), np.float32)
    mask[:, : SIDE // 2] = 1
    return Skin(color, mask, Box(0, 0, SIDE, SIDE), scaling(1, 1))


def flat(color: np.ndarray) -> Tensor:
    return torch.from_numpy(np.broadcast_to(color[:, None, None], (3, SIDE, SIDE)).copy())


def colored(lightness: float = 0.0, a: float = 0.0, b: float = 0.0) -> np.ndarray:
    """The skin's color, changed in Oklab."""
    change = np.array([lightness, a, b], np.float32)
    return display_from_oklab(oklab_from_display(SKIN) + change)


def tint(fill: np.ndarray) -> np.ndarray:
    """How the fill changes in Oklab."""
    known = skin()
    change = known.tint(flat(fill), torch.from_numpy(known.mask), WHOLE, 1.0)
    assert change is not None
    return oklab_from_display(fill + change.numpy()) - oklab_from_display(fill)


@pytest.mark.parametrize(
    ("off", "corrected"),
    [
        ({"a": 0.02}, (0, -0.012, 0)),
        ({"b": -0.01}, (0, 0, 0.006)),
        ({"lightness": 0.1}, (0, 0, 0)),  # the sides of a face have different light
        ({"lightness": -0.2, "a": 0.02}, (0, -0.012, 0)),
        ({"b": 0.3}, (0, 0, -0.018)),  # not skin; corrected no further
    ],
)
def test_the_tint_goes_some_way_toward_that_of_the_known_skin(
    off: dict[str, float], corrected: tuple[float, ...]
) -> None:
    assert tint(colored(**off)) == pytest.approx(np.array(corrected), abs=2e-4)


def test_the_same_tint_stays() -> None:
    assert tint(SKIN) == pytest.approx(np.zeros(3), abs=1e-5)


def test_little_skin_says_nothing() -> None:
    known, hole = skin(), torch.zeros(SIDE, SIDE, dtype=torch.bool)
    hole[:10, :30] = True
    mask = torch.from_numpy(known.mask)
    assert known.tint(flat(colored(a=0.1)), mask, hole, 1.0) is None
    hole[:20] = True
    assert known.tint(flat(colored(a=0.1)), mask, hole, 1.0) is not None
    assert known.tint(flat(colored(a=0.1)), mask, hole, 2.0) is None  # enlarged twice
    image = np.broadcast_to(SKIN, (SIDE, SIDE, 3))
    few = np.zeros((SIDE, SIDE), np.bool_)
    few[:10, :30] = True
    assert Skin.of(image, few, known.mask, known.region, known.to_mask) is None
    found = Skin.of(image, WHOLE.numpy(), known.mask, known.region, known.to_mask)
    assert found is not None
    assert np.array_equal(found.color, SKIN)


def context() -> BlendContext:
    """A hole in skin on the left and a wall on the right."""
    hole = torch.zeros(SIDE, SIDE, dtype=torch.bool)
    hole[16:-16, 8:-8] = True
    color = flat(SKIN)
    color[:, :, SIDE // 2 :] = 0.3
    none = torch.zeros_like(hole)
    return BlendContext(color, hole, none, ~hole, ~hole, WHOLE, 1.0, 4.0, 0)


def test_only_filled_skin_changes_and_not_at_the_border() -> None:
    around = context()
    fill = torch.where(around.hole, flat(colored(a=0.03)), around.color)
    fill[:, :, SIDE // 2 :] = 0.3
    settings = BlendSettings(gradient=False, grain=False)
    without, tinted = (
        around.fitted(around.fit(fill, settings, skin=each)) for each in (None, skin())
    )
    change = (tinted - without).abs().amax(0)
    assert float(change[:, SIDE // 2 :].max()) == 0
    assert float(change[~around.hole].max()) == 0
    assert float(change[16, 8:40].max()) < 0.003
    middle = float(change[40:56, 30:40].min())
    assert middle > 0.01
    assert float(change[40:56, 8].max()) < middle / 4
    # Without matched colors, it stays.
    raw = replace(settings, colour_match=False)
    one, other = (around.fitted(around.fit(fill, raw, skin=each)) for each in (None, skin()))
    assert torch.equal(one, other)


def test_an_edit_keeps_its_own_tint() -> None:
    around = context()
    fill = torch.where(around.hole, flat(colored(a=0.02)), around.color)
    fit = around.fit(fill, BlendSettings(grain=False), skin=skin())
    unedited = around.fitted(fit)
    redder = torch.where(around.hole, fill + flat(np.array([0.1, 0, 0], np.float32)), fill)
    change = around.fit_edit(redder, fit) - unedited
    assert change[:, 48, 40].numpy() == pytest.approx(np.array([0.1, 0, 0]), abs=0.02)
