"""Hostile and inconsistent requests: a status that says why, and a daemon that goes on.

`make fuzz` runs more than 10,000 cases, the tests a few hundred (FUZZ_EXAMPLES of each kind).
"""

from __future__ import annotations

import json
import os
from typing import Any

import grpc
import numpy as np
import pytest
from daemons import (
    DTYPES,
    Answer,
    Caller,
    DaemonProcess,
    header,
    image,
    noise,
    pixels_of,
    recipe_source,
)
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from inpaint_protos.v1 import inpaint_pb2 as pb

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "60"))
REFUSALS = {
    grpc.StatusCode.INVALID_ARGUMENT,
    grpc.StatusCode.NOT_FOUND,
    grpc.StatusCode.RESOURCE_EXHAUSTED,
    grpc.StatusCode.FAILED_PRECONDITION,
}

hostile = settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.explicit, Phase.generate],
)

uint32 = st.one_of(st.integers(0, 9), st.sampled_from([8192, 8193, 2**31, 2**32 - 1]))
int32 = st.one_of(st.integers(-3, 60), st.sampled_from([-(2**31), 2**31 - 1]))
numbers = st.one_of(st.floats(-4, 4), st.floats(), st.sampled_from([0.0, 1.0, 1e300]))
enums: st.SearchStrategy[Any] = st.integers(0, 5)  # numbers that no enum has, too
sides = st.integers(1, 40)

images = st.builds(
    pb.Picture,
    width=uint32,
    height=uint32,
    channels=st.integers(0, 5),
    sample_type=enums,
    transfer=enums,
    data=st.binary(max_size=64),
)
edits = st.lists(
    st.builds(
        pb.Edit, name=st.sampled_from(["brighter", "warmer", "", "smile", "\0"]), value=numbers
    ),
    max_size=3,
)
frames = st.builds(pb.Frame, cx=numbers, cy=numbers, side=numbers, angle=numbers)
boxes = st.builds(pb.Box, x=int32, y=int32, width=uint32, height=uint32)
sizes = st.builds(pb.Size, width=uint32, height=uint32)
blendings = st.builds(
    pb.Blending,
    colour_match=st.booleans(),
    feather_px=numbers,
    grain=st.booleans(),
    detail=st.booleans(),
)


def refused_or_filled(call: Any) -> Answer | None:
    try:
        answer: Answer = call()
    except grpc.RpcError as refusal:
        if refusal.code() not in REFUSALS or not 5 < len(str(refusal.details())) < 1000:
            raise
        return None
    return answer


@st.composite
def good_headers(draw: st.DrawFn) -> pb.FillHeader:
    """Consistent images of any kind, with any selection."""
    width, height = draw(sides), draw(sides)
    crop = noise(width, height, draw(st.sampled_from([1, 3, 4])), draw(st.sampled_from([*DTYPES])))
    rng = np.random.default_rng(draw(st.integers(0, 99)))
    hole = (rng.random((height, width)) < draw(st.floats(0, 1))) * np.uint8(
        draw(st.integers(1, 255))
    )
    x, y = draw(st.integers(0, 50)), draw(st.integers(0, 50))
    return header(
        crop,
        hole.astype(np.uint8),
        linear=draw(st.booleans()),
        at=(x, y),
        document=(x + width + draw(st.integers(0, 50)), y + height + draw(st.integers(0, 50))),
        seeds=draw(st.lists(st.integers(0, 2**32 - 1), max_size=2)),
        truncation_psi=draw(st.floats(0, 1)),
    )


@hostile
@given(fill=good_headers())
def test_consistent_requests_are_filled(caller: Caller, fill: pb.FillHeader) -> None:
    hole = pixels_of(fill.hole)[..., 0]
    if not hole.any():
        assert refused_or_filled(lambda: caller.fill(fill)) is None
        return
    answer = caller.fill(fill)
    document = pixels_of(fill.crop)
    for candidate in answer.candidates:
        for patch in candidate.patches:
            x, y = patch.box.x - fill.crop_box.x, patch.box.y - fill.crop_box.y
            part = document[y : y + patch.box.height, x : x + patch.box.width]
            outside = pixels_of(patch.coverage)[..., 0] == 0
            assert pixels_of(patch.fill)[outside].tobytes() == part[outside].tobytes()


@hostile
@given(fill=good_headers(), data=st.data())
def test_one_wrong_field_is_refused_or_harmless(
    caller: Caller, fill: pb.FillHeader, data: st.DataObject
) -> None:
    field, value = data.draw(
        st.one_of(
            st.tuples(st.sampled_from(["crop", "hole", "overview"]), images),
            st.tuples(st.just("crop_box"), boxes),
            st.tuples(st.just("document"), sizes),
            st.tuples(st.just("frame"), frames),
            st.tuples(st.just("blending"), blendings),
        )
    )
    getattr(fill, field).CopyFrom(value)
    if field == "frame":
        fill.frame_mode = pb.FRAME_MODE_EXPLICIT
    refused_or_filled(lambda: caller.fill(fill))


