"""The smooth candidate over the wire: asked for, forbidden, and made again."""

from __future__ import annotations

import json

import grpc
import numpy as np
import pytest
from daemons import Caller, header, noise, pixels_of, recipe_source
from inpaint_protos.v1 import inpaint_pb2 as pb

AUTO, ALWAYS, NEVER = pb.SMOOTH_FILL_AUTO, pb.SMOOTH_FILL_ALWAYS, pb.SMOOTH_FILL_NEVER
FRAME = pb.Frame(cx=24, cy=20, side=60)  # the hole's side is 24, far over a tenth of it


def small_hole() -> np.ndarray:
    hole = np.zeros((40, 48), np.uint8)
    hole[18:22, 22:26] = 255
    return hole


@pytest.mark.parametrize(
    ("smooth", "small", "mode", "offered"),
    [
        (pb.SMOOTH_FILL_UNSPECIFIED, True, pb.FRAME_MODE_BOX, False),  # an older client
        (NEVER, True, pb.FRAME_MODE_BOX, False),
        (AUTO, False, pb.FRAME_MODE_EXPLICIT, False),
        (AUTO, True, pb.FRAME_MODE_EXPLICIT, True),
        (AUTO, False, pb.FRAME_MODE_AUTO, True),  # this model finds no frames
        (ALWAYS, False, pb.FRAME_MODE_EXPLICIT, True),
    ],
)
def test_it_is_offered_as_the_last_candidate_where_it_should_be(
    caller: Caller, smooth: pb.SmoothFill, small: bool, mode: pb.FrameMode, offered: bool
) -> None:
    hole = small_hole() if small else None
    answer = caller.fill(
        header(hole=hole, seeds=[7, 8], smooth=smooth, frame_mode=mode, frame=FRAME)
    )
    total = 3 if offered else 2
    assert answer.progress == [(k, total) for k in range(total + 1)]
    said = answer.frames[0].warning.endswith(
        "The last candidate is a smooth fill, made without the model."
    )
    assert said == offered
    methods = [candidate.method for candidate in answer.candidates]
    assert methods == [pb.METHOD_MODEL] * 2 + [pb.METHOD_SMOOTH] * offered
    assert [candidate.index for candidate in answer.candidates] == list(range(total))
    if offered:
        last = answer.candidates[-1]
        assert (last.seed, last.variant) == (0, -1)
        assert last.attachment == answer.candidates[0].attachment
        assert json.loads(last.recipe)["method"] == "smooth"


def test_it_continues_what_is_around_the_hole(caller: Caller) -> None:
    crop = np.full((40, 48, 3), (200, 120, 60), np.uint8)
    crop[18:22, 22:26] = 0
    candidate = caller.fill(header(crop, small_hole(), smooth=ALWAYS)).candidates[-1]
    (patch,) = candidate.patches
    assert np.abs(pixels_of(patch.fill).astype(int) - (200, 120, 60)).max() <= 1
    assert np.array_equal(pixels_of(patch.coverage)[..., 0], small_hole()[18:22, 22:26])


def test_it_comes_again_from_its_session_and_from_its_recipe(caller: Caller) -> None:
    fill = header(noise(48, 40), seeds=[1], smooth=ALWAYS)
    answer = caller.fill(fill)
    smooth = answer.candidates[1]
    (held,) = caller.edit(pb.EditHeader(session_id=answer.session_id, index=1)).candidates
    source = recipe_source(fill, smooth)
    (reopened,) = caller.edit(pb.EditHeader(source=source)).candidates
    assert held.patches == reopened.patches == smooth.patches
    assert held.method == reopened.method == pb.METHOD_SMOOTH
    grainless = pb.Blending(grain=False)
    edit = pb.EditHeader(session_id=answer.session_id, index=1, blending=grainless)
    assert caller.edit(edit).candidates[0].patches != smooth.patches


@pytest.mark.parametrize(
    "change",
    [
        {"edits": [pb.Edit(name="brighter", value=1.0)]},
        {"seed": 5},
        {"truncation_psi": 0.3},
    ],
)
def test_it_cannot_be_edited(caller: Caller, change: dict[str, object]) -> None:
    answer = caller.fill(header(seeds=[1], smooth=ALWAYS))
    edit = pb.EditHeader(session_id=answer.session_id, index=1, **change)  # type: ignore[arg-type]
    with pytest.raises(grpc.RpcError) as refused:
        caller.edit(edit)
    assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert "made without the model and cannot be edited" in str(refused.value.details())


def test_where_nothing_is_left_around_it_is_refused_or_left_out(caller: Caller) -> None:
    everything = np.full((40, 48), 255, np.uint8)
    with pytest.raises(grpc.RpcError) as refused:
        caller.fill(header(hole=everything, smooth=ALWAYS))
    assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert "smooth: A smooth fill needs some image around" in str(refused.value.details())
    answer = caller.fill(header(hole=everything, seeds=[1], smooth=AUTO))
    assert len(answer.candidates) == 1


def test_an_unknown_choice_is_refused(caller: Caller) -> None:
    fill = header()
    fill.smooth = 9  # type: ignore[assignment]
    with pytest.raises(grpc.RpcError) as refused:
        caller.fill(fill)
    assert refused.value.details() == "smooth: must be AUTO, ALWAYS or NEVER"
