"""Every status code, provoked on a real daemon, with a message that names the field."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest
from daemons import (
    Caller,
    DaemonProcess,
    header,
    image,
    noise,
    recipe_source,
)
from eventually import eventually
from grpc_health.v1 import health_pb2
from inpaint_protos.sentences import DOMAIN, ERROR_INFO, ERRORS
from inpaint_protos.status.v1 import status_pb2
from inpaint_protos.v1 import inpaint_pb2 as pb

Code = grpc.StatusCode
U8 = pb.SAMPLE_TYPE_U8


def refused(call: Callable[[], Any], code: Code, *words: str) -> str:
    """Return the details of a call that must fail with `code` and mention `words`."""
    with pytest.raises(grpc.RpcError) as raised:
        call()
    assert raised.value.code() == code, raised.value.details()
    details = str(raised.value.details())
    for word in words:
        assert word in details
    if words:  # what gRPC itself says has no code
        check_reason(raised.value, details)
    return details


def check_reason(error: Any, text: str) -> None:
    """The details carry a code of the catalog, with all that its sentence needs."""
    trailer = dict(error.trailing_metadata())
    status = status_pb2.Status.FromString(trailer["grpc-status-details-bin"])
    assert (status.code, status.message) == (error.code().value[0], text)
    detail = status.details[0]  # a RetryInfo may follow
    assert detail.type_url == ERROR_INFO
    info = status_pb2.ErrorInfo.FromString(detail.value)
    assert info.domain == DOMAIN
    sentence = ERRORS[info.reason].format(**info.metadata)
    assert sentence in text or info.reason in (
        "UNUSABLE_RECIPE",
        "UNSEEN_PICTURE",
        "SMOOTH_IS_FIXED",
        "MIX_OF_OTHER_MODEL",
    )


def changed(**changes: Any) -> pb.FillHeader:
    """A good header with fields set by path: crop__width=3 sets crop.width."""
    fill = header(seeds=[1])
    for path, value in changes.items():
        *parents, last = path.split("__")
        target: Any = fill
        for name in parents:
            target = getattr(target, name)
        setattr(target, last, value)
    return fill


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"crop__width": 0}, ["crop.width", "at least 1"]),
        ({"crop__height": 41}, ["crop.data", "has 5760 bytes"]),
        ({"crop__channels": 2}, ["crop.channels", "1, 3 or 4"]),
        ({"crop__sample_type": 0}, ["crop.sample_type"]),
        ({"crop__sample_type": 77}, ["crop.sample_type"]),
        ({"crop__transfer": 9}, ["crop.transfer"]),
        ({"crop__data": b"123"}, ["crop.data", "has 3 bytes"]),
        ({"hole__channels": 3}, ["hole"]),
        ({"hole__sample_type": pb.SAMPLE_TYPE_U16}, ["hole"]),
        ({"crop_box__width": 47}, ["crop_box", "47"]),
        ({"crop_box__x": 1}, ["crop_box", "extends beyond"]),
        ({"crop_box__y": -1}, ["crop_box", "extends beyond"]),
        ({"document__width": 0}, ["document"]),
        ({"document__width": 2**31}, ["document"]),
        ({"truncation_psi": 1.5}, ["truncation_psi", "1.5"]),
        ({"truncation_psi": math.nan}, ["truncation_psi"]),
        ({"frame_mode": 9}, ["frame_mode"]),
        ({"frame_mode": pb.FRAME_MODE_EXPLICIT}, ["frame", "missing"]),
        ({"frame_mode": pb.FRAME_MODE_EXPLICIT, "frame__side": -1.0}, ["frame.side"]),
        ({"frame_mode": pb.FRAME_MODE_EXPLICIT, "frame__side": math.inf}, ["frame.side"]),
        ({"blending__feather_px": 300.0}, ["feather_px", "256"]),
        ({"output_sample_type": 9}, ["output_sample_type"]),
        ({"count": 65}, ["seeds", "at most 64"]),
    ],
)
def test_invalid_headers(caller: Caller, changes: dict[str, Any], words: list[str]) -> None:
    refused(lambda: caller.fill(changed(**changes)), Code.INVALID_ARGUMENT, *words)


def test_a_frame_that_does_not_overlap_the_hole_is_invalid(caller: Caller) -> None:
    frame = pb.Frame(cx=1000, cy=1000, side=50)
    fill = header(frame_mode=pb.FRAME_MODE_EXPLICIT, frame=frame, document=(2000, 2000))
    refused(lambda: caller.fill(fill), Code.INVALID_ARGUMENT, "hole", "frame")


def test_an_empty_hole_is_invalid(caller: Caller) -> None:
    fill = header(hole=np.zeros((40, 48), np.uint8))
    refused(lambda: caller.fill(fill), Code.INVALID_ARGUMENT, "hole", "empty")


def test_a_hole_of_another_size_is_invalid(caller: Caller) -> None:
    fill = header()
    fill.hole.CopyFrom(header(noise(48, 41)).hole)
    refused(lambda: caller.fill(fill), Code.INVALID_ARGUMENT, "hole.height", "41", "40")


def test_too_many_seeds_variants_and_edits(caller: Caller) -> None:
    refused(lambda: caller.fill(header(seeds=range(65))), Code.INVALID_ARGUMENT, "seeds")
    refused(lambda: caller.fill(header(seeds=[1, 2], count=3)), Code.INVALID_ARGUMENT, "count")
    fill = header(variants=[pb.Variant()] * 65)
    refused(lambda: caller.fill(fill), Code.INVALID_ARGUMENT, "variants")
    twice = header(edits=[pb.Edit(name="warmer", value=1)] * 2)
    refused(lambda: caller.fill(twice), Code.INVALID_ARGUMENT, "edits[1].name", "twice")
    nan = header(edits=[pb.Edit(name="warmer", value=math.nan)])
    refused(lambda: caller.fill(nan), Code.INVALID_ARGUMENT, "edits[0].value")


def test_an_overview_that_is_too_large(caller: Caller) -> None:
    fill = header(overview=header(noise(513, 20)).crop)
    refused(lambda: caller.fill(fill), Code.INVALID_ARGUMENT, "overview", "512")


def test_unknown_names_are_not_found_and_the_known_ones_are_named(caller: Caller) -> None:
    refused(lambda: caller.fill(header(model="cats")), Code.NOT_FOUND, "cats", "tiny")
    fill = header(edits=[pb.Edit(name="smile", value=1)])
    refused(lambda: caller.fill(fill), Code.NOT_FOUND, "smile", "brighter, warmer")
    fill = header(variants=[pb.Variant(edits=[pb.Edit(name="smile", value=1)])])
    refused(lambda: caller.fill(fill), Code.NOT_FOUND, "smile")
    refused(
        lambda: caller.edit(pb.EditHeader(session_id="gone")), Code.NOT_FOUND, "session", "gone"
    )
    for call, request in [
        (caller.stub.LoadModel, pb.LoadModelRequest(name="cats")),
        (caller.stub.UnloadModel, pb.UnloadModelRequest(name="cats")),
    ]:
        refused(partial(call, request, metadata=caller.metadata), Code.NOT_FOUND, "tiny")


def test_what_is_too_large_is_refused_before_it_is_sent(caller: Caller) -> None:
    """The images' bytes are announced and never come: the answer does not wait for them."""
    fill = header()
    fill.crop.data = b""
    for name in ("crop", "hole", "crop_box", "document"):
        getattr(fill, name).width = 8193
    refused(lambda: caller.fill(fill), Code.RESOURCE_EXHAUSTED, "crop.width", "8192")
    for message in (fill.crop, fill.hole, fill.crop_box, fill.document):
        message.width = message.height = 8192
    fill.crop.channels, fill.crop.sample_type = 4, pb.SAMPLE_TYPE_F32
    fill.hole.data = b""
    refused(lambda: caller.fill(fill), Code.RESOURCE_EXHAUSTED, "crop", "536870912")


