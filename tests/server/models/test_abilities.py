"""What a model cannot do is refused by a real daemon, in one sentence with a code of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest
import torch
from daemons import Answer, Caller, DaemonProcess, header, image, noise, pixels_of, recipe_source
from inpaint_model.bundle.direction_store import write_directions
from inpaint_model.bundle.directions import Direction
from inpaint_model.bundle.manifest import Card, read_bundle
from inpaint_model.bundle.writer import save_bundle
from inpaint_model.inference.tiny import tiny_model
from inpaint_protos.sentences import ERRORS
from inpaint_protos.status.v1 import status_pb2
from inpaint_protos.v1 import inpaint_pb2 as pb
from inpaint_server.models.registry import BundleLoader

TITLES = {"hierarchical": "All", "psp": "pSp", "comodgan": "CoModGAN"}
ONE = "The model “pSp” makes one fill for each selection."
NO_EDITS = "Fills of the model “CoModGAN” cannot be edited or mixed."


@pytest.fixture(scope="module")
def caller(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Caller]:
    folder = tmp_path_factory.mktemp("abilities")
    models: list[str] = []
    for arch, title in TITLES.items():
        save_bundle(folder / arch, tiny_model(arch=arch), Card(name=arch, title=title))  # type: ignore[call-overload]
        models += ["--model", str(folder / arch)]
    with DaemonProcess(folder, *models) as process, process.caller() as caller:
        yield caller


def refused(call: Callable[[], object], code: str, field: str, sentence: str) -> None:
    with pytest.raises(grpc.RpcError) as raised:
        call()
    error: Any = raised.value
    assert error.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert error.details().startswith(f"{field}: {sentence}")
    trailer = dict(error.trailing_metadata())["grpc-status-details-bin"]
    info = status_pb2.ErrorInfo.FromString(status_pb2.Status.FromString(trailer).details[0].value)
    assert info.reason == code
    assert ERRORS[code].format(**info.metadata).startswith(sentence)


def filled(caller: Caller, model: str, **fields: Any) -> Answer:
    return caller.fill(header(model=model, **fields))


def edit(answer: Answer, **fields: Any) -> pb.EditHeader:
    return pb.EditHeader(session_id=answer.session_id, **fields)


def test_info_tells_what_each_model_cannot_do(caller: Caller) -> None:
    assert {m.name: (m.single_candidate, m.no_edits) for m in caller.info().models} == {
        "hierarchical": (False, False),
        "psp": (True, False),
        "comodgan": (False, True),
    }


@pytest.mark.parametrize("fields", [{"seeds": [1, 2]}, {"count": 2}, {"seeds": [1], "count": 2}])
def test_several_candidates_of_a_deterministic_model(
    caller: Caller, fields: dict[str, Any]
) -> None:
    refused(lambda: filled(caller, "psp", **fields), "ONE_CANDIDATE", "seeds", ONE)
    assert len(filled(caller, "comodgan", **fields).candidates) == 2


def test_more_candidates_in_the_session_of_a_deterministic_model(caller: Caller) -> None:
    fill = header(model="psp", seeds=[3])
    answer = caller.fill(fill)
    (candidate,) = answer.candidates
    refused(lambda: caller.edit(edit(answer, seed=4)), "ONE_CANDIDATE", "seed", ONE)
    source = recipe_source(fill, candidate)
    by_recipe = pb.EditHeader(source=source, seed=4)
    refused(lambda: caller.edit(by_recipe), "ONE_CANDIDATE", "seed", ONE)
    assert caller.edit(edit(answer, seed=3)).candidates[0].patches == candidate.patches


def test_a_deterministic_model_is_edited_with_variants_and_a_smooth_candidate(
    caller: Caller,
) -> None:
    variants = [pb.Variant()]
    answer = filled(caller, "psp", variants=variants, smooth=pb.SMOOTH_FILL_ALWAYS)
    kinds = [(each.variant, each.method) for each in answer.candidates]
    assert kinds == [(-1, pb.METHOD_MODEL), (0, pb.METHOD_MODEL), (-1, pb.METHOD_SMOOTH)]
    mixing = pb.Mixing(recipe=answer.candidates[0].recipe, amount=0.5)
    assert caller.edit(edit(answer, mixing=mixing)).candidates


def test_edits_of_codes_that_are_not_the_generators(caller: Caller) -> None:
    brighter = [pb.Edit(name="brighter", value=1)]
    asked: list[dict[str, Any]] = [{"edits": brighter}, {"variants": [pb.Variant(edits=brighter)]}]
    for fields in asked:
        call = partial(filled, caller, "comodgan", **fields)
        refused(call, "NO_EDITS", "edits", NO_EDITS)
    answer = filled(caller, "comodgan", seeds=[1, 2])
    refused(lambda: caller.edit(edit(answer, edits=brighter)), "NO_EDITS", "edits", NO_EDITS)


def test_edits_with_a_model_that_has_no_directions(caller: Caller) -> None:
    brighter = [pb.Edit(name="brighter", value=1)]
    call = partial(filled, caller, "hierarchical", edits=brighter)
    sentence = "The model “All” has no directions for edits. Remove the edits"
    refused(call, "NO_DIRECTIONS", "edits", sentence)


def test_mixing_into_codes_that_are_not_the_generators(caller: Caller) -> None:
    answer = filled(caller, "comodgan", seeds=[1, 2])
    picture = pb.Mixing(
        picture=image(noise(40, 48)), picture_box=pb.Box(width=40, height=48), amount=1
    )
    for mixing in (pb.Mixing(recipe=answer.candidates[1].recipe, amount=1), picture):
        call = partial(caller.edit, edit(answer, mixing=mixing))
        refused(call, "NO_EDITS", "mixing", NO_EDITS)


def test_other_seeds_of_codes_that_are_not_the_generators(caller: Caller) -> None:
    fill = header(model="comodgan", seeds=[1, 2])
    answer = caller.fill(fill)
    first, second = (pixels_of(each.patches[0].fill) for each in answer.candidates)
    assert (first != second).any()
    (again,) = caller.edit(edit(answer, seed=2)).candidates
    assert np.array_equal(pixels_of(again.patches[0].fill), second)
    by_recipe = pb.EditHeader(source=recipe_source(fill, answer.candidates[1]))
    (remade,) = caller.edit(by_recipe).candidates
    assert np.array_equal(pixels_of(remade.patches[0].fill), second)


def test_a_bundle_that_names_directions_offers_none_if_it_cannot_be_edited(
    tmp_path: Path,
) -> None:
    saved = save_bundle(tmp_path / "own", tiny_model(arch="comodgan"), Card("own"))
    smile = Direction("smile", "face", (0,), 1.0, (-3, 3), generator_sha256=saved.generator_sha256)
    write_directions(read_bundle(saved.folder), [smile], {"smile": torch.ones(16)})
    assert [each.name for each in read_bundle(saved.folder).directions] == ["smile"]
    assert BundleLoader(torch.device("cpu")).describe(str(saved.folder)).directions == ()
