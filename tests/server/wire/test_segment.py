"""Segment on a real daemon."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import grpc
import numpy as np
import numpy.typing as npt
import pytest
from daemons import PATIENCE_S, Caller, image
from inpaint_client.example import PORTRAIT
from inpaint_protos.v1 import inpaint_pb2 as pb
from PIL import Image

Header = Callable[..., pb.SegmentHeader]
PARTS = [pb.PART_HAIR, pb.PART_MOUTH, pb.PART_BACKGROUND]


def segment(caller: Caller, *requests: pb.SegmentRequest) -> list[pb.SegmentEvent]:
    events: Iterator[pb.SegmentEvent] = caller.stub.Segment(
        iter(requests), timeout=PATIENCE_S, metadata=caller.metadata
    )
    return list(events)


def of_header(header: pb.SegmentHeader) -> pb.SegmentRequest:
    return pb.SegmentRequest(header=header)


@pytest.fixture(scope="module")
def portrait() -> npt.NDArray[np.uint8]:
    return np.asarray(Image.open(PORTRAIT).convert("RGB"))


def whole(
    events: Sequence[pb.SegmentEvent], part: pb.Part, shape: tuple[int, ...]
) -> npt.NDArray[np.uint8]:
    """Join the rows of a mask."""
    mask = np.zeros(shape[:2], np.uint8)
    for event in events:
        box = event.mask.box
        if event.mask.part == part:
            rows = np.frombuffer(event.mask.coverage, np.uint8).reshape(box.height, box.width)
            mask[box.y : box.y + box.height, box.x : box.x + box.width] = rows
    return mask


def test_faces_come_first_then_the_masks_that_were_asked_for(
    caller: Caller, portrait: npt.NDArray[np.uint8]
) -> None:
    events = segment(caller, of_header(pb.SegmentHeader(image=image(portrait), parts=PARTS)))
    kinds = [event.WhichOneof("event") for event in events]
    assert kinds == ["faces", *["mask"] * (len(kinds) - 2), "done"]
    (face,) = events[0].faces.faces
    assert face.confidence > 0.9
    assert face.frame.side == pytest.approx(portrait.shape[1], rel=0.1)
    masks = [event.mask for event in events[1:-1]]
    assert {(mask.part, mask.face) for mask in masks} == {
        (pb.PART_HAIR, 0),
        (pb.PART_MOUTH, 0),
        (pb.PART_BACKGROUND, -1),
    }
    assert whole(events, pb.PART_BACKGROUND, portrait.shape)[4, 4] == 255
    mouth = whole(events, pb.PART_MOUTH, portrait.shape)
    assert face.box.y < np.flatnonzero(mouth.any(axis=1)).mean() < face.box.y + face.box.height


def test_an_image_may_come_in_chunks_and_have_any_format(
    caller: Caller, portrait: npt.NDArray[np.uint8]
) -> None:
    at_once = segment(caller, of_header(pb.SegmentHeader(image=image(portrait), parts=PARTS)))
    opaque = np.dstack([portrait, np.full(portrait.shape[:2], 255, np.uint8)])
    deep = image(opaque.astype("<u2") * 257)
    data = deep.data
    deep.ClearField("data")
    chunks = [
        pb.SegmentRequest(chunk=pb.Chunk(target=pb.Chunk.TARGET_IMAGE, data=data[k : k + 700_001]))
        for k in range(0, len(data), 700_001)
    ]
    events = segment(caller, of_header(pb.SegmentHeader(image=deep, parts=PARTS)), *chunks)
    for part in PARTS:
        here, there = (whole(each, part, portrait.shape) for each in (events, at_once))
        assert np.abs(here.astype(int) - there).max() <= 2


def test_a_large_mask_comes_in_several_messages(caller: Caller) -> None:
    gray = np.full((1500, 1600, 1), 90, np.uint8)
    header = pb.SegmentHeader(image=image(gray), parts=[pb.PART_BACKGROUND])
    events = segment(caller, of_header(header))
    assert list(events[0].faces.faces) == []
    masks = [event.mask for event in events[1:-1]]
    assert len(masks) > 1
    assert all(len(mask.coverage) <= 1 << 20 for mask in masks)
    assert (whole(events, pb.PART_BACKGROUND, gray.shape) == 255).all()


def test_without_parts_only_the_faces_are_sent(
    caller: Caller, portrait: npt.NDArray[np.uint8]
) -> None:
    events = segment(caller, of_header(pb.SegmentHeader(image=image(portrait))))
    assert [event.WhichOneof("event") for event in events] == ["faces", "done"]


def test_a_face_that_does_not_exist_has_no_masks(
    caller: Caller, portrait: npt.NDArray[np.uint8]
) -> None:
    header = pb.SegmentHeader(image=image(portrait), parts=[pb.PART_EYES], faces=[3])
    events = segment(caller, of_header(header))
    assert [event.WhichOneof("event") for event in events] == ["faces", "done"]


SMALL = image(np.zeros((8, 8, 3), np.uint8))


@pytest.mark.parametrize(
    ("requests", "words"),
    [
        ([], "header: is missing"),
        ([pb.SegmentHeader()], "image"),
        ([pb.SegmentHeader(image=SMALL, parts=[99])], "parts: contains 99"),  # type: ignore[list-item]
        ([pb.SegmentHeader(image=SMALL, room=0.3)], "room: is 0.3; must be from 0 to 0.2"),
        ([pb.SegmentHeader(image=SMALL, room=float("nan"))], "room: is nan"),
        (
            [pb.SegmentHeader(image=image(np.zeros((1, 2049, 3), np.uint8)))],
            "image: is 2049 x 1 px; its longest side must be at most 2048 px",
        ),
        (
            [
                pb.SegmentHeader(
                    image=pb.Picture(width=8, height=8, channels=3, sample_type=pb.SAMPLE_TYPE_U8)
                ),
                pb.Chunk(target=pb.Chunk.TARGET_CROP, data=b"x"),
            ],
            "chunk.target: is TARGET_CROP although image is incomplete",
        ),
    ],
)
def test_bad_requests_are_refused(
    caller: Caller, requests: Sequence[pb.SegmentHeader | pb.Chunk], words: str
) -> None:
    messages = [
        pb.SegmentRequest(header=each)
        if isinstance(each, pb.SegmentHeader)
        else pb.SegmentRequest(chunk=each)
        for each in requests
    ]
    with pytest.raises(grpc.RpcError) as raised:
        segment(caller, *messages)
    assert raised.value.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert words in str(raised.value.details())


def test_a_message_after_the_image_is_refused(
    caller: Caller, portrait: npt.NDArray[np.uint8]
) -> None:
    # A daemon that has already sent all answers never reads this message. Hence an image whose
    # masks take much longer than the message is on its way.
    header = pb.SegmentHeader(image=image(portrait), parts=PARTS)
    late = pb.SegmentRequest(chunk=pb.Chunk(target=pb.Chunk.TARGET_IMAGE, data=b"x"))
    with pytest.raises(grpc.RpcError) as raised:
        segment(caller, of_header(header), late)
    assert raised.value.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert "chunk: was sent after the last byte of the images" in str(raised.value.details())


def test_info_reports_the_largest_image(caller: Caller) -> None:
    assert caller.info().limits.max_segment_side == 2048