def test_a_message_beyond_the_limit_is_refused(caller: Caller) -> None:
    fill = header()
    fill.crop.data = bytes(65 << 20)
    refused(lambda: caller.fill(fill), Code.RESOURCE_EXHAUSTED)


def test_requests_in_the_wrong_order(caller: Caller) -> None:
    good = header()
    bare = pb.FillHeader()
    bare.CopyFrom(good)
    bare.crop.data = bare.hole.data = b""
    first = pb.FillRequest(header=bare)

    def chunk(target: Any, data: bytes) -> pb.FillRequest:
        return pb.FillRequest(chunk=pb.Chunk(target=target, data=data))

    crop, hole = pb.Chunk.TARGET_CROP, pb.Chunk.TARGET_HOLE
    cases: list[tuple[list[pb.FillRequest], list[str]]] = [
        ([], ["header"]),
        ([pb.FillRequest()], ["header"]),
        ([chunk(crop, b"123")], ["header"]),
        ([first], ["crop.data", "ends after 0"]),
        ([first, chunk(crop, good.crop.data)], ["hole.data", "ends after 0"]),
        ([first, first], ["header", "twice"]),
        ([first, chunk(hole, good.hole.data)], ["chunk.target", "TARGET_HOLE"]),
        ([first, chunk(99, b"1")], ["chunk.target", "99"]),
        ([first, chunk(crop, good.crop.data + b"1")], ["crop.data", "more than"]),
        ([first, chunk(crop, b"")], ["chunk.data", "0 bytes"]),
    ]
    for requests, words in cases:
        refused(partial(caller.fill, requests), Code.INVALID_ARGUMENT, *words)


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ({"recipe": ""}, ["source.recipe", "empty"]),
        ({"recipe": "{"}, ["source.recipe", "JSON"]),
        ({"recipe": "[]"}, ["source.recipe", "format 1"]),
        ({"recipe": '{"format": 3}'}, ["source.recipe", "format 1"]),
        ({"recipe": '{"format": 1}'}, ["source.recipe", "`model` is missing"]),
        ({"recipe": "[" * 60000}, ["source.recipe", "JSON"]),
        ({"recipe": " " * 70000}, ["source.recipe", "65536"]),
        ({"attachment": b""}, ["source.attachment"]),
        ({"attachment": b"GIF89a"}, ["source.attachment", "PNG"]),
    ],
)
def test_broken_recipes(caller: Caller, source: dict[str, Any], words: list[str]) -> None:
    fill = header(seeds=[1])
    good = recipe_source(fill, caller.fill(fill).candidates[0])
    for name, value in source.items():
        setattr(good, name, value)
    refused(lambda: caller.edit(pb.EditHeader(source=good)), Code.INVALID_ARGUMENT, *words)


