"""Large candidates, in messages that a client with gRPC's own limits can read."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import grpc
import pytest
from daemons import Caller, DaemonProcess, header, noise
from hypothesis import given
from hypothesis import strategies as st
from inpaint_client import (
    BlockingClient,
    Box,
    Candidate,
    Capture,
    DaemonInternalError,
    EditJob,
    Extent,
    FillJob,
    Picture,
    RecipeSource,
    SampleType,
    parse_endpoint,
)
from inpaint_client.wire import Answer, event
from inpaint_protos.v1 import inpaint_pb2 as pb
from inpaint_server.wire.messages import CHUNK_BYTES, in_chunks

SIDE = 1300  # px: a candidate of RGBA in 32 bits has 6.8 MiB in the middle half


@st.composite
def candidates(draw: st.DrawFn) -> pb.FillEvent:
    patches = []
    for _ in range(draw(st.integers(1, 3))):
        width, height = draw(st.integers(1, 9)), draw(st.integers(1, 9))
        size = width * height
        fill = pb.Picture(
            width=width, height=height, channels=3, sample_type=pb.SAMPLE_TYPE_U16,
            data=draw(st.binary(min_size=6 * size, max_size=6 * size)),
        )  # fmt: skip
        coverage = pb.Picture(
            width=width, height=height, channels=1, sample_type=pb.SAMPLE_TYPE_U8,
            data=draw(st.binary(min_size=size, max_size=size)),
        )  # fmt: skip
        patches.append(pb.Patch(fill=fill, coverage=coverage, box=pb.Box(width=width)))
    attachment = draw(st.binary(max_size=99))
    return pb.FillEvent(candidate=pb.Candidate(patches=patches, attachment=attachment, index=3))


def whole(message: pb.FillEvent, chunk_bytes: int) -> list[pb.FillEvent]:
    copy = pb.FillEvent()
    copy.CopyFrom(message)
    return list(in_chunks(copy, chunk_bytes))


@given(message=candidates(), chunk_bytes=st.integers(1, 2000))
def test_the_client_puts_together_what_the_daemon_cut(
    message: pb.FillEvent, chunk_bytes: int
) -> None:
    sent = whole(message, chunk_bytes)
    chunks = [each.candidate_chunk.data for each in sent[1:]]
    assert all(0 < len(chunk) <= chunk_bytes for chunk in chunks)
    answer = Answer()
    *before, last = [answer.event(each) for each in sent]
    assert before == [None] * len(chunks)
    assert last == event(message)


@given(message=candidates(), data=st.data())
def test_chunks_that_do_not_fit_are_a_fault_of_the_daemon(
    message: pb.FillEvent, data: st.DataObject
) -> None:
    sent = whole(message, 20)
    position = data.draw(st.integers(1, len(sent) - 1))
    change = data.draw(st.sampled_from(["missing", "longer", "twice", "announced"]))
    if change == "missing":
        sent[position] = pb.FillEvent(progress=pb.Progress(done=1))
    elif change == "longer":
        sent[-1].candidate_chunk.data += b"1"
    elif change == "twice":
        sent.append(sent[position])
    else:
        sent[0].candidate.patches[0].fill.width += 1000
    with pytest.raises(DaemonInternalError):
        list(map(Answer().event, sent))


@pytest.fixture(scope="module")
def large() -> pb.FillHeader:
    crop = noise(SIDE, SIDE, 4, pb.SAMPLE_TYPE_F32)
    fill = header(crop, seeds=[1], frame_mode=pb.FRAME_MODE_BOX)
    fill.blending.gradient = fill.blending.grain = False  # which would take long
    return fill


def requests(fill: pb.FillHeader) -> list[pb.FillRequest]:
    bare = pb.FillHeader()
    bare.CopyFrom(fill)
    bare.crop.data = bare.hole.data = b""
    pieces = [
        pb.FillRequest(chunk=pb.Chunk(target=target, data=data[start : start + (4 << 20)]))
        for target, data in (
            (pb.Chunk.TARGET_CROP, fill.crop.data),
            (pb.Chunk.TARGET_HOLE, fill.hole.data),
        )
        for start in range(0, len(data), 4 << 20)
    ]
    return [pb.FillRequest(header=bare), *pieces]


@pytest.fixture
def plain_caller(daemon: DaemonProcess) -> Any:
    """A client with the limits that gRPC sets by itself: 4 MiB a message."""
    runtime = daemon.runtime()
    options = [("grpc.use_local_subchannel_pool", 1)]
    with Caller(grpc.insecure_channel(runtime["address"], options), runtime["token"]) as caller:
        yield caller


@pytest.mark.slow
def test_a_client_with_grpcs_own_limits_reads_every_answer(
    plain_caller: Caller, caller: Caller, large: pb.FillHeader
) -> None:
    with pytest.raises(grpc.RpcError) as raised:  # one message, as to every older client
        plain_caller.fill(requests(large))
    assert raised.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
    whole = caller.fill(requests(large)).candidates[0]
    assert whole.ByteSize() > 4 << 20
    large.accepts_chunks = True
    events = list(plain_caller.start_fill(requests(large)))
    assert all(each.ByteSize() <= CHUNK_BYTES + 100 for each in events)
    (first,) = (each.candidate for each in events if each.HasField("candidate"))
    data = b"".join(each.candidate_chunk.data for each in events)
    patch = whole.patches[0]
    assert data == patch.fill.data + patch.coverage.data + whole.attachment
    assert first.chunked_bytes == len(data)
    assert first.recipe == whole.recipe
    session = next(each.accepted.session_id for each in events if each.HasField("accepted"))
    edit = pb.EditHeader(session_id=session, accepts_chunks=True)
    assert [c.chunked_bytes for c in plain_caller.edit(edit).candidates] == [len(data)]


@pytest.mark.slow
def test_our_client_reads_the_same_as_before(daemon: DaemonProcess, large: pb.FillHeader) -> None:
    runtime = daemon.runtime()
    extent = Extent(SIDE, SIDE)
    capture = Capture(
        crop=Picture(SIDE, SIDE, 4, large.crop.data, SampleType.F32),
        hole=Picture(SIDE, SIDE, 1, large.hole.data),
        crop_box=Box(0, 0, SIDE, SIDE),
        document=extent,
    )
    with BlockingClient(lambda: parse_endpoint(runtime["address"], runtime["token"])) as client:
        job = FillJob(capture=capture, seeds=(1,))
        (filled,) = (e for e in client.fill(job) if isinstance(e, Candidate))
        source = RecipeSource(recipe=filled.recipe, attachment=filled.attachment, capture=capture)
        (again,) = (e for e in client.edit(EditJob(source=source)) if isinstance(e, Candidate))
    (patch,), (other,) = filled.patches, again.patches
    assert len(patch.fill.data) > 4 << 20
    assert replace(patch, fill=other.fill) == other
