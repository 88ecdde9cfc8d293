"""Values to messages, and what comes back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from grpc_health.v1 import health_pb2 as standard
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from inpaint_client import (
    RAW,
    Blending,
    Box,
    Candidate,
    DaemonInternalError,
    EditJob,
    Extent,
    FillJob,
    Frame,
    FrameChosen,
    FrameMode,
    InputError,
    Mixing,
    Picture,
    RecipeSource,
    SampleType,
    StyleLevel,
    Transfer,
)
from inpaint_client.capture import Context
from inpaint_client.wire import edit_requests, event, fill_requests
from inpaint_protos.health.v1 import health_pb2
from inpaint_protos.v1 import inpaint_pb2 as pb


def test_a_job_becomes_its_header(job: Callable[..., FillJob]) -> None:
    full = job(
        overview=Picture(2, 1, 3, b"abcdef"),
        model="portrait",
        truncation_psi=0.5,
        edits={"smile": 1.5},
        variants=({"age": -2.0}, {}),
        frame=Frame(1.5, 2.5, 3.5, 4.5),
        blending=Blending(gradient=False, feather_px=3.0),
        output_sample_type=SampleType.F32,
    )
    [request] = fill_requests(full)
    header = request.header
    assert header.crop.data == full.capture.crop.data
    assert header.hole.data == full.capture.hole.data
    assert header.overview.data == b"abcdef"
    assert (header.crop_box.x, header.crop_box.height) == (100, 48)
    assert (header.document.width, header.document.height) == (1000, 800)
    assert list(header.seeds) == [7, 8, 9, 10]
    assert not header.count
    assert header.truncation_psi == 0.5
    assert header.edits[0] == pb.Edit(name="smile", value=1.5)
    assert [len(variant.edits) for variant in header.variants] == [1, 0]
    assert header.frame == pb.Frame(cx=1.5, cy=2.5, side=3.5, angle=4.5)
    assert header.frame_mode == pb.FRAME_MODE_EXPLICIT
    assert header.blending.HasField("gradient")
    assert not header.blending.HasField("grain")
    assert not header.blending.HasField("detail")
    assert header.output_sample_type == pb.SAMPLE_TYPE_F32
    assert header.crop.transfer == pb.TRANSFER_SRGB


def test_the_context_of_a_crop_is_sent_in_the_header(job: Callable[..., FillJob]) -> None:
    plain = job()
    seen = replace(plain.capture, context=Context(Picture(2, 1, 3, b"abcdef"), Box(0, 8, 20, 10)))
    first, *_ = fill_requests(replace(plain, capture=seen), 100)
    assert first.header.context.data == b"abcdef"
    assert first.header.context_box == pb.Box(x=0, y=8, width=20, height=10)
    [request] = fill_requests(plain)
    assert not request.header.HasField("context")


def test_what_is_not_set_is_not_sent(job: Callable[..., FillJob]) -> None:
    [request] = fill_requests(job())
    for field in ("overview", "frame", "truncation_psi"):
        assert not request.header.HasField(field)
    [edit] = edit_requests(EditJob(session_id="s"))
    for field in ("source", "truncation_psi", "seed", "mixing", "blending"):
        assert not edit.header.HasField(field)


def test_zero_and_false_are_sent(job: Callable[..., FillJob]) -> None:
    [request] = fill_requests(job(truncation_psi=0.0, blending=RAW))
    assert request.header.HasField("truncation_psi")
    for field in ("colour_match", "gradient", "feather_px", "grain", "detail"):
        assert request.header.blending.HasField(field)
    [edit] = edit_requests(EditJob(session_id="s", seed=0))
    assert edit.header.HasField("seed")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data(), piece=st.integers(100, 10_000))
def test_large_images_are_sent_in_chunks(
    job: Callable[..., FillJob], data: st.DataObject, piece: int
) -> None:
    overview = data.draw(st.none() | st.just(Picture(5, 5, 3, bytes(range(75)))))
    full = job(overview=overview)
    first, *rest = fill_requests(full, piece)
    assert not first.header.crop.data + first.header.hole.data + first.header.overview.data
    joined = {1: b"", 2: b"", 3: b""}
    for request in rest:
        assert 0 < len(request.chunk.data) <= piece
        joined[request.chunk.target] += request.chunk.data
    assert list(joined.values()) == [
        full.capture.crop.data,
        full.capture.hole.data,
        overview.data if overview else b"",
    ]
    assert [r.chunk.target for r in rest] == sorted(r.chunk.target for r in rest)


def test_an_edit_with_everything(job: Callable[..., FillJob]) -> None:
    fill = job()
    source = RecipeSource(
        recipe="{}",
        attachment=b"png",
        capture=fill.capture,
    )
    mixing = Mixing(recipe="other", levels=(StyleLevel.COLORS,), amount=0.25)
    [request] = edit_requests(EditJob(source=source, index=2, mixing=(mixing,), blending=RAW))
    assert request.header.source.attachment == b"png"
    assert request.header.source.crop.data == fill.capture.crop.data
    assert list(request.header.mixing.levels) == [pb.STYLE_LEVEL_COLOURS]
    assert request.header.mixing.amount == 0.25
    assert request.header.index == 2


def test_an_image_to_mix_is_sent_in_the_header() -> None:
    mixing = Mixing(image=Picture(2, 1, 3, b"abcdef"), image_box=Box(-3, 4, 20, 10))
    [request] = edit_requests(EditJob(session_id="s", mixing=(mixing,)))
    sent = request.header.mixing
    assert sent.picture.data == b"abcdef"
    assert sent.picture_box == pb.Box(x=-3, y=4, width=20, height=10)
    assert (sent.recipe, list(sent.levels), sent.amount) == ("", [], 1.0)
    [request] = edit_requests(EditJob(session_id="s", mixing=(Mixing(recipe="other"),)))
    assert not request.header.mixing.HasField("picture")
    assert not request.header.mixing.HasField("picture_box")
    assert not request.header.further_mixing


def test_several_mixings_are_sent_in_their_order() -> None:
    mixing = tuple(Mixing(recipe=name, amount=amount) for name, amount in [("b", 0.5), ("c", 0.25)])
    [request] = edit_requests(EditJob(session_id="s", mixing=mixing))
    header = request.header
    sent = [(each.recipe, each.amount) for each in (header.mixing, *header.further_mixing)]
    assert sent == [("b", 0.5), ("c", 0.25)]


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"recipe": "other", "image": Picture(1, 1, 1, b"a"), "image_box": Box(0, 0, 1, 1)},
        {"image": Picture(1, 1, 1, b"a")},
        {"image": Picture(2, 1, 1, b"ab"), "image_box": Box(0, 0, 1, 1)},
        {"image": Picture(1, 1025, 1, bytes(1025)), "image_box": Box(0, 0, 1, 1025)},
        {"recipe": "other", "amount": 1.1},
        {"recipe": "other", "amount": float("nan")},
    ],
)
def test_mixing_that_makes_no_sense(fields: dict[str, Any]) -> None:
    with pytest.raises(InputError):
        Mixing(**fields)


def test_linear_float_images_come_back_as_they_are() -> None:
    image = pb.Picture(
        width=1,
        height=2,
        channels=1,
        sample_type=pb.SAMPLE_TYPE_F16,
        transfer=pb.TRANSFER_LINEAR,
        data=b"1234",
    )
    coverage = pb.Picture(width=1, height=2, channels=1, sample_type=pb.SAMPLE_TYPE_U8, data=b"ab")
    patch = pb.Patch(fill=image, coverage=coverage, box=pb.Box(x=-3, y=4, width=1, height=2))
    value = event(
        pb.FillEvent(candidate=pb.Candidate(index=1, variant=-1, seed=9, patches=[patch]))
    )
    assert isinstance(value, Candidate)
    [read] = value.patches
    assert read.fill == Picture(1, 2, 1, b"1234", SampleType.F16, Transfer.LINEAR)
    assert read.box == Box(-3, 4, 1, 2)
    assert read.fill.extent == Extent(1, 2)


def test_an_inconsistent_answer_is_the_daemons_fault() -> None:
    patch = pb.Patch(
        fill=pb.Picture(width=9, height=9, channels=3, sample_type=pb.SAMPLE_TYPE_U8, data=b"x")
    )
    with pytest.raises(DaemonInternalError, match="inconsistent"):
        event(pb.FillEvent(candidate=pb.Candidate(patches=[patch])))


def test_an_event_of_a_newer_daemon_is_passed_over() -> None:
    assert event(pb.FillEvent()) is None


def test_a_frame_found_otherwise_reports_its_mode() -> None:
    message = pb.FrameChosen(group=1, mode=pb.FRAME_MODE_BOX, warning="Unsure.", model="large")
    value = event(pb.FillEvent(frame_chosen=message))
    assert isinstance(value, FrameChosen)
    assert value.group == 1
    assert value.mode is FrameMode.BOX
    assert value.warning == "Unsure."
    assert value.model == "large"


@given(service=st.text(), status=st.sampled_from([0, 1, 2]))
def test_health_messages_are_those_of_the_standard(service: str, status: int) -> None:
    """The bytes are the same as those of the package grpcio-health-checking."""
    ours = health_pb2.HealthCheckRequest(service=service).SerializeToString()
    assert ours == standard.HealthCheckRequest(service=service).SerializeToString()
    reply = standard.HealthCheckResponse(status=status).SerializeToString()
    assert health_pb2.HealthCheckResponse.FromString(reply).status == status
    assert health_pb2.HealthCheckResponse.ServingStatus.items() == [
        item for item in standard.HealthCheckResponse.ServingStatus.items() if item[1] < 3
    ]