def test_edits_need_a_session_or_a_source(caller: Caller) -> None:
    refused(lambda: caller.edit(pb.EditHeader()), Code.INVALID_ARGUMENT, "session_id")
    refused(lambda: caller.edit([]), Code.INVALID_ARGUMENT, "header")


def test_a_recipe_of_another_model(caller: Caller) -> None:
    fill = header(seeds=[1])
    answer = caller.fill(fill)
    source = recipe_source(fill, answer.candidates[0])
    ours = caller.info().models[0].weights_sha256
    source.recipe = source.recipe.replace(ours, "0" * 64)
    refused(
        lambda: caller.edit(pb.EditHeader(source=source)),
        Code.FAILED_PRECONDITION, "000000000000", "tiny",
    )  # fmt: skip
    mixing = pb.Mixing(recipe=source.recipe, amount=0.5)
    refused(
        lambda: caller.edit(pb.EditHeader(session_id=answer.session_id, mixing=mixing)),
        Code.FAILED_PRECONDITION, "mixing.recipe",
    )  # fmt: skip
    good = pb.Mixing(recipe=answer.candidates[0].recipe, amount=0.5)
    edit = pb.EditHeader(session_id=answer.session_id, mixing=good, further_mixing=[good, mixing])
    refused(lambda: caller.edit(edit), Code.FAILED_PRECONDITION, "further_mixing[1].recipe")


def test_further_mixings_that_are_refused(caller: Caller) -> None:
    answer = caller.fill(header(seeds=[1]))
    good = pb.Mixing(recipe=answer.candidates[0].recipe, amount=0.5)

    def edit(first: pb.Mixing | None, *further: pb.Mixing) -> pb.EditHeader:
        return pb.EditHeader(session_id=answer.session_id, mixing=first, further_mixing=further)

    unknown = pb.Mixing(recipe=good.recipe)
    unknown.MergeFromString(b"\x10\x09")  # a level 9
    for wrong, *words in (
        (edit(None, good), "mixing", "is missing"),
        (edit(good, *[good] * 8), "further_mixing", "has 8 entries; at most 7"),
        (edit(good, good, pb.Mixing(recipe="{}")), "further_mixing[1].recipe"),
        (edit(good, pb.Mixing(recipe=good.recipe, amount=2)), "further_mixing[0].amount"),
        (edit(good, unknown), "further_mixing[0].levels[0]"),
    ):  # fmt: skip
        refused(partial(caller.edit, wrong), Code.INVALID_ARGUMENT, *words)


@pytest.mark.parametrize(
    ("mixing", "words"),
    [
        ({"recipe": "{}"}, ["mixing", "both"]),
        ({"picture_box": None}, ["mixing.picture_box", "missing"]),
        ({"picture_box": pb.Box(width=7, height=8)}, ["mixing.picture_box.width", "7"]),
        ({"picture_box": pb.Box(width=8, height=1 << 21)}, ["mixing.picture_box.height"]),
        ({"picture_box": pb.Box(x=900, width=8, height=8)}, ["mixing.picture", "frame"]),
        ({"picture": pb.Picture(width=8, height=8, channels=3, sample_type=U8)},
         ["mixing.picture.data", "empty"]),
        ({"picture": pb.Picture(width=1025, height=1, channels=1, sample_type=U8)},
         ["mixing.picture", "1024"]),
        ({"picture": pb.Picture(width=8, height=8, channels=2, sample_type=U8)},
         ["mixing.picture.channels"]),
        ({"picture": pb.Picture(width=8, height=8, channels=1, sample_type=U8, data=b"few")},
         ["mixing.picture.data", "64"]),
        ({"amount": 1.5}, ["mixing.amount"]),
    ],
)  # fmt: skip
def test_images_that_cannot_be_mixed(
    caller: Caller, mixing: dict[str, Any], words: list[str]
) -> None:
    session = caller.fill(header(seeds=[1])).session_id
    good = {"picture": image(noise(8, 8)), "picture_box": pb.Box(width=8, height=8)}
    message = pb.Mixing(**{"amount": 1.0, **good, **mixing})
    edit = pb.EditHeader(session_id=session, mixing=message)
    refused(lambda: caller.edit(edit), Code.INVALID_ARGUMENT, *words)


