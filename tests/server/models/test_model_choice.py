"""Which model answers: the named one, else the default unless a larger one shows more detail."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest
import torch
from daemons import Caller, DaemonProcess, header, noise
from inpaint_model.bundle.manifest import Card
from inpaint_model.bundle.writer import save_bundle
from inpaint_model.inference.tiny import tiny_model
from inpaint_protos.v1 import inpaint_pb2 as pb
from inpaint_server.errors import NotFoundError
from inpaint_server.models.registry import (
    BundleLoader,
    ModelInfo,
    ModelRegistry,
    RegisteredModel,
    select_model,
)


class Described(BundleLoader):
    """Models by NAME:RESOLUTION[:ALIGNMENT[:DIRECTION[:ARCH]]]; nothing can be loaded."""

    def __init__(self) -> None:
        super().__init__(torch.device("cpu"))

    def describe(self, source: str) -> ModelInfo:
        parts = source.split(":")
        name, resolution, alignment, only, arch = (
            *parts,
            *("ffhq", "", "hierarchical")[len(parts) - 2 :],
        )
        info = super().describe("tiny")
        config = tiny_model(arch=arch).config  # type: ignore[call-overload]
        directions = tuple(d for d in info.directions if only in ("", d.name))
        return replace(
            info,
            name=name,
            resolution=int(resolution),
            alignment=alignment,
            directions=directions,
            config=config,
        )


def registry(*sources: str) -> ModelRegistry:
    return ModelRegistry(sources, Described())


def names(entries: tuple[RegisteredModel, ...]) -> list[str]:
    return [entry.name for entry in entries]


def test_only_larger_models_of_the_defaults_alignment_take_over() -> None:
    models = registry("m:256", "s:128", "twin:256", "cats:512:afhq", "l:512", "xl:1024")
    assert names(models.candidate_models("", ())) == ["m", "l", "xl"]
    assert names(models.candidate_models("l", ())) == ["l"]
    assert names(registry("a:256:", "b:512:").candidate_models("", ())) == ["a"]


def test_a_model_without_a_direction_of_the_fill_does_not_take_over() -> None:
    models = registry("m:256", "l:512:ffhq:warmer")
    assert names(models.candidate_models("", {"warmer"})) == ["m", "l"]
    assert names(models.candidate_models("", {"warmer", "brighter"})) == ["m"]
    with pytest.raises(NotFoundError, match="smile"):
        models.candidate_models("", {"smile"})


@pytest.mark.parametrize(
    ("default", "larger", "takes_over"),
    [
        ("hierarchical", "psp", False),
        ("hierarchical", "comodgan", False),
        ("comodgan", "psp", False),
        ("psp", "comodgan", False),
        ("psp", "hierarchical", True),
        ("comodgan", "hierarchical", True),
        ("psp", "psp", True),
        ("hierarchical", "divinversion-first", True),
    ],
)
def test_a_model_with_fewer_abilities_does_not_take_over(
    default: str, larger: str, takes_over: bool
) -> None:
    models = registry(f"m:256:ffhq::{default}", f"l:512:ffhq::{larger}")
    assert names(models.candidate_models("", ())) == (["m", "l"] if takes_over else ["m"])
    assert names(models.candidate_models("l", ())) == ["l"]


@pytest.mark.parametrize(
    ("side", "name"),
    [(10, "m"), (256, "m"), (256.5, "l"), (512, "l"), (513, "xl"), (5000, "xl")],
)
def test_the_smallest_that_need_not_be_enlarged_else_the_largest(side: float, name: str) -> None:
    models = registry("m:256", "xl:1024", "l:512", "l2:512")
    assert select_model(models.candidate_models("", ()), side, lambda entry: False).name == name


def test_among_equals_a_loaded_one() -> None:
    models = registry("m:256", "l:512", "l2:512")
    assert (
        select_model(models.candidate_models("", ()), 400, lambda entry: entry.name == "l2").name
        == "l2"
    )


@pytest.fixture(scope="module")
def bundles(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two models of one alignment, 32 and 64 px, and one of another."""
    folder = tmp_path_factory.mktemp("bundles")
    for name, resolution, alignment in [
        ("small", 32, "ffhq"), ("large", 64, "ffhq"), ("cats", 128, "afhq")
    ]:  # fmt: skip
        card = Card(name=name, alignment=alignment)
        save_bundle(folder / name, tiny_model(resolution=resolution), card)
    return folder


