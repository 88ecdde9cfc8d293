"""Edit on a real daemon: sessions, recipes on another daemon, mixing, seeds, truncation."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from typing import Any

import grpc
import numpy as np
import numpy.typing as npt
import pytest
from daemons import (
    Answer,
    Caller,
    DaemonProcess,
    header,
    image,
    noise,
    pixels_of,
    recipe_source,
)
from inpaint_model.inference.tiny import tiny_inpainter
from inpaint_protos.v1 import inpaint_pb2 as pb
from PIL import Image

RAW = pb.Blending(colour_match=False, gradient=False, grain=False, detail=False)


@pytest.fixture
def fill() -> pb.FillHeader:
    return header(seeds=[1, 2, 3], blending=RAW)


@pytest.fixture
def filled(caller: Caller, fill: pb.FillHeader) -> Answer:
    return caller.fill(fill)


@pytest.fixture(scope="module")
def other_caller(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Caller]:
    with DaemonProcess(tmp_path_factory.mktemp("other")) as process, process.caller() as caller:
        yield caller


def patch_of(answer: Answer) -> bytes:
    (candidate,) = answer.candidates
    return bytes(candidate.patches[0].fill.data)


def codes(candidate: pb.Candidate) -> npt.NDArray[np.float32]:
    (group,) = json.loads(candidate.recipe)["groups"]
    return np.frombuffer(base64.b64decode(group["ws_out"]), "<f4").reshape(8, 16)


def edits(**values: float) -> list[pb.Edit]:
    return [pb.Edit(name=name, value=value) for name, value in values.items()]


def test_without_changes_it_is_the_candidate(caller: Caller, filled: Answer) -> None:
    for index, candidate in enumerate(filled.candidates):
        again = caller.edit(pb.EditHeader(session_id=filled.session_id, index=index))
        assert patch_of(again) == candidate.patches[0].fill.data
        assert again.candidates[0].recipe == candidate.recipe
        assert again.candidates[0].index == index


def test_edits_equal_the_same_edits_in_the_fill(caller: Caller, filled: Answer) -> None:
    wanted = caller.fill(header(seeds=[2], blending=RAW, edits=edits(warmer=2, brighter=-1)))
    edited = caller.edit(
        pb.EditHeader(session_id=filled.session_id, index=1, edits=edits(warmer=2, brighter=-1))
    )
    assert patch_of(edited) == patch_of(wanted)
    back = caller.edit(pb.EditHeader(session_id=filled.session_id, index=1))
    assert patch_of(back) == filled.candidates[1].patches[0].fill.data


def test_seed_and_truncation_equal_a_fill_with_them(caller: Caller, filled: Answer) -> None:
    wanted = caller.fill(header(seeds=[77], blending=RAW, truncation_psi=0.3))
    edited = caller.edit(pb.EditHeader(session_id=filled.session_id, seed=77, truncation_psi=0.3))
    assert patch_of(edited) == patch_of(wanted)
    assert edited.candidates[0].seed == 77


@pytest.mark.parametrize(
    ("levels", "styles"),
    [
        ([pb.STYLE_LEVEL_STRUCTURE], [0, 1, 2]),
        ([pb.STYLE_LEVEL_FEATURES], [3, 4, 5, 6]),
        ([pb.STYLE_LEVEL_COLOURS], [7]),
        ([pb.STYLE_LEVEL_STRUCTURE, pb.STYLE_LEVEL_COLOURS], [0, 1, 2, 7]),
        ([], list(range(8))),
    ],
)
def test_mixing_takes_the_styles_of_its_levels(
    caller: Caller, filled: Answer, levels: list[pb.StyleLevel], styles: list[int]
) -> None:
    one, other = filled.candidates[:2]
    mixing = pb.Mixing(recipe=other.recipe, levels=levels, amount=0.25)
    mixed = caller.edit(pb.EditHeader(session_id=filled.session_id, mixing=mixing)).candidates[0]
    expected = codes(one).copy()
    expected[styles] += 0.25 * (codes(other) - codes(one))[styles]
    np.testing.assert_allclose(codes(mixed), expected, atol=1e-6)
    untouched = [k for k in range(8) if k not in styles]
    assert (codes(mixed)[untouched] == codes(one)[untouched]).all()
    assert json.loads(mixed.recipe)["mixing"]["amount"] == 0.25


def test_mixing_all_of_it_is_the_other_code_in_this_candidate(
    caller: Caller, filled: Answer
) -> None:
    other = filled.candidates[2]
    mixing = pb.Mixing(recipe=other.recipe, amount=1.0)
    mixed = caller.edit(pb.EditHeader(session_id=filled.session_id, mixing=mixing))
    np.testing.assert_allclose(codes(mixed.candidates[0]), codes(other), atol=1e-6)


def test_mixing_several_is_their_weighted_mean(
    caller: Caller, fill: pb.FillHeader, filled: Answer, other_caller: Caller
) -> None:
    """Of the shares 0.4, 0.35 and 0.25, as a dot in the mixer pad has them."""
    own, one, two = filled.candidates[:3]
    half = pb.Mixing(recipe=one.recipe, amount=0.35 / 0.75)
    quarter = pb.Mixing(recipe=two.recipe, amount=0.25)
    mixed = caller.edit(
        pb.EditHeader(session_id=filled.session_id, mixing=half, further_mixing=[quarter])
    )
    expected = 0.4 * codes(own) + 0.35 * codes(one) + 0.25 * codes(two)
    np.testing.assert_allclose(codes(mixed.candidates[0]), expected, atol=1e-6)
    assert json.loads(mixed.candidates[0].recipe)["mixing"]["amount"] == pytest.approx(0.6)
    there = other_caller.edit(pb.EditHeader(source=recipe_source(fill, mixed.candidates[0])))
    assert patch_of(there) == patch_of(mixed) != own.patches[0].fill.data


def test_the_daemon_says_how_many_it_mixes(caller: Caller, filled: Answer) -> None:
    most = caller.info().limits.max_mixings
    assert most >= 3  # for a mixer pad
    mixing = pb.Mixing(recipe=filled.candidates[1].recipe, amount=0.5)
    header = pb.EditHeader(
        session_id=filled.session_id, mixing=mixing, further_mixing=[mixing] * (most - 1)
    )
    amount = json.loads(caller.edit(header).candidates[0].recipe)["mixing"]["amount"]
    assert amount == pytest.approx(1 - 0.5**most)


def smooth(width: int, height: int, seed: int = 9) -> npt.NDArray[np.uint8]:
    """Return an image without fine detail, which hardly changes when it is reduced."""
    spots = Image.fromarray(noise(6, 5, seed=seed)).resize(
        (width, height), Image.Resampling.BICUBIC
    )
    return np.asarray(spots)


def like(pixels: npt.NDArray[Any], *box: int, **fields: Any) -> pb.Mixing:
    x, y, width, height = box or (0, 0, pixels.shape[1], pixels.shape[0])
    where = pb.Box(x=x, y=y, width=width, height=height)
    return pb.Mixing(picture=image(pixels), picture_box=where, **{"amount": 1.0, **fields})


@pytest.mark.parametrize(
    ("levels", "styles"),
    [([], [7]), ([pb.STYLE_LEVEL_FEATURES, pb.STYLE_LEVEL_COLOURS], [3, 4, 5, 6, 7])],
)
def test_the_fine_styles_of_another_image(
    caller: Caller, filled: Answer, levels: list[pb.StyleLevel], styles: list[int]
) -> None:
    """Over the attachment, the frame is the entire square: the model sees the image unchanged."""
    candidate = filled.candidates[0]
    source = pb.RecipeSource(recipe=candidate.recipe, attachment=candidate.attachment)
    square = noise(32, 32, seed=5)
    mixing = like(square, levels=levels, amount=0.5)
    (made,) = caller.edit(pb.EditHeader(source=source, mixing=mixing)).candidates
    expected = codes(candidate).copy()
    expected[styles] += 0.5 * (tiny_inpainter().invert(square) - expected)[styles]
    np.testing.assert_allclose(codes(made), expected, atol=1e-5)
    names = ["features", "colors"] if levels else ["colors"]
    assert json.loads(made.recipe)["mixing"] == {"levels": names, "amount": 0.5}


def test_a_layer_is_seen_through_the_candidates_frame(caller: Caller) -> None:
    hole = np.zeros((160, 200), np.uint8)
    hole[60:90, 80:110] = 255
    frame = pb.Frame(cx=95, cy=75, side=64, angle=10)
    explicit = header(noise(200, 160), hole, frame_mode=pb.FRAME_MODE_EXPLICIT, frame=frame)
    answer = caller.fill(explicit)

    def mixed(mixing: pb.Mixing) -> npt.NDArray[np.float32]:
        edit = pb.EditHeader(session_id=answer.session_id, mixing=mixing)
        return codes(caller.edit(edit).candidates[0])

    layer = smooth(200, 160)
    whole = mixed(like(layer))
    part = mixed(like(layer[20:130, 40:150], 40, 20, 110, 110))
    np.testing.assert_allclose(part, whole, atol=1e-5)
    reduced = mixed(
        like(layer.reshape(80, 2, 100, 2, 3).mean(axis=(1, 3)).astype("u1"), 0, 0, 200, 160)
    )
    elsewhere = mixed(like(layer, 30, 0, 200, 160))
    assert np.abs(reduced - whole).max() < 0.2 * np.abs(elsewhere - whole).max()
    opaque = np.dstack([layer, np.full((160, 200), 255, np.uint8)])
    np.testing.assert_array_equal(mixed(like(opaque)), whole)
    opaque[:75, :, 3] = 0
    assert not np.allclose(mixed(like(opaque)), whole)


def test_a_mixed_image_is_reproduced_from_the_recipe_without_it(
    fill: pb.FillHeader, filled: Answer, caller: Caller, other_caller: Caller
) -> None:
    levels = [pb.STYLE_LEVEL_FEATURES, pb.STYLE_LEVEL_COLOURS]
    mixing = like(smooth(48, 40), levels=levels)
    mixed = caller.edit(pb.EditHeader(session_id=filled.session_id, mixing=mixing))
    there = other_caller.edit(pb.EditHeader(source=recipe_source(fill, mixed.candidates[0])))
    assert patch_of(there) == patch_of(mixed)
    assert patch_of(mixed) != filled.candidates[0].patches[0].fill.data


def test_recipe_and_attachment_give_the_same_on_another_daemon(
    fill: pb.FillHeader, filled: Answer, caller: Caller, other_caller: Caller
) -> None:
    for candidate in filled.candidates:
        source = recipe_source(fill, candidate)
        there = other_caller.edit(pb.EditHeader(source=source))
        assert patch_of(there) == candidate.patches[0].fill.data
        assert there.candidates[0].recipe == candidate.recipe
        here = caller.edit(
            pb.EditHeader(
                session_id=filled.session_id, index=candidate.index, edits=edits(warmer=3)
            )
        )
        edited = other_caller.edit(pb.EditHeader(source=source, edits=edits(warmer=3)))
        assert patch_of(edited) == patch_of(here)


@pytest.mark.parametrize("mixes", [False, True])
def test_a_change_is_blended_alike_wherever_it_is_made(
    caller: Caller, other_caller: Caller, mixes: bool
) -> None:
    """Blending is fitted to the unchanged candidate, which a session has and a recipe has not."""
    fill = header(crop=smooth(48, 40), seeds=[1, 2], variants=[pb.Variant(edits=edits(warmer=2))])
    filled = caller.fill(fill)
    plain, variant, other = filled.candidates[:3]
    change: dict[str, Any] = {"edits": edits(warmer=2)}
    if mixes:
        change["mixing"] = pb.Mixing(recipe=other.recipe, amount=0.5)
    here = caller.edit(pb.EditHeader(session_id=filled.session_id, **change))
    if not mixes:
        assert patch_of(here) == variant.patches[0].fill.data
    source = recipe_source(fill, plain)
    assert patch_of(other_caller.edit(pb.EditHeader(source=source, **change))) == patch_of(here)
    (changed,) = here.candidates
    source = recipe_source(fill, changed)
    source.attachment = plain.attachment
    again = other_caller.edit(pb.EditHeader(source=source, edits=edits(warmer=2)))
    assert patch_of(again) == patch_of(here)


def test_a_mixed_recipe_is_sent_too(
    fill: pb.FillHeader, filled: Answer, caller: Caller, other_caller: Caller
) -> None:
    mixing = pb.Mixing(recipe=filled.candidates[1].recipe, amount=0.5)
    mixed = caller.edit(pb.EditHeader(session_id=filled.session_id, mixing=mixing))
    there = other_caller.edit(pb.EditHeader(source=recipe_source(fill, mixed.candidates[0])))
    assert patch_of(there) == patch_of(mixed)


def test_the_source_opens_a_new_session(
    fill: pb.FillHeader, filled: Answer, other_caller: Caller
) -> None:
    source = recipe_source(fill, filled.candidates[2])
    opened = other_caller.edit(pb.EditHeader(source=source))
    again = other_caller.edit(pb.EditHeader(session_id=opened.session_id, edits=edits(warmer=1)))
    direct = other_caller.edit(pb.EditHeader(source=source, edits=edits(warmer=1)))
    assert patch_of(again) == patch_of(direct) != patch_of(opened)


def test_the_source_helps_when_the_session_is_gone(
    fill: pb.FillHeader, filled: Answer, other_caller: Caller
) -> None:
    source = recipe_source(fill, filled.candidates[0])
    answer = other_caller.edit(pb.EditHeader(session_id=filled.session_id, source=source))
    assert patch_of(answer) == filled.candidates[0].patches[0].fill.data


def test_a_recipe_without_an_image_is_composited_over_its_attachment(
    filled: Answer, caller: Caller
) -> None:
    candidate = filled.candidates[0]
    source = pb.RecipeSource(recipe=candidate.recipe, attachment=candidate.attachment)
    answer = caller.edit(pb.EditHeader(source=source, blending=RAW))
    (patch,) = answer.candidates[0].patches
    assert patch.fill.channels == 3
    assert answer.frames[0].frame == pb.Frame(cx=16, cy=16, side=32)
    assert patch.box.width <= 32


def test_holes_far_apart_are_made_again(caller: Caller, other_caller: Caller) -> None:
    hole = np.zeros((60, 600), np.uint8)
    hole[20:40, 10:30] = hole[20:40, 560:580] = hole[42:46, 565:575] = 255
    fill = header(noise(600, 60), hole, seeds=[4], blending=RAW)
    (candidate,) = caller.fill(fill).candidates
    there = other_caller.edit(pb.EditHeader(source=recipe_source(fill, candidate)))
    assert len(candidate.patches) == 2
    assert list(there.candidates[0].patches) == list(candidate.patches)


@pytest.mark.parametrize("mode", [pb.FRAME_MODE_AUTO, pb.FRAME_MODE_BOX, pb.FRAME_MODE_EXPLICIT])
@pytest.mark.parametrize("sample_type", [pb.SAMPLE_TYPE_U8, pb.SAMPLE_TYPE_F16])
def test_soft_selections_and_many_groups_are_blended_the_same_elsewhere(
    caller: Caller, other_caller: Caller, mode: pb.FrameMode, sample_type: pb.SampleType
) -> None:
    """With all blending enabled, which uses the known pixels around the entire selection."""
    y, x = np.mgrid[:200, :500]
    hole = np.zeros((200, 500), np.uint8)
    spots = [(60, 60, 40), (110, 120, 15), (300, 90, 30), (345, 90, 12), (450, 150, 9)]
    for cx, cy, radius in spots:
        distance = np.hypot(x - cx, y - cy) / radius
        hole = np.maximum(hole, (255 * np.clip(2 - 2 * distance, 0, 1)).astype(np.uint8))
    fill = header(
        noise(500, 200, 4, sample_type),
        hole,
        at=(30, 20),
        document=(600, 250),
        seeds=[5],
        frame_mode=mode,
        frame=pb.Frame(cx=200, cy=110, side=300, angle=12),
        edits=edits(warmer=1.5),
        variants=[pb.Variant(edits=edits(brighter=-1))],
        blending=pb.Blending(feather_px=3),
    )
    answer = caller.fill(fill)
    assert len(answer.frames) == 1 if mode == pb.FRAME_MODE_EXPLICIT else len(answer.frames) > 2
    attachment = answer.candidates[0].attachment
    for candidate in answer.candidates:
        source = recipe_source(fill, candidate)
        source.attachment = attachment  # variants share it
        (there,) = other_caller.edit(
            pb.EditHeader(source=source, edits=_edits_of(candidate))
        ).candidates
        assert list(there.patches) == list(candidate.patches)
        assert there.recipe == candidate.recipe


def _edits_of(candidate: pb.Candidate) -> list[pb.Edit]:
    return edits(**json.loads(candidate.recipe)["edits"])


def test_other_blending_and_another_sample_type(caller: Caller, filled: Answer) -> None:
    answer = caller.edit(
        pb.EditHeader(
            session_id=filled.session_id,
            blending=pb.Blending(feather_px=4.0),
            output_sample_type=pb.SAMPLE_TYPE_F32,
        )
    )
    candidate = answer.candidates[0]
    assert pixels_of(candidate.patches[0].fill).dtype == np.float32
    assert json.loads(candidate.recipe)["blending"]["feather_px"] == 4.0


def test_detail_is_on_by_default_and_a_recipe_keeps_what_it_was_made_with(caller: Caller) -> None:
    def blending(candidate: pb.Candidate) -> dict[str, object]:
        kept: dict[str, object] = json.loads(candidate.recipe)["blending"]
        return kept

    (default,) = caller.fill(header(seeds=[1])).candidates
    assert blending(default)["detail"] is True
    fill = header(seeds=[1], blending=pb.Blending(detail=False))
    (plain,) = caller.fill(fill).candidates
    assert blending(plain) == {**blending(default), "detail": False}
    source = recipe_source(fill, plain)
    (again,) = caller.edit(pb.EditHeader(source=source)).candidates
    assert blending(again) == blending(plain)
    detailed = pb.EditHeader(source=source, blending=pb.Blending(detail=True))
    assert blending(caller.edit(detailed).candidates[0]) == blending(default)
    older = json.loads(plain.recipe)
    del older["blending"]["detail"]
    source.recipe = json.dumps(older)
    (again,) = caller.edit(pb.EditHeader(source=source)).candidates
    assert blending(again) == blending(plain)


def test_a_candidate_that_does_not_exist(caller: Caller, filled: Answer) -> None:
    with pytest.raises(grpc.RpcError) as raised:
        caller.edit(pb.EditHeader(session_id=filled.session_id, index=3))
    assert raised.value.code() == grpc.StatusCode.NOT_FOUND
    assert "0, 1, 2" in str(raised.value.details())


@pytest.mark.slow
def test_an_unloaded_model_comes_back_for_an_edit(caller: Caller, filled: Answer) -> None:
    def call(method: Any, request: Any) -> Any:
        return method(request, metadata=caller.metadata)

    assert call(caller.stub.UnloadModel, pb.UnloadModelRequest(name="tiny")).was_loaded
    assert not call(caller.stub.UnloadModel, pb.UnloadModelRequest(name="tiny")).was_loaded
    assert not caller.info().models[0].loaded
    again = caller.edit(pb.EditHeader(session_id=filled.session_id, index=1))
    assert patch_of(again) == filled.candidates[1].patches[0].fill.data
    assert call(caller.stub.LoadModel, pb.LoadModelRequest(name="tiny")).model.loaded