@pytest.mark.parametrize("token", [None, "", "wrong", "Bearer", "\u00e4" * 3])
def test_every_call_needs_the_token(daemon: DaemonProcess, token: str | None) -> None:
    address = daemon.runtime()["address"]
    with Caller(grpc.insecure_channel(address), None) as caller:
        if token is not None:
            caller.metadata = (("authorization-bin", token.encode()), ("authorization", "x"))
        for call in (
            caller.info,
            lambda: list(caller.health.Watch(health_pb2.HealthCheckRequest())),
            lambda: caller.fill(header()),
            lambda: caller.edit(pb.EditHeader(session_id="x")),
            lambda: caller.stub.LoadModel(pb.LoadModelRequest(), metadata=caller.metadata),
        ):
            refused(call, Code.UNAUTHENTICATED, "token")


def test_a_bug_is_internal_with_a_reference_and_its_details_only_in_the_log(
    slow_daemon: DaemonProcess, slow_caller: Caller
) -> None:
    details = refused(lambda: slow_caller.fill(header(seeds=[666])), Code.INTERNAL, "log")
    assert "planted" not in details
    reference = details.partition("details under ")[2].partition(".")[0]
    log = slow_daemon.log.read_text()
    assert "ZeroDivisionError: a planted bug" in log[log.index(reference) :]
    assert len(slow_caller.fill(header(seeds=[1])).candidates) == 1


def test_out_of_memory_is_reported_and_the_next_request_works(slow_caller: Caller) -> None:
    refused(lambda: slow_caller.fill(header(seeds=[667])), Code.RESOURCE_EXHAUSTED, "memory")
    assert len(slow_caller.fill(header(seeds=[1])).candidates) == 1


def test_a_passed_deadline(slow_caller: Caller) -> None:
    refused(
        lambda: slow_caller.fill(header(seeds=[1], count=50), timeout=1.0), Code.DEADLINE_EXCEEDED
    )
    assert len(slow_caller.fill(header(seeds=[1])).candidates) == 1
    assert slow_caller.info().queue_length == 0


def test_a_full_queue(slow_caller: Caller) -> None:
    started: list[Any] = []

    def one_more() -> None:
        call = slow_caller.start_fill(header(seeds=[1], count=20))
        next(call)
        started.append(call)

    while len(started) < 2:  # while the model warms up, one fewer has room
        one_more()

    def as_many_as_there_is_room_for() -> None:
        for _ in range(4):
            one_more()

    refused(as_many_as_there_is_room_for, Code.RESOURCE_EXHAUSTED, "queue is full")
    for call in started:
        call.cancel()
    assert len(slow_caller.fill(header(seeds=[1])).candidates) == 1


def test_an_unknown_method(caller: Caller) -> None:
    call: Any = caller.channel.unary_unary("/inpaint.v1.Inpaint/Paint")
    refused(lambda: call(b"", metadata=caller.metadata), Code.UNIMPLEMENTED)


@pytest.mark.slow
def test_while_it_stops_the_daemon_is_unavailable(tmp_path: Path) -> None:
    """To clients that are connected and to new ones, until what runs has ended."""
    with DaemonProcess(tmp_path, slow_s=0.3) as daemon, daemon.caller() as caller:
        running = caller.start_fill(header(seeds=[1], count=10))
        next(running)
        daemon.process.terminate()
        assert eventually(lambda: "stopping=true" in daemon.log.read_text())
        own_connection = [("grpc.use_local_subchannel_pool", 1)]
        channel = grpc.insecure_channel(daemon.runtime()["address"], own_connection)
        with Caller(channel, daemon.runtime()["token"]) as newcomer:
            for late in (caller, newcomer):
                refused(partial(late.fill, header()), Code.UNAVAILABLE, "shutting down")
                edit = pb.EditHeader(session_id="x")
                refused(partial(late.edit, edit), Code.UNAVAILABLE, "shutting down")
                refused(late.info, Code.UNAVAILABLE, "shutting down")
                assert not late.is_serving()
        assert list(running)[-1].WhichOneof("event") == "done"
        assert daemon.ended() == 0
        assert "request=Fill status=UNAVAILABLE" in daemon.log.read_text()
