"""Bytes that are no message, in any call and at any place of a stream: INVALID_ARGUMENT, a code.

The calls are made with bytes, as a client of another make would send them.
"""

from __future__ import annotations

import base64
import json
import os
import struct
import threading
from collections.abc import Callable, Iterator
from typing import Any

import grpc
import pytest
from daemons import Caller, header, image, noise, recipe_source
from grpc_health.v1 import health_pb2
from grpc_reflection.v1alpha import reflection_pb2
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from inpaint_protos.sentences import DOMAIN, ERROR_INFO, ERRORS, RETRY_INFO
from inpaint_protos.status.v1 import status_pb2
from inpaint_protos.v1 import inpaint_pb2 as pb
from inpaint_server.config import ServerConfig
from inpaint_server.wire.limits import limits_message

hostile = settings(
    max_examples=3 * int(os.environ.get("FUZZ_EXAMPLES", "60")),
    deadline=None,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.explicit, Phase.generate],
)
INPAINT = "/inpaint.v1.Inpaint/"
HEALTH = "/grpc.health.v1.Health/"
REFLECTION = "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo"
Code = grpc.StatusCode
REFUSALS = {
    Code.INVALID_ARGUMENT,
    Code.NOT_FOUND,
    Code.RESOURCE_EXHAUSTED,
    Code.FAILED_PRECONDITION,
}


def call(caller: Caller, method: str, *messages: bytes) -> list[bytes]:
    """The answers to a call whose messages are these bytes; on the wire all calls are alike."""
    stream: Any = caller.channel.stream_stream(method)
    return list(stream(iter(messages), metadata=caller.metadata, timeout=60))


def details_of(error: Any) -> status_pb2.Status:
    trailer = dict(error.trailing_metadata())
    return status_pb2.Status.FromString(trailer["grpc-status-details-bin"])


def reason_of(error: grpc.RpcError) -> str:
    """The code of a refusal, which every one must have."""
    first = details_of(error).details[0]
    assert first.type_url == ERROR_INFO
    info = status_pb2.ErrorInfo.FromString(first.value)
    assert info.domain == DOMAIN
    assert info.reason in ERRORS
    return str(info.reason)


def chunked() -> bytes:
    bare = header(seeds=[1])
    bare.crop.data = bare.hole.data = b""
    return pb.FillRequest(header=bare).SerializeToString()


@pytest.mark.parametrize(
    ("method", "before"),
    [
        (INPAINT + "Info", 0),
        (INPAINT + "LoadModel", 0),
        (INPAINT + "UnloadModel", 0),
        (INPAINT + "Edit", 0),
        (INPAINT + "Fill", 0),
        (INPAINT + "Fill", 1),
        (INPAINT + "Fill", 2),
        (HEALTH + "Check", 0),
        (HEALTH + "Watch", 0),
        (REFLECTION, 0),
        (REFLECTION, 1),
    ],
)
def test_bytes_that_are_no_message(caller: Caller, method: str, before: int) -> None:
    chunk = pb.Chunk(target=pb.Chunk.TARGET_CROP, data=b"123")
    good = [chunked(), pb.FillRequest(chunk=chunk).SerializeToString()]
    if method == REFLECTION:
        good = [reflection_pb2.ServerReflectionRequest(list_services="").SerializeToString()]
    with pytest.raises(grpc.RpcError) as raised:
        call(caller, method, *good[:before], b"\x0a\xff")
    assert raised.value.code() == Code.INVALID_ARGUMENT
    assert reason_of(raised.value) == "MALFORMED_MESSAGE"


@pytest.mark.parametrize("method", ["Info", "LoadModel", "UnloadModel"])
def test_a_call_without_its_message(caller: Caller, method: str) -> None:
    with pytest.raises(grpc.RpcError) as raised:
        call(caller, INPAINT + method)
    assert raised.value.code() == Code.INVALID_ARGUMENT
    assert reason_of(raised.value) == "INVALID_FIELD"


def test_an_unknown_method_has_a_code(caller: Caller) -> None:
    with pytest.raises(grpc.RpcError) as raised:
        call(caller, INPAINT + "Paint", b"")
    assert raised.value.code() == Code.UNIMPLEMENTED
    assert reason_of(raised.value) == "UNKNOWN_METHOD"


