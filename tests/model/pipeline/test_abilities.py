"""What a model cannot do is refused in one sentence, by the library."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
import pytest
from inpaint_model import DocumentInpainter, Inpainter
from inpaint_model.document.notices import RefusalError
from inpaint_model.inference.tiny import tiny_inpainter
from inpaint_model.networks.config import Abilities
from inpaint_model.pipeline.document_inpainter import DocumentFill
from inpaint_model.pipeline.recipe import read_recipe
from inpaint_model.pipeline.session import FillSession
from inpaint_model.pipeline.style_mixing import Mixing

ONE = "“Tiny (random weights)” makes one fill for each selection. Request one candidate"
NO_EDITS = "Fills of the model “Tiny (random weights)” cannot be edited or mixed"


@pytest.fixture(scope="module")
def psp() -> Inpainter:
    return tiny_inpainter(arch="psp")


@pytest.fixture(scope="module")
def comodgan() -> Inpainter:
    return tiny_inpainter(arch="comodgan")


def opened(inpainter: Inpainter) -> tuple[DocumentInpainter, FillSession]:
    document = DocumentInpainter(inpainter)
    image = np.random.default_rng(0).integers(0, 256, (40, 40, 3), np.uint8)
    mask = np.zeros((40, 40), np.uint8)
    mask[10:20, 10:20] = 255
    return document, document.open(image, mask)


def refused(call: Callable[[], object], sentence: str) -> None:
    with pytest.raises(RefusalError) as raised:
        call()
    assert sentence in str(raised.value)


def test_a_deterministic_model_makes_one_candidate(psp: Inpainter) -> None:
    document, session = opened(psp)
    refused(lambda: list(document.fill(session, [1, 2])), ONE)
    assert not session.candidates
    (fill,) = document.fill(session, [1])
    refused(lambda: document.edit(session, fill.candidate, {}, seed=2), ONE)
    again = document.edit(session, fill.candidate, {}, seed=1)
    assert np.array_equal(again.composite, fill.composite)


def test_a_deterministic_model_is_edited_and_mixed(psp: Inpainter) -> None:
    document, session = opened(psp)
    (fill,) = document.fill(session, [1])
    mixing = Mixing(read_recipe(fill.recipe), ("colors",), 0.5)
    edited = document.edit(session, fill.candidate, {"brighter": 2.0}, mixing=mixing)
    assert not np.array_equal(edited.composite, fill.composite)


def test_codes_that_are_not_the_generators_are_not_edited(comodgan: Inpainter) -> None:
    document, session = opened(comodgan)
    assert comodgan.info.directions
    assert comodgan.directions == ()
    fills: list[DocumentFill] = list(document.fill(session, [1, 2]))
    assert not np.array_equal(fills[0].composite, fills[1].composite)
    candidate = fills[0].candidate
    refused(lambda: list(document.fill(session, [1], edits={"brighter": 1.0})), NO_EDITS)
    refused(lambda: document.edit(session, candidate, {"brighter": 1.0}), NO_EDITS)
    for other in (read_recipe(fills[1].recipe), session.image):
        mixing = Mixing(other, ("colors",))
        refused(partial(document.edit, session, candidate, {}, mixing=mixing), NO_EDITS)
    reseeded = document.edit(session, candidate, {}, seed=2)
    assert np.array_equal(reseeded.composite, fills[1].composite)


def test_a_candidate_of_codes_of_its_own_is_made_again_from_its_recipe(comodgan: Inpainter) -> None:
    document, session = opened(comodgan)
    (fill,) = document.fill(session, [1])
    image, mask = session.image, session.hole
    again = document.reopen(fill.recipe, session.attachment(), image, mask)
    remade = document.edit(again, again.candidates[0], {})
    assert np.array_equal(remade.composite, fill.composite)


@pytest.mark.parametrize("diverse", [False, True])
@pytest.mark.parametrize("editable", [False, True])
def test_abilities_cover_others_that_have_no_more(diverse: bool, editable: bool) -> None:
    own = Abilities(diverse, editable, corrected=False)
    assert Abilities(True, True, False).covers(own)
    assert own.covers(Abilities(False, False, True))
    assert own.covers(Abilities(True, True, False)) == (diverse and editable)
    assert own.covers(Abilities(True, False, False)) == diverse
    assert own.covers(Abilities(False, True, False)) == editable