@pytest.fixture(scope="module")
def family(bundles: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[DaemonProcess]:
    chosen = [word for name in ("small", "large", "cats") for word in ("--model", bundles / name)]
    with DaemonProcess(tmp_path_factory.mktemp("family"), *map(str, chosen)) as process:
        yield process


@pytest.fixture
def caller(family: DaemonProcess) -> Iterator[Caller]:
    with family.caller() as caller:
        yield caller


def fill_of(side: int, **fields: Any) -> pb.FillHeader:
    """A hole of `side` px in the middle of an image of 400 px."""
    hole = np.zeros((400, 400), np.uint8)
    start = 200 - side // 2
    hole[start : start + side, start : start + side] = 255
    return header(noise(400, 400), hole, seeds=[1], **fields)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("side", "model", "resolution"), [(10, "small", 32), (16, "small", 32), (30, "large", 64)]
)
def test_a_real_daemon_takes_the_model_with_enough_detail(
    caller: Caller, side: int, model: str, resolution: int
) -> None:
    answer = caller.fill(fill_of(side))
    (frame,), (candidate,) = answer.frames, answer.candidates
    assert (frame.model, frame.model_resolution) == (model, resolution)
    assert frame.enlargement <= 1
    assert json.loads(candidate.recipe)["model"] == model
    named = caller.fill(fill_of(side, model=model)).candidates[0]
    assert list(named.patches) == list(candidate.patches)


@pytest.mark.slow
def test_beyond_all_models_the_largest_fills_with_a_notice(caller: Caller) -> None:
    (frame,) = caller.fill(fill_of(100)).frames
    assert frame.model == "large"
    assert frame.enlargement == pytest.approx(200 / 64)
    assert "Filled at 64 px and enlarged 3.1 times." in frame.warning
    (frame,) = caller.fill(fill_of(100, model="small")).frames
    assert "Filled at 32 px and enlarged 6.2 times." in frame.warning


@pytest.mark.slow
def test_an_explicit_frame_decides_too(caller: Caller) -> None:
    for side, model in ((32.0, "small"), (33.0, "large")):
        frame = pb.Frame(cx=200, cy=200, side=side)
        fill = fill_of(10, frame_mode=pb.FRAME_MODE_EXPLICIT, frame=frame)
        assert [chosen.model for chosen in caller.fill(fill).frames] == [model]


@pytest.mark.slow
def test_the_largest_frame_of_several_groups_decides(caller: Caller) -> None:
    hole = np.zeros((60, 600), np.uint8)
    hole[20:24, 10:14] = hole[10:35, 560:585] = 255
    answer = caller.fill(header(noise(600, 60), hole, seeds=[1]))
    assert [frame.model for frame in answer.frames] == ["large", "large"]


@pytest.mark.slow
def test_edits_of_the_session_keep_to_its_model(caller: Caller, family: DaemonProcess) -> None:
    answer = caller.fill(fill_of(30))
    again = caller.edit(pb.EditHeader(session_id=answer.session_id))
    assert again.frames[0].model == "large"
    assert again.candidates[0].patches == answer.candidates[0].patches
    lines = [line for line in family.log.read_text().splitlines() if "status=OK" in line]
    assert "request=Edit" in lines[-1]
    assert "model=large" in lines[-1]
    with pytest.raises(grpc.RpcError) as raised:
        caller.fill(fill_of(30, edits=[pb.Edit(name="smile", value=1)]))
    assert raised.value.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert "has no directions" in (raised.value.details() or "")