@hostile
@given(
    fields=st.fixed_dictionaries(
        {},
        optional={
            "crop": images,
            "hole": images,
            "overview": images,
            "crop_box": boxes,
            "document": sizes,
            "model": st.sampled_from(["", "tiny", "../tiny", "\0", "x" * 1000]),
            "seeds": st.lists(uint32, max_size=80),
            "count": uint32,
            "truncation_psi": numbers,
            "edits": edits,
            "frame_mode": enums,
            "frame": frames,
            "blending": blendings,
            "output_sample_type": enums,
        },
    )
)
def test_arbitrary_headers(caller: Caller, fields: dict[str, Any]) -> None:
    refused_or_filled(lambda: caller.fill(pb.FillHeader(**fields)))


@hostile
@given(
    fill=good_headers(),
    pieces=st.lists(st.tuples(enums, st.binary(max_size=300)), max_size=6),
)
def test_arbitrary_chunks(
    caller: Caller, fill: pb.FillHeader, pieces: list[tuple[Any, bytes]]
) -> None:
    fill.crop.data = fill.hole.data = b""
    requests = [pb.FillRequest(header=fill)] + [
        pb.FillRequest(chunk=pb.Chunk(target=target, data=data)) for target, data in pieces
    ]
    refused_or_filled(lambda: caller.fill(requests))


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=8,
)


@pytest.fixture(scope="module")
def filled(daemon: DaemonProcess) -> tuple[pb.FillHeader, pb.Candidate]:
    fill = header(seeds=[1])
    with daemon.caller() as caller:
        return fill, caller.fill(fill).candidates[0]


@hostile
@given(data=st.data())
def test_recipes_with_any_value_replaced(
    caller: Caller, filled: tuple[pb.FillHeader, pb.Candidate], data: st.DataObject
) -> None:
    fill, candidate = filled
    recipe = json.loads(candidate.recipe)
    target = recipe["groups"][0] if data.draw(st.booleans()) else recipe
    key = data.draw(st.sampled_from(sorted(target)))
    target[key] = data.draw(json_values)
    source = recipe_source(fill, candidate)
    source.recipe = json.dumps(recipe)
    attachment = bytearray(source.attachment)
    for position in data.draw(st.lists(st.integers(0, len(attachment) - 1), max_size=2)):
        attachment[position] ^= 0xFF
    source.attachment = bytes(attachment)
    if data.draw(st.booleans()):
        source.ClearField("crop")
        source.ClearField("hole")
    mixing = pb.Mixing(recipe=source.recipe, levels=[data.draw(enums)], amount=data.draw(numbers))
    refused_or_filled(lambda: caller.edit(pb.EditHeader(source=source)))
    good = recipe_source(fill, candidate)
    refused_or_filled(lambda: caller.edit(pb.EditHeader(source=good, mixing=mixing)))


@hostile
@given(data=st.data())
def test_arbitrary_images_to_mix(
    caller: Caller, filled: tuple[pb.FillHeader, pb.Candidate], data: st.DataObject
) -> None:
    shown = data.draw(st.builds(image, st.builds(noise, st.integers(1, 40), st.integers(1, 40))))
    x, y = data.draw(st.tuples(st.integers(-(2**31), 2**31 - 1), st.integers(-60, 60)))
    width, height = data.draw(st.tuples(st.integers(0, 2**32 - 1), st.integers(0, 100)))
    mixing = pb.Mixing(
        picture=shown,
        picture_box=pb.Box(x=x, y=y, width=width, height=height),
        levels=data.draw(st.lists(enums, max_size=2)),
        amount=data.draw(numbers),
    )
    source = recipe_source(*filled)
    refused_or_filled(lambda: caller.edit(pb.EditHeader(source=source, mixing=mixing)))


@hostile
@given(message=st.binary(max_size=200))
def test_bytes_that_are_no_message(caller: Caller, message: bytes) -> None:
    call: Any = caller.channel.stream_stream("/inpaint.v1.Inpaint/Fill")
    try:
        list(call(iter([message]), metadata=caller.metadata, timeout=60))
    except grpc.RpcError as refusal:
        if refusal.code() not in REFUSALS:
            raise


def test_after_all_that_it_still_fills(caller: Caller) -> None:
    assert len(caller.fill(header(seeds=[1])).candidates) == 1
    assert caller.info().queue_length == 0