def test_a_wrong_token_has_a_code_before_any_message(caller: Caller) -> None:
    for metadata, reason in ((), "TOKEN_MISSING"), ((("authorization", "x"),), "TOKEN_WRONG"):
        for method in (INPAINT + "Info", INPAINT + "Fill", INPAINT + "Paint", REFLECTION):
            stream: Any = caller.channel.stream_stream(method)
            answers = stream(never(), metadata=metadata, timeout=60)
            with pytest.raises(grpc.RpcError) as raised:
                list(answers)
            assert raised.value.code() == Code.UNAUTHENTICATED
            assert reason_of(raised.value) == reason


def never() -> Iterator[bytes]:
    """Messages that do not come."""
    threading.Event().wait(60)
    yield b""


# ---------------------------------------------------------------------------------------------
# Good messages with bytes changed

MESSAGES: dict[str, Callable[[], bytes]] = {
    "Info": lambda: pb.InfoRequest().SerializeToString(),
    "LoadModel": lambda: pb.LoadModelRequest(name="tiny").SerializeToString(),
    "Fill": lambda: pb.FillRequest(header=full_header()).SerializeToString(),
    "Edit": lambda: pb.EditRequest(header=full_edit()).SerializeToString(),
}


def full_header() -> pb.FillHeader:
    """A header in which every field has a value."""
    fill = header(noise(12, 9), seeds=[1], truncation_psi=0.5, frame_mode=pb.FRAME_MODE_EXPLICIT)
    fill.frame.CopyFrom(pb.Frame(cx=6, cy=5, side=12, angle=3))
    fill.edits.add(name="warmer", value=1.0)
    fill.variants.add().edits.add(name="brighter", value=-1.0)
    fill.overview.CopyFrom(image(noise(12, 9)))
    fill.context.CopyFrom(image(noise(6, 4)))
    fill.context_box.CopyFrom(pb.Box(width=12, height=9))
    blending = pb.Blending(colour_match=True, gradient=True, feather_px=2, grain=True, detail=True)
    fill.blending.CopyFrom(blending)
    fill.model, fill.output_sample_type = "tiny", pb.SAMPLE_TYPE_U16
    fill.smooth, fill.accepts_chunks = pb.SMOOTH_FILL_ALWAYS, True
    return fill


RECIPE = {
    "format": 1, "model": "tiny", "weights_sha256": "0" * 64, "generator_sha256": "1" * 64,
    "seed": 7, "truncation_psi": 0.8, "edits": {"warmer": 1.5}, "mixing": None,
    "document": [12, 9], "box": [3, 2, 6, 5],
    "blending": {
        "colour_match": True, "gradient": True, "feather_px": 0.0, "grain": True, "detail": True,
    },
    "groups": [{"frame": [6, 5, 12, 0], "box": [3, 2, 6, 5], "whole": True, "ws_out": None}],
}  # fmt: skip


def full_edit() -> pb.EditHeader:
    fill = full_header()
    source = pb.RecipeSource(
        recipe=json.dumps(RECIPE), attachment=b"PNG", crop=fill.crop, hole=fill.hole,
        crop_box=fill.crop_box, document=fill.document,
    )  # fmt: skip
    levels = [pb.STYLE_LEVEL_STRUCTURE, pb.STYLE_LEVEL_FEATURES]
    mixing = pb.Mixing(amount=0.5, picture=image(noise(4, 4)), levels=levels)
    mixing.picture_box.CopyFrom(pb.Box(width=8, height=8))
    return pb.EditHeader(
        session_id="gone", source=source, edits=fill.edits, truncation_psi=0.5, seed=3,
        mixing=mixing, blending=fill.blending, output_sample_type=pb.SAMPLE_TYPE_U8,
    )  # fmt: skip


@st.composite
def mutated(draw: st.DrawFn, good: bytes) -> bytes:
    """Bytes of a message, some of them changed, cut out or put in."""
    data = bytearray(good)
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(data)))
        count = draw(st.integers(0, 4))
        data[start : start + count] = draw(
            st.one_of(
                st.binary(max_size=5),
                st.sampled_from([b"\xff" * 10, b"\x80\x80\x01", b"\xff\xff\xff\xff\x0f"]),
                st.sampled_from([-0.0, 3.4e38, float("nan"), float("inf"), 1e-45]).map(
                    lambda value: struct.pack("<f", value)
                ),
            )
        )
    return bytes(data)


@hostile
@given(name=st.sampled_from(sorted(MESSAGES)), data=st.data())
def test_mutated_messages_get_a_status_with_a_code(
    caller: Caller, name: str, data: st.DataObject
) -> None:
    message = data.draw(mutated(MESSAGES[name]()))
    try:
        call(caller, INPAINT + name, message)
    except grpc.RpcError as error:
        if error.code() not in REFUSALS:
            raise
        reason_of(error)


