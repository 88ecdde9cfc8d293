"""Documents of any size, depth and channel count, filled, edited and made again."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from inpaint_model import DocumentInpainter, Inpainter, UnknownDirectionError
from inpaint_model.document.blending import RAW
from inpaint_model.document.document_image import DocumentImage
from inpaint_model.document.geometry import Frame
from inpaint_model.document.placement import place
from inpaint_model.inference.tiny import tiny_inpainter
from inpaint_model.pipeline.document_inpainter import DocumentFill
from inpaint_model.pipeline.recipe import (
    AttachmentError,
    MixingNote,
    OtherModelError,
    RecipeError,
    read_recipe,
)
from inpaint_model.pipeline.session import FillSession
from inpaint_model.pipeline.style_mixing import Mixing, noted

DTYPES: list[np.dtype[Any]] = [np.dtype(x) for x in ("u1", "u2", "f2", "f4")]


@pytest.fixture(scope="module")
def inpainter() -> Inpainter:
    return tiny_inpainter()


@pytest.fixture(scope="module")
def document(inpainter: Inpainter) -> DocumentInpainter:
    return DocumentInpainter(inpainter)


def noise(width: int, height: int, channels: int = 3, dtype: Any = np.uint8) -> np.ndarray:
    random = np.random.default_rng(width * height)
    dtype = np.dtype(dtype)
    if dtype.kind == "u":
        return random.integers(0, np.iinfo(dtype).max, (height, width, channels), dtype, True)
    return random.random((height, width, channels)).astype(dtype)


def square(width: int, height: int) -> np.ndarray:
    """Return a mask with a soft square in the middle."""
    mask = np.zeros((height, width), np.uint8)
    mask[height // 4 : -height // 4, width // 4 : -width // 4] = 255
    mask[height // 4, width // 4 : -width // 4] = 100
    return mask


def first(document: DocumentInpainter, session: FillSession, **how: Any) -> DocumentFill:
    return next(document.fill(session, [7], **how))


@pytest.mark.slow
@settings(deadline=None, max_examples=25)
@given(
    width=st.integers(8, 90),
    height=st.integers(8, 90),
    channels=st.sampled_from([1, 3, 4]),
    dtype=st.sampled_from(DTYPES),
    seed=st.integers(0, 2**32 - 1),
)
def test_the_image_keeps_its_size_and_type_and_all_outside_the_mask(
    width: int, height: int, channels: int, dtype: np.dtype[Any], seed: int
) -> None:
    document = DocumentInpainter(tiny_inpainter())
    image, mask = noise(width, height, channels, dtype), square(width, height)
    before = image.copy()
    (fill,) = document.fill(document.open(image, mask), [seed])
    assert (fill.composite.shape, fill.composite.dtype) == (before.shape, before.dtype)
    outside = mask == 0
    assert fill.composite[outside].tobytes() == before[outside].tobytes()
    assert image.tobytes() == before.tobytes()
    assert (fill.composite[~outside] != before[~outside]).any()
    assert fill.candidate.seed == seed


def test_a_mask_of_bools_is_one_of_255(document: DocumentInpainter) -> None:
    image, mask = noise(60, 50), square(60, 50)
    hard = np.where(mask > 0, np.uint8(255), np.uint8(0))
    by_bools, by_numbers = (
        first(document, document.open(image, given)).composite for given in (mask > 0, hard)
    )
    assert by_bools.tobytes() == by_numbers.tobytes()


def test_every_seed_is_followed_by_its_variants(document: DocumentInpainter) -> None:
    session = document.open(noise(60, 50), square(60, 50))
    fills = list(
        document.fill(
            session, [3, 4], edits={"warmer": 1.0}, variants=[{"brighter": 2.0}, {"warmer": 0.0}]
        )
    )
    assert [(f.candidate.seed, f.rendering.variant) for f in fills] == [
        (3, -1), (3, 0), (3, 1), (4, -1), (4, 0), (4, 1),
    ]  # fmt: skip
    assert fills[1].candidate.edits == {"warmer": 1.0, "brighter": 2.0}
    assert fills[2].candidate.edits == {"warmer": 0.0}
    assert len({fill.composite.tobytes() for fill in fills}) == 6


def test_an_edit_back_to_nothing_is_the_candidate(document: DocumentInpainter) -> None:
    session = document.open(noise(60, 50), square(60, 50))
    plain = first(document, session)
    edited = document.edit(session, plain.candidate, {"brighter": 3.0})
    assert edited.composite.tobytes() != plain.composite.tobytes()
    again = document.edit(session, edited.candidate, {"brighter": 0.0})
    np.testing.assert_array_equal(again.composite, plain.composite)
    assert document.edit(session, plain.candidate, {}, seed=8).candidate.seed == 8
    with pytest.raises(UnknownDirectionError, match="brighter, warmer"):
        document.edit(session, plain.candidate, {"smile": 1.0})


def test_a_recipe_makes_its_candidate_again(document: DocumentInpainter) -> None:
    image, mask = noise(70, 60, 4, np.uint16), square(70, 60)
    session = document.open(image, mask, frame=Frame(35.0, 30.0, 50.0, 8.0))
    fill = first(document, session, edits={"brighter": 1.5})
    elsewhere = DocumentInpainter(tiny_inpainter())
    reopened = elsewhere.reopen(fill.recipe, session.attachment(), image, mask)
    candidate = reopened.candidates[0]
    again = elsewhere.edit(reopened, candidate, candidate.edits)
    np.testing.assert_array_equal(again.composite, fill.composite)
    assert again.recipe == fill.recipe


def test_a_recipe_without_its_image_fills_what_the_encoder_saw(
    document: DocumentInpainter,
) -> None:
    session = document.open(noise(70, 60), square(70, 60))
    fill = first(document, session)
    reopened = document.reopen(fill.recipe, session.attachment())
    again = document.edit(reopened, reopened.candidates[0], {})
    assert again.composite.shape == (32, 32, 3)
    known = session.placements[0].source.hole == 0
    erased = session.placements[0].source.erased
    assert again.composite[known].tobytes() == erased[known].tobytes()


def test_recipes_that_do_not_belong(document: DocumentInpainter, inpainter: Inpainter) -> None:
    image, mask = noise(70, 60), square(70, 60)
    session = document.open(image, mask)
    recipe = first(document, session).recipe
    with pytest.raises(RecipeError, match=r"^the recipe is not JSON"):
        document.reopen("{", session.attachment())
    with pytest.raises(AttachmentError, match=r"^the recipe's attachment is not a readable PNG"):
        document.reopen(recipe, b"no image")
    other = DocumentInpainter(tiny_inpainter(seed=1))
    theirs = read_recipe(first(other, other.open(image, mask)).recipe)
    with pytest.raises(OtherModelError, match="Choose a candidate of the same model"):
        document.edit(session, session.candidates[0], {}, mixing=Mixing(theirs, ("colors",)))
    with pytest.raises(OtherModelError, match=r"^the recipe was made with the model 'tiny', not"):
        other.reopen(recipe, session.attachment())
    content = json.loads(recipe)
    content["groups"][0]["ws_out"] = ""
    with pytest.raises(RecipeError, match="has 0 numbers in ws_out"):
        document.reopen(json.dumps(content), session.attachment())
    with pytest.raises(ValueError, match="both image and mask"):
        document.reopen(recipe, session.attachment(), image)


def test_mixing_takes_the_levels_of_another_candidate(document: DocumentInpainter) -> None:
    session = document.open(noise(60, 50), square(60, 50))
    one, two = document.fill(session, [1, 2])
    whole = document.edit(
        session,
        one.candidate,
        {},
        mixing=Mixing(read_recipe(two.recipe), ("structure", "features", "colors")),
    )
    np.testing.assert_allclose(whole.candidate.codes[0], two.candidate.codes[0], atol=1e-6)
    half = document.edit(
        session, one.candidate, {}, mixing=Mixing(read_recipe(two.recipe), ("colors",), 0.5)
    )
    np.testing.assert_array_equal(half.candidate.codes[0][:7], one.candidate.codes[0][:7])
    assert half.candidate.mixing is not None
    assert half.candidate.mixing.amount == 0.5
    photograph = DocumentImage(noise(60, 50, 3))
    taken = document.edit(session, one.candidate, {}, mixing=Mixing(photograph, ("colors",)))
    assert taken.composite.tobytes() != one.composite.tobytes()
    beside = DocumentImage(noise(20, 20, 3), origin=(900, 900))
    with pytest.raises(ValueError, match=r"^the image to mix is empty within"):
        document.edit(session, one.candidate, {}, mixing=Mixing(beside, ("colors",)))


@pytest.mark.parametrize("shares", [(0.2, 0.3, 0.1), (1.0, 0.0, 0.0), (0.0, 0.5, 0.5)])
def test_mixing_several_gives_each_its_share(
    document: DocumentInpainter, shares: tuple[float, ...]
) -> None:
    """The reference is the weighted mean of the codes, computed style by style."""
    session = document.open(noise(60, 50), square(60, 50))
    own, *others = document.fill(session, [1, 2, 3, 4])
    levels = ("structure", "colors")
    mixings, total = [], 1 - sum(shares)
    for share, other in zip(shares, others, strict=True):
        total += share
        amount = share / total if share else 0.0
        mixings.append(Mixing(read_recipe(other.recipe), levels, amount))
    made = document.edit(session, own.candidate, {}, mixing=mixings).candidate
    for k, style in enumerate(own.candidate.codes[0]):
        expected = style.astype(np.float64)
        if not 3 <= k < 7:  # features are not mixed
            expected = expected * (1 - sum(shares))
            for share, other in zip(shares, others, strict=True):
                expected = expected + share * other.candidate.codes[0][k].astype(np.float64)
        np.testing.assert_allclose(made.codes[0][k], expected, atol=1e-6)
    assert made.mixing is not None
    assert made.mixing.levels == levels
    assert made.mixing.amount == pytest.approx(sum(shares))


def test_the_note_of_several_mixings_has_the_largest_share_of_any_level() -> None:
    other = DocumentImage(noise(4, 4))
    first = noted(Mixing(other, ("features", "colors"), 0.5))
    assert first == MixingNote(("features", "colors"), 0.5)
    both = noted(Mixing(other, ("structure", "colors"), 0.5), first)
    assert both == MixingNote(("structure", "features", "colors"), 0.75)


def test_holes_far_apart_are_filled_through_separate_frames(
    document: DocumentInpainter,
) -> None:
    image, mask = noise(400, 120), np.zeros((120, 400), np.uint8)
    mask[40:60, 20:50] = mask[60:90, 340:380] = 255
    session = document.open(image, mask, frame="box", blending=RAW)
    assert len(session.placements) == 2
    fill = first(document, session)
    assert (fill.composite[mask == 0] == image[mask == 0]).all()
    for part in (np.s_[40:60, 20:50], np.s_[60:90, 340:380]):
        assert (fill.composite[part] != image[part]).mean() > 0.5
    reopened = document.reopen(fill.recipe, session.attachment(), image, mask)
    again = document.edit(reopened, reopened.candidates[0], {})
    np.testing.assert_array_equal(again.composite, fill.composite)
    mask[:, 200:] = 0
    with pytest.raises(ValueError, match="match the 2 regions"):
        document.reopen(fill.recipe, session.attachment(), image, mask)


def test_what_lies_beyond_the_frame_is_filled_by_the_recipe_too(
    document: DocumentInpainter,
) -> None:
    image, mask = noise(90, 60), square(90, 60)
    session = document.open(image, mask, frame=Frame(30, 30, 30))  # the hole ends at 67
    placement = place(session.image, session.hole, Frame(30, 30, 30), 32, whole=True)
    other = FillSession(session.model, session.image, session.hole, [placement], session.blending)
    cut, whole = first(document, session), first(document, other)
    assert whole.patches[0].box.right == 67
    assert cut.patches[0].box.right == 45
    for fill in (cut, whole):
        reopened = document.reopen(fill.recipe, session.attachment(), image, mask)
        again = document.edit(reopened, reopened.candidates[0], {})
        np.testing.assert_array_equal(again.composite, fill.composite)


def test_a_crop_is_filled_as_the_document_is(document: DocumentInpainter) -> None:
    image, mask = noise(120, 100), np.zeros((100, 120), np.uint8)
    mask[40:60, 50:70] = 255
    frame = Frame(60, 50, 48)
    whole = first(document, document.open(image, mask, frame=frame))
    crop = DocumentImage(
        np.ascontiguousarray(image[10:90, 20:100]), origin=(20, 10), size=(120, 100)
    )
    part = np.ascontiguousarray(mask[10:90, 20:100])
    cropped = first(document, document.open(crop, part, frame=frame))
    assert [patch.box for patch in cropped.patches] == [patch.box for patch in whole.patches]
    np.testing.assert_array_equal(cropped.composite, whole.composite[10:90, 20:100])


def test_the_model_may_leave_between_any_two_steps() -> None:
    """A scheduler unloads models, and lets other work on the same device go on in between."""
    loads = []

    def load() -> Inpainter:
        loads.append(tiny_inpainter())
        return loads[-1]

    steady, shifting = DocumentInpainter(tiny_inpainter()), DocumentInpainter(load)
    image, mask = noise(60, 50), square(60, 50)
    expected = [f.composite for f in steady.fill(steady.open(image, mask), [1, 2])]
    sessions = [shifting.open(image, mask) for _ in range(2)]
    streams = [shifting.fill(session, [1, 2]) for session in sessions]
    for k, fills in enumerate(zip(*streams, strict=True)):
        for fill in fills:
            np.testing.assert_array_equal(fill.composite, expected[k])
        sessions[k].encodings = None  # as when a model leaves
    assert len(loads) > 4


@pytest.mark.parametrize(
    ("image", "mask", "words"),
    [
        (noise(9, 9)[..., :2], square(9, 9), "1, 3 or 4 channels"),
        (noise(9, 9)[..., 0], square(9, 9), "1, 3 or 4 channels"),
        (noise(9, 9).astype(np.int64), square(9, 9), "Samples of int64 are not supported"),
        (noise(9, 9), square(9, 8), "must have the same size"),
        (noise(9, 9), np.zeros((9, 9), np.uint8), "The selection is empty"),
        (noise(9, 9), np.ones((9, 9), np.float32), r"must be bool or uint8 \[height, width\]"),
        (noise(9, 9), noise(9, 9), r"not uint8 \[9, 9, 3\]"),
    ],
)
def test_what_cannot_be_filled_is_named(
    document: DocumentInpainter, image: np.ndarray, mask: np.ndarray, words: str
) -> None:
    with pytest.raises(ValueError, match=words):
        document.open(image, mask)
