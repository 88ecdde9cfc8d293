"""The candidate that is filled without a model: where it is offered, kept, and made again."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from inpaint_model import DocumentInpainter
from inpaint_model.document.blending import BlendSettings
from inpaint_model.document.document_image import DocumentImage
from inpaint_model.document.geometry import Frame, Mode
from inpaint_model.document.hole import Hole
from inpaint_model.document.placement import Placement, place
from inpaint_model.inference.tiny import tiny_inpainter
from inpaint_model.pipeline.recipe import RecipeError, read_recipe
from inpaint_model.pipeline.session import UneditableError
from inpaint_model.pipeline.smooth_offer import SMALL, is_worth_smoothing
from inpaint_model.pipeline.style_mixing import Mixing


@pytest.fixture(scope="module")
def document() -> DocumentInpainter:
    return DocumentInpainter(tiny_inpainter())


def unloaded() -> Any:
    raise AssertionError("a smooth fill asks no model")


def wall(channels: int = 3, dtype: Any = np.uint8) -> np.ndarray:
    """A grainy wall, with a spot that is to go."""
    pixels = np.random.default_rng(0).normal(0.6, 0.02, (80, 100, channels)).clip(0, 1)
    if channels == 4:
        pixels[..., 3] = 1
    pixels[35:45, 45:55, :3] = 0.1
    white = np.iinfo(dtype).max if np.dtype(dtype).kind == "u" else 1
    return (pixels * white).astype(dtype)


def spot() -> np.ndarray:
    mask = np.zeros((80, 100), np.uint8)
    mask[33:47, 43:57] = 255
    mask[33, 43:57] = 128
    return mask


@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float16, np.float32])
def test_a_spot_on_a_wall_is_gone_and_nothing_else_changes(
    document: DocumentInpainter, channels: int, dtype: Any
) -> None:
    image, mask = wall(channels, dtype), spot()
    session = document.open(image, mask)
    fill = DocumentInpainter(unloaded).smooth(session)
    result = fill.composite
    assert result.dtype == dtype
    assert result[mask == 0].tobytes() == image[mask == 0].tobytes()
    white = np.iinfo(dtype).max if np.dtype(dtype).kind == "u" else 1
    inside = result[35:45, 45:55, : min(channels, 3)].astype(float) / white
    assert inside.mean() == pytest.approx(0.6, abs=0.02)
    assert inside.std() == pytest.approx(0.02, rel=0.4), "the wall's grain"
    assert np.array_equal(fill.patches[0].coverage, mask[33:47, 43:57])


def test_its_recipe_makes_it_again(document: DocumentInpainter) -> None:
    image, mask = wall(), spot()
    session = document.open(image, mask)
    next(document.fill(session, [7]))
    fill = document.smooth(session)
    assert set(session.candidates) == {0, 1}
    recipe = read_recipe(fill.recipe)
    assert (recipe.method, recipe.seed, recipe.edits) == ("smooth", 0, {})
    assert json.loads(fill.recipe)["format"] == 2, "older readers must refuse it"
    elsewhere = DocumentInpainter(tiny_inpainter())
    reopened = elsewhere.reopen(fill.recipe, session.attachment(), image, mask)
    again = elsewhere.edit(reopened, reopened.candidates[0], {})
    np.testing.assert_array_equal(again.composite, fill.composite)
    assert again.recipe == fill.recipe
    seen = elsewhere.reopen(fill.recipe, session.attachment())
    assert elsewhere.edit(seen, seen.candidates[0], {}).composite.shape == (32, 32, 3)


def test_it_cannot_be_edited_drawn_again_or_mixed(document: DocumentInpainter) -> None:
    session = document.open(wall(), spot())
    fill, other = document.smooth(session), next(document.fill(session, [3]))
    mixing = Mixing(read_recipe(other.recipe), ("colors",))
    changes: list[tuple[dict[str, float], dict[str, Any]]] = [
        ({"brighter": 1.0}, {}),
        ({}, {"seed": 4}),
        ({}, {"truncation_psi": 0.5}),
        ({}, {"mixing": mixing}),
    ]
    for edits, how in changes:
        with pytest.raises(UneditableError, match=r"^the smooth fill was made without the model"):
            document.edit(session, fill.candidate, edits, **how)
    with pytest.raises(RecipeError, match="smooth fill, which has no styles"):
        document.edit(
            session, other.candidate, {}, mixing=Mixing(read_recipe(fill.recipe), ("colors",))
        )
    same = document.edit(session, fill.candidate, {"brighter": 0.0})
    np.testing.assert_array_equal(same.composite, fill.composite)


def test_it_is_blended_as_it_is_asked_for(document: DocumentInpainter) -> None:
    plain = document.smooth(document.open(wall(), spot(), blending=BlendSettings(grain=False)))
    assert plain.composite[38:42, 48:52].std() < 0.5
    soft = document.smooth(document.open(wall(), spot(), blending=BlendSettings(feather_px=6)))
    assert soft.composite[34, 50].tolist() == pytest.approx(wall()[34, 50].tolist(), abs=40)


def test_without_surroundings_a_smooth_fill_is_refused(document: DocumentInpainter) -> None:
    session = document.open(wall(), np.full((80, 100), 255, np.uint8))
    assert not session.has_surroundings
    with pytest.raises(ValueError, match="needs some image around the selection"):
        document.smooth(session)


def placed(side: float, mode: Mode) -> Placement:
    """A hole of 10 px in a frame."""
    coverage = np.zeros((200, 200), np.uint8)
    coverage[95:105, 95:105] = 255
    image = DocumentImage(np.zeros((200, 200, 3), np.uint8))
    return place(image, Hole(coverage), Frame(100, 100, side), 32, mode=mode)


def test_it_is_worth_while_where_the_model_is_out_of_its_depth() -> None:
    small, large = placed(10 / SMALL * 1.01, "auto"), placed(10 / SMALL * 0.9, "auto")
    beside = placed(20, "box")
    assert is_worth_smoothing([small])
    assert not is_worth_smoothing([large])
    assert is_worth_smoothing([beside])
    assert is_worth_smoothing([small, beside])
    assert not is_worth_smoothing([small, large])


def scratched() -> np.ndarray:
    """A hole, and dust and a hairline over the whole of an image [300, 400]."""
    rng = np.random.default_rng(4)
    mask = np.zeros((300, 400), np.uint8)
    for x, y in rng.integers([0, 0], [398, 298], (150, 2)):
        mask[y : y + 2, x : x + 2] = 255
    mask[:, 390] = 255
    mask[100:160, 40:110] = 255
    return mask


@pytest.mark.parametrize("frame", ["auto", "box"])
def test_a_recipe_of_a_scratched_image_makes_it_again(
    document: DocumentInpainter, frame: Any
) -> None:
    image = np.random.default_rng(0).integers(0, 256, (300, 400, 3), np.uint8)
    mask = scratched()
    session = document.open(image, mask, frame=frame)
    assert 1 < len(session.placements) <= 3
    fill = next(document.fill(session, [7]))
    assert (fill.composite[mask == 0] == image[mask == 0]).all()
    reopened = document.reopen(fill.recipe, session.attachment(), image, mask)
    again = document.edit(reopened, reopened.candidates[0], {})
    np.testing.assert_array_equal(again.composite, fill.composite)


@pytest.mark.parametrize(("share", "offered"), [(0.03, True), (0.1, False)])
def test_a_line_is_offered_a_smooth_fill_however_long_it_is(share: float, offered: bool) -> None:
    image = np.zeros((300, 400, 3), np.uint8)
    coverage = np.zeros((300, 400), np.uint8)
    width = round(share * 200)
    coverage[150 : 150 + width, 110:290] = 255
    hole = Hole(coverage)
    placed = place(DocumentImage(image), hole, Frame(200, 150, 200), 32, mode="auto")
    assert is_worth_smoothing([placed]) == offered