def test_the_message_that_is_mutated_is_a_good_one(caller: Caller) -> None:
    fill = MESSAGES["Fill"]()
    assert call(caller, INPAINT + "Fill", fill)
    with pytest.raises(grpc.RpcError) as raised:
        call(caller, INPAINT + "Edit", MESSAGES["Edit"]())
    assert reason_of(raised.value) == "RECIPE_OF_OTHER_MODEL"  # every other value was accepted


# ---------------------------------------------------------------------------------------------
# Hostile recipes

FLOATS = [3.4e38, -3.4e38, 1e20, 1.0001e4, float("nan"), float("inf"), -float("inf")]


@pytest.mark.parametrize("value", FLOATS)
@pytest.mark.parametrize("count", [1, 128])
def test_codes_beyond_all_measure(caller: Caller, value: float, count: int) -> None:
    fill = header(seeds=[1])
    candidate = caller.fill(fill).candidates[0]
    recipe = json.loads(candidate.recipe)
    codes = bytearray(base64.b64decode(recipe["groups"][0]["ws_out"]))
    codes[: 4 * count] = struct.pack("<f", value) * count
    recipe["groups"][0]["ws_out"] = base64.b64encode(codes).decode()
    source = recipe_source(fill, candidate)
    source.recipe = json.dumps(recipe)
    mixing = pb.Mixing(recipe=source.recipe, amount=0.5)
    for edit in (
        pb.EditHeader(source=source),
        pb.EditHeader(source=recipe_source(fill, candidate), mixing=mixing),
    ):
        with pytest.raises(grpc.RpcError) as raised:
            caller.edit(edit)
        assert raised.value.code() == Code.INVALID_ARGUMENT
        assert reason_of(raised.value) == "UNUSABLE_RECIPE"


