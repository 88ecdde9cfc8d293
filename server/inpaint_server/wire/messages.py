"""Conversion of a backend's answers to messages."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from inpaint_protos.sentences import NOTICES
from inpaint_protos.v1 import inpaint_pb2 as pb

from ..scheduling.work_marker import Killed
from ..serving.answers import (
    Accepted,
    Activity,
    Answer,
    Done,
    FacesFound,
    FinishedCandidate,
    FrameChosen,
    ModelState,
    Progress,
    SegmentAnswer,
)
from .parsing import (
    FRAME_MODE_NUMBERS,
    METHOD_NUMBERS,
    PARTS,
    box_message,
    frame_message,
    write_image,
)

CHUNK_BYTES = 1 << 20  # of an answer; gRPC clients accept up to 4 MiB by default

PART_NUMBERS = {part: number for number, part in PARTS.items()}
DETAILS = {"ENLARGED", "SMOOTH_OFFERED"}  # codes of `Notice.is_detail`


def event_message(answer: Answer) -> pb.FillEvent:
    """Return the message of an answer."""
    match answer:
        case Accepted():
            accepted = pb.Accepted(
                session_id=answer.session_id, queue_position=answer.queue_position
            )
            return pb.FillEvent(accepted=accepted)
        case FrameChosen():
            return pb.FillEvent(frame_chosen=_frame_chosen(answer))
        case Progress():
            return pb.FillEvent(progress=pb.Progress(done=answer.done, total=answer.total))
        case FinishedCandidate():
            return _candidate_event(answer)
        case Done():
            timings = pb.Timings(
                queue_ms=1000 * answer.queue_s,
                encode_ms=1000 * answer.encode_s,
                first_candidate_ms=1000 * answer.first_candidate_s,
                total_ms=1000 * answer.total_s,
            )
            return pb.FillEvent(done=pb.Done(timings=timings))


def _frame_chosen(answer: FrameChosen) -> pb.FrameChosen:
    notices = [_notice(each.code, each.values) for each in answer.notices]
    return pb.FrameChosen(
        group=answer.group,
        frame=frame_message(answer.frame),
        confidence=answer.confidence,
        model_resolution=answer.resolution,
        enlargement=answer.enlargement,
        notices=notices,
        mode=FRAME_MODE_NUMBERS[answer.mode],
        model=answer.model,
        # for clients that do not support notices
        warning=" ".join(notice.text for notice in notices),
    )


def _notice(code: str, values: Mapping[str, str]) -> pb.Notice:
    return pb.Notice(
        code=code,
        values=values,
        text=NOTICES[code].format(**values),
        is_detail=code in DETAILS,
    )


def _candidate_event(answer: FinishedCandidate) -> pb.FillEvent:
    event = pb.FillEvent()
    candidate = event.candidate
    candidate.index = answer.index
    candidate.variant = answer.variant
    candidate.seed = answer.seed
    candidate.method = METHOD_NUMBERS[answer.method]
    for patch in answer.patches:
        message = candidate.patches.add(box=box_message(patch.box))
        write_image(message.fill, patch.fill, answer.linear)
        write_image(message.coverage, patch.coverage, linear=False)
    candidate.recipe = answer.recipe
    candidate.attachment = answer.attachment
    likeness, naturalness = answer.assessment
    if likeness is not None:
        candidate.likeness = likeness
    if naturalness is not None:
        candidate.naturalness = naturalness
    return event


def segment_events(answer: SegmentAnswer) -> Iterator[pb.SegmentEvent]:
    """Yield the messages of an answer; a large mask takes several."""
    if isinstance(answer, FacesFound):
        faces = [
            pb.Face(
                frame=frame_message(face.frame),
                confidence=face.confidence,
                box=box_message(face.box),
            )
            for face in answer.faces
        ]
        yield pb.SegmentEvent(faces=pb.Faces(faces=faces))
        return
    rows = max(CHUNK_BYTES // answer.box.width, 1)
    for top in range(0, answer.box.height, rows):
        part = answer.coverage[top : top + rows]
        box = answer.box._replace(y=answer.box.y + top, height=len(part))
        mask = pb.PartMask(
            part=PART_NUMBERS[answer.part],
            face=answer.face,
            box=box_message(box),
            coverage=part.tobytes(),
        )
        yield pb.SegmentEvent(mask=mask)


def model_message(model: ModelState) -> pb.Model:
    """Return the message of a model."""
    info = model.info
    return pb.Model(
        name=info.name,
        title=info.title,
        resolution=info.resolution,
        alignment=info.alignment,
        loaded=model.is_loaded,
        is_default=model.is_default,
        directions=[
            pb.Direction(
                name=direction.name,
                group=direction.group,
                minimum=direction.minimum,
                maximum=direction.maximum,
                description=direction.description,
            )
            for direction in info.directions
        ],
        licence=info.licence,
        weights_sha256=info.weights_sha256,
        generator_sha256=info.generator_sha256,
        has_framer=info.has_framer,
        memory_bytes=info.memory_bytes,
        single_candidate=not info.config.abilities.diverse,
        no_edits=not info.config.abilities.editable,
    )


def activity_message(activity: Activity, calls: int) -> pb.Activity:
    """Return the message of a backend's activity during `calls` open calls."""
    return pb.Activity(
        calls=calls,
        busy_workers=activity.busy_workers,
        workers=activity.workers,
        sessions=activity.sessions,
        session_bytes=activity.session_bytes,
        memory_bytes=activity.memory_bytes,
    )


def killed_message(killed: Killed) -> pb.LastKilled:
    """Return the message of the work at which the previous daemon was killed."""
    return pb.LastKilled(work=killed.work, began_unix_s=killed.began)


def in_chunks(event: pb.FillEvent, chunk_bytes: int = CHUNK_BYTES) -> Iterator[pb.FillEvent]:
    """Yield a candidate in messages that every client can read.

    If it is too large for one message, its images and its attachment follow in chunks, and the
    event is modified.
    """
    candidate = event.candidate
    if not event.HasField("candidate") or event.ByteSize() <= chunk_bytes:
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
