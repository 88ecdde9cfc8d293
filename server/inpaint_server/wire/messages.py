"""Blend renderings into the document and convert them to messages, without using a device.

This runs in separate threads, so that it blocks neither the event loop nor the device.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from inpaint_model.document.color import converted
from inpaint_model.pipeline.recipe import write_recipe
from inpaint_model.pipeline.session import Rendering
from inpaint_protos.sentences import NOTICES
from inpaint_protos.v1 import inpaint_pb2 as pb

from ..filling.filling import ServedSession
from .parsing import FRAME_MODE_NUMBERS, METHOD_NUMBERS, box_message, frame_message, write_image

CHUNK_BYTES = 1 << 20  # of an answer; gRPC clients accept up to 4 MiB by default

DETAILS = {"ENLARGED", "SMOOTH_OFFERED"}  # codes of `Notice.is_detail`


def frames_chosen(served: ServedSession, smooth: bool = False) -> list[pb.FrameChosen]:
    """Return one message per group of the hole; the first one announces a smooth candidate."""
    messages = [
        pb.FrameChosen(
            group=k,
            frame=frame_message(placement.frame),
            confidence=placement.confidence,
            model_resolution=placement.resolution,
            enlargement=placement.upscale_factor,
            notices=[_notice(each.code, each.values) for each in placement.notices],
            mode=FRAME_MODE_NUMBERS[placement.mode],
            model=served.entry.name,
        )
        for k, placement in enumerate(served.session.placements)
    ]
    if smooth:
        messages[0].notices.append(_notice("SMOOTH_OFFERED", {}))
    for message in messages:  # for clients that do not support notices
        message.warning = " ".join(notice.text for notice in message.notices)
    return messages


def _notice(code: str, values: Mapping[str, str]) -> pb.Notice:
    return pb.Notice(
        code=code,
        values=values,
        text=NOTICES[code].format(**values),
        is_detail=code in DETAILS,
    )


def candidate_event(served: ServedSession, rendering: Rendering) -> pb.FillEvent:
    """Return the event of a candidate, with patches in document pixels and the recipe."""
    session, made = served.session, rendering.candidate
    event = pb.FillEvent()
    candidate = event.candidate
    candidate.index = rendering.index
    candidate.variant = rendering.variant
    candidate.seed = made.seed
    candidate.method = METHOD_NUMBERS[made.method]
    for patch in session.patches(rendering):
        message = candidate.patches.add(box=box_message(patch.box))
        fill = converted(patch.fill, served.output_dtype)
        write_image(message.fill, fill, session.image.linear)
        write_image(message.coverage, patch.coverage, linear=False)
    candidate.recipe = write_recipe(session.recipe(made))
    return event


def in_chunks(event: pb.FillEvent, chunk_bytes: int = CHUNK_BYTES) -> Iterator[pb.FillEvent]:
    """Yield a candidate in messages that every client can read.

    If it is too large for one message, its images and its attachment follow in chunks, and the
    event is modified.
    """
    candidate = event.candidate
    if event.ByteSize() <= chunk_bytes:
        yield event
        return
    parts = [p.data for patch in candidate.patches for p in (patch.fill, patch.coverage)]
    parts.append(candidate.attachment)
    for patch in candidate.patches:
        patch.fill.ClearField("data")
        patch.coverage.ClearField("data")
    candidate.ClearField("attachment")
    candidate.chunked_bytes = sum(map(len, parts))
    yield event
    pending = bytearray()
    for part in parts:
        view, start = memoryview(part), 0
        while start < len(view):
            piece = view[start : start + chunk_bytes - len(pending)]
            pending += piece
            start += len(piece)
            if len(pending) == chunk_bytes:
                yield _chunk(pending)
                pending = bytearray()
    if pending:
        yield _chunk(pending)


def _chunk(data: bytearray) -> pb.FillEvent:
    return pb.FillEvent(candidate_chunk=pb.CandidateChunk(data=bytes(data)))