@pytest.mark.parametrize("value", [1e4, -1e4, 1e-45, -0.0, 1e-38])
def test_codes_at_the_edge_are_rendered(caller: Caller, value: float) -> None:
    fill = header(seeds=[1])
    candidate = caller.fill(fill).candidates[0]
    recipe = json.loads(candidate.recipe)
    codes = base64.b64decode(recipe["groups"][0]["ws_out"])
    recipe["groups"][0]["ws_out"] = base64.b64encode(
        struct.pack("<f", value) * (len(codes) // 4)
    ).decode()
    source = recipe_source(fill, candidate)
    source.recipe = json.dumps(recipe)
    assert len(caller.edit(pb.EditHeader(source=source)).candidates) == 1


@pytest.mark.parametrize(
    "text",
    [
        '{"format": 1, "seed": ' + "9" * 5000 + "}",
        '{"format": 1, "seed": 1e999}',
        '{"a":' * 20000 + "1" + "}" * 20000,
        "\ud83d\ude00".encode("utf-16", "surrogatepass").decode("utf-16") * 16385,
        '{"format": 1, "edits": {' + ",".join(f'"{k}": 1' for k in range(5000)) + "}}",
    ],
    ids=["digits", "infinity", "depth", "bytes", "map"],
)
def test_recipes_that_are_bombs(caller: Caller, text: str) -> None:
    source = pb.RecipeSource(recipe=text, attachment=b"1")
    with pytest.raises(grpc.RpcError) as raised:
        caller.edit(pb.EditHeader(source=source))
    assert raised.value.code() == Code.INVALID_ARGUMENT
    assert reason_of(raised.value) == "UNUSABLE_RECIPE"


def test_long_names_come_back_cut(caller: Caller) -> None:
    """The status of a call must fit into 8 KiB, where clients stop reading it."""
    name = "\U0001f600" * 100_000
    for fill in (
        header(model=name),
        header(edits=[pb.Edit(name=name)] * 2),
        header(edits=[pb.Edit(name=name)]),
    ):
        with pytest.raises(grpc.RpcError) as raised:
            caller.fill(fill)
        assert raised.value.code() in REFUSALS
        assert len(str(raised.value.details()).encode()) <= 1000
        reason_of(raised.value)


# ---------------------------------------------------------------------------------------------
# Room


def fill_the_queue(caller: Caller) -> list[Any]:
    """Start fills until one is refused, and return those that run or wait.

    The worker is busy with the first one before the others start. Otherwise it might become free
    from its warm-up afterwards, and the queue would have room again.
    """
    first = caller.start_fill(header(seeds=[1], count=20))
    assert any(event.WhichOneof("event") == "candidate" for event in first)
    started = [first]
    while len(started) < 5:
        running = caller.start_fill(header(seeds=[1], count=20))
        try:
            next(running)
        except grpc.RpcError:
            return started
        started.append(running)
    raise AssertionError("the queue has no end")


def test_a_full_queue_is_reported_before_the_upload_with_a_delay(slow_caller: Caller) -> None:
    started = fill_the_queue(slow_caller)
    stream: Any = slow_caller.channel.stream_stream(INPAINT + "Fill")

    def only_header() -> Iterator[bytes]:
        yield chunked()
        yield from never()

    with pytest.raises(grpc.RpcError) as raised:
        list(stream(only_header(), metadata=slow_caller.metadata, timeout=20))
    for running in started:
        running.cancel()
    assert raised.value.code() == Code.RESOURCE_EXHAUSTED
    assert reason_of(raised.value) == "QUEUE_FULL"
    retry = details_of(raised.value).details[1]
    assert retry.type_url == RETRY_INFO
    delay = status_pb2.RetryInfo.FromString(retry.value).retry_delay
    assert 0 < delay.seconds + delay.nanos / 1e9 <= 10


def test_chunks_are_limited_as_in_the_contract(caller: Caller) -> None:
    bare = header(noise(2000, 1500), seeds=[1])
    bare.crop.data = bare.hole.data = b""
    chunk = pb.Chunk(target=pb.Chunk.TARGET_CROP, data=bytes((4 << 20) + 1))
    with pytest.raises(grpc.RpcError) as raised:
        caller.fill([pb.FillRequest(header=bare), pb.FillRequest(chunk=chunk)])
    assert raised.value.code() == Code.INVALID_ARGUMENT
    assert "chunk.data: has 4194305 bytes" in str(raised.value.details())


@pytest.mark.parametrize("more", ["chunk", "header", "empty", "no message"])
def test_messages_after_the_complete_request_are_refused(slow_caller: Caller, more: str) -> None:
    """While it is answered; the session stays, and so does the daemon."""
    good = header(seeds=[1], count=20)
    late = {
        "chunk": pb.FillRequest(chunk=pb.Chunk(target=pb.Chunk.TARGET_CROP, data=b"1")),
        "header": pb.FillRequest(header=good),
        "empty": pb.FillRequest(),
    }
    extra = late[more].SerializeToString() if more in late else b"\xff"
    with pytest.raises(grpc.RpcError) as raised:
        call(slow_caller, INPAINT + "Fill", pb.FillRequest(header=good).SerializeToString(), extra)
    assert raised.value.code() == Code.INVALID_ARGUMENT
    assert reason_of(raised.value) == ("INVALID_FIELD" if more in late else "MALFORMED_MESSAGE")
    session = slow_caller.fill(header(seeds=[1])).session_id
    edit = pb.EditRequest(header=pb.EditHeader(session_id=session)).SerializeToString()
    with pytest.raises(grpc.RpcError) as raised:
        call(slow_caller, INPAINT + "Edit", edit, extra)
    assert raised.value.code() == Code.INVALID_ARGUMENT


def test_a_client_need_not_end_its_stream(caller: Caller) -> None:
    stream: Any = caller.channel.stream_stream(INPAINT + "Fill")

    def open_end() -> Iterator[bytes]:
        yield pb.FillRequest(header=header(seeds=[1])).SerializeToString()
        yield from never()

    answers = stream(open_end(), metadata=caller.metadata, timeout=60)
    events = [pb.FillEvent.FromString(answer) for answer in answers]
    assert events[-1].WhichOneof("event") == "done"


def test_info_reports_every_limit(caller: Caller) -> None:
    limits = caller.info().limits
    assert limits.max_pending_bytes > 1 << 20  # by what this machine has free
    assert limits == limits_message(ServerConfig(), limits.max_pending_bytes)
    untold = [f.name for f in pb.Limits.DESCRIPTOR.fields if not getattr(limits, f.name)]
    assert untold == []


def test_watches_of_the_health_are_no_calls(caller: Caller) -> None:
    """More of them than there may be calls; the daemon still fills."""
    request = health_pb2.HealthCheckRequest()
    watches = [
        caller.health.Watch(request, metadata=caller.metadata, timeout=60) for _ in range(600)
    ]
    for watch in watches:
        next(watch)
    assert len(caller.fill(header(seeds=[1])).candidates) == 1
    for watch in watches:
        watch.cancel()
