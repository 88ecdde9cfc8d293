"""Convert between this package's values and the messages of `inpaint.v1`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, fields
from enum import IntEnum
from typing import Any, TypeVar

from inpaint_protos.v1 import inpaint_pb2 as pb

from .errors import DaemonInternalError
from .events import (
    Accepted,
    Candidate,
    Done,
    FillEvent,
    FrameChosen,
    Method,
    Notice,
    Patch,
    Progress,
    Scores,
)
from .geometry import Box, Extent, Frame
from .images import Picture, SampleType, Transfer
from .info import Activity, DaemonInfo, Direction, LastKilled, Limits, Model
from .requests import (
    Blending,
    EditJob,
    Edits,
    FillJob,
    FrameMode,
    Mixing,
    RecipeSource,
)
from .segments import Face, Part, PartMask, SegmentJob
from .sentence import Sentence, of_daemon

Numbers = TypeVar("Numbers", Limits, Activity)

# Images larger than this in total are sent in chunks: the daemon reads one chunk while the next is
# packed. Allocations of this size are served from the heap instead of being mapped by the system.
CHUNK_BYTES = 512 << 10
SAMPLE_BYTES = {int(kind): kind.size for kind in SampleType}


def fill_requests(job: FillJob, chunk_bytes: int = CHUNK_BYTES) -> Iterator[pb.FillRequest]:
    """Yield the header, then the chunks, of at most `chunk_bytes` each."""
    seen = job.capture
    inline = _fits(chunk_bytes, seen.crop, seen.hole, seen.overview)
    header = pb.FillHeader(
        crop=_image(seen.crop, inline),
        hole=_image(seen.hole, inline),
        overview=_image(seen.overview, inline) if seen.overview else None,
        crop_box=_box(seen.crop_box),
        document=_size(seen.document),
        model=job.model,
        seeds=job.seeds,
        truncation_psi=job.truncation_psi,
        edits=_edits(job.edits),
        variants=[pb.Variant(edits=_edits(edits)) for edits in job.variants],
        frame_mode=_number(FrameMode.EXPLICIT if isinstance(job.frame, Frame) else job.frame),
        frame=_frame(job.frame) if isinstance(job.frame, Frame) else None,
        blending=_blending(job.blending),
        smooth=_number(job.smooth),
        output_sample_type=_number(job.output_sample_type),
        context=_image(seen.context.image, inline=True) if seen.context else None,
        context_box=_box(seen.context.box) if seen.context else None,
        accepts_chunks=True,
    )
    yield pb.FillRequest(header=header)
    if not inline:
        for chunk in _chunks(chunk_bytes, *_of_capture(seen.crop, seen.hole, seen.overview)):
            yield pb.FillRequest(chunk=chunk)


def edit_requests(job: EditJob, chunk_bytes: int = CHUNK_BYTES) -> Iterator[pb.EditRequest]:
    """Yield the header, then the chunks of the images, of at most `chunk_bytes` each."""
    source = job.source
    seen = source.capture if source else None
    inline = seen is None or _fits(chunk_bytes, seen.crop, seen.hole)
    header = pb.EditHeader(
        session_id=job.session_id,
        source=_source(source, inline) if source else None,
        index=job.index,
        edits=_edits(job.edits),
        truncation_psi=job.truncation_psi,
        seed=job.seed,
        mixing=_mixing(job.mixing[0]) if job.mixing else None,
        further_mixing=map(_mixing, job.mixing[1:]),
        blending=_blending(job.blending) if job.blending else None,
        output_sample_type=_number(job.output_sample_type),
        accepts_chunks=True,
    )
    yield pb.EditRequest(header=header)
    if seen is not None and not inline:
        for chunk in _chunks(chunk_bytes, *_of_capture(seen.crop, seen.hole)):
            yield pb.EditRequest(chunk=chunk)


def segment_requests(
    job: SegmentJob, chunk_bytes: int = CHUNK_BYTES
) -> Iterator[pb.SegmentRequest]:
    """Yield the header, then the chunks of the image, of at most `chunk_bytes` each."""
    inline = _fits(chunk_bytes, job.image)
    header = pb.SegmentHeader(
        image=_image(job.image, inline),
        parts=map(_number, job.parts),
        faces=job.faces,
        room=job.room,
    )
    yield pb.SegmentRequest(header=header)
    if not inline:
        for chunk in _chunks(chunk_bytes, (pb.Chunk.TARGET_IMAGE, job.image)):
            yield pb.SegmentRequest(chunk=chunk)


def found_faces(message: pb.Faces) -> tuple[Face, ...]:
    """Convert the faces of an answer."""
    return tuple(
        Face(_frame_of(face.frame), face.confidence, _box_of(face.box)) for face in message.faces
    )


def part_mask(message: pb.PartMask) -> PartMask | None:
    """Convert a mask; None if this client does not know the part."""
    if message.part not in set(map(int, Part)):
        return None
    return PartMask(Part(message.part), message.face, _box_of(message.box), message.coverage)


class Answer:
    """Converter for the messages of one answer, which assembles large candidates from chunks."""

    def __init__(self) -> None:
        self._candidate: pb.Candidate | None = None  # the candidate whose chunks are arriving
        self._data = bytearray()

    def event(self, message: pb.FillEvent) -> FillEvent | None:
        """Convert a message to an event.

        Returns:
            The event; None while a candidate is incomplete.

        Raises:
            DaemonInternalError: the chunks do not match the candidate.
        """
        kind = message.WhichOneof("event")
        if (kind == "candidate_chunk") != (self._candidate is not None):
            raise DaemonInternalError(Sentence("The daemon sent an incomplete candidate."))
        if kind == "candidate" and message.candidate.chunked_bytes:
            self._candidate = message.candidate
            return None
        if self._candidate is None:
            return event(message)
        self._data += message.candidate_chunk.data
        if len(self._data) < self._candidate.chunked_bytes:
            return None
        whole, data = self._candidate, self._data
        self._candidate, self._data = None, bytearray()
        return _candidate(_joined(whole, data))


def _joined(candidate: pb.Candidate, data: bytearray) -> pb.Candidate:
    """Distribute the bytes that followed a candidate to its images and its attachment."""
    start = 0
    for patch in candidate.patches:
        for image in (patch.fill, patch.coverage):
            depth = SAMPLE_BYTES.get(image.sample_type, 0)
            size = image.width * image.height * image.channels * depth
            image.data = bytes(memoryview(data)[start : start + size])
            start += size
    if not start <= len(data) == candidate.chunked_bytes:
        raise DaemonInternalError(Sentence("The daemon sent an incomplete candidate."))
    candidate.attachment = bytes(memoryview(data)[start:])
    return candidate


def event(message: pb.FillEvent) -> FillEvent | None:
    """Convert a message to an event; None for a kind that only newer daemons know."""
    kind = message.WhichOneof("event")
    if kind == "candidate":
        return _candidate(message.candidate)
    if kind == "progress":
        return Progress(message.progress.done, message.progress.total)
    if kind == "frame_chosen":
        return _frame_chosen(message.frame_chosen)
    if kind == "accepted":
        return Accepted(message.accepted.session_id, message.accepted.queue_position)
    if kind == "done":
        times = message.done.timings
        return Done(times.queue_ms, times.encode_ms, times.first_candidate_ms, times.total_ms)
    return None


def daemon_info(message: pb.InfoResponse) -> DaemonInfo:
    """Convert a daemon's description of itself."""
    return DaemonInfo(
        version=message.version,
        device=message.device,
        device_type=message.device_type,
        precision=message.precision,
        models=tuple(model(each) for each in message.models),
        limits=_same(Limits, message.limits) if message.HasField("limits") else Limits(),
        queue_length=message.queue_length,
        uptime_s=message.uptime_s,
        activity=_same(Activity, message.activity) if message.HasField("activity") else None,
        last_killed=LastKilled(tuple(message.last_killed.work), message.last_killed.began_unix_s)
        if message.last_killed.work
        else None,
    )


def _same(kind: type[Numbers], message: pb.Limits | pb.Activity) -> Numbers:
    """Convert a message to a dataclass with the same field names."""
    return kind(**{field.name: getattr(message, field.name) for field in fields(kind)})


def model(message: pb.Model) -> Model:
    """Convert a daemon's description of a model."""
    return Model(
        name=message.name,
        title=message.title,
        resolution=message.resolution,
        alignment=message.alignment,
        loaded=message.loaded,
        is_default=message.is_default,
        directions=tuple(
            Direction(each.name, each.group, each.minimum, each.maximum, each.description)
            for each in message.directions
        ),
        licence=message.licence,
        weights_sha256=message.weights_sha256,
        generator_sha256=message.generator_sha256,
        has_framer=message.has_framer,
        memory_bytes=message.memory_bytes,
        single_candidate=message.single_candidate,
        no_edits=message.no_edits,
    )


def _candidate(message: pb.Candidate) -> Candidate:
    return Candidate(
        index=message.index,
        variant=message.variant,
        seed=message.seed,
        patches=tuple(
            Patch(
                fill=_read_image(patch.fill),
                coverage=_read_image(patch.coverage),
                box=_box_of(patch.box),
            )
            for patch in message.patches
        ),
        recipe=message.recipe,
        attachment=message.attachment,
        method=Method.SMOOTH if message.method == pb.METHOD_SMOOTH else Method.MODEL,
        scores=Scores(
            message.likeness if message.HasField("likeness") else None,
            message.naturalness if message.HasField("naturalness") else None,
        ),
    )


def _frame_chosen(message: pb.FrameChosen) -> FrameChosen:
    frame = message.frame
    return FrameChosen(
        group=message.group,
        frame=_frame_of(frame),
        confidence=message.confidence,
        model_resolution=message.model_resolution,
        enlargement=message.enlargement,
        warning=message.warning,
        mode=FrameMode(message.mode or FrameMode.AUTO),
        model=message.model,
        notices=_notices(message),
    )


def _notices(message: pb.FrameChosen) -> tuple[Notice, ...]:
    if message.warning and not message.notices:  # from a daemon that sends no notices
        return (Notice(message.warning),)
    return tuple(
        Notice(of_daemon(each.code, each.values, each.text), each.is_detail, each.code)
        for each in message.notices
    )


def _read_image(message: pb.Picture) -> Picture:
    try:
        return Picture(
            message.width,
            message.height,
            message.channels,
            message.data,
            SampleType(message.sample_type),
            Transfer(message.transfer or Transfer.SRGB),
        )
    except ValueError as error:  # InputError is one too
        raise DaemonInternalError(
            Sentence("The daemon sent an inconsistent image: {error}.", error=error)
        ) from error


def _fits(chunk_bytes: int, *images: Picture | None) -> bool:
    return sum(len(image.data) for image in images if image) <= chunk_bytes


def _of_capture(
    crop: Picture, hole: Picture, overview: Picture | None = None
) -> list[tuple[pb.Chunk.Target, Picture | None]]:
    """Return the images of a capture in the order in which they are sent."""
    return [
        (pb.Chunk.TARGET_CROP, crop),
        (pb.Chunk.TARGET_HOLE, hole),
        (pb.Chunk.TARGET_OVERVIEW, overview),
    ]


def _chunks(
    chunk_bytes: int, *images: tuple[pb.Chunk.Target, Picture | None]
) -> Iterator[pb.Chunk]:
    for target, image in images:
        data = memoryview(image.data if image else b"")
        for start in range(0, len(data), chunk_bytes):
            yield pb.Chunk(target=target, data=bytes(data[start : start + chunk_bytes]))


def _image(image: Picture, inline: bool) -> pb.Picture:
    return pb.Picture(
        width=image.width,
        height=image.height,
        channels=image.channels,
        sample_type=_number(image.sample_type),
        transfer=_number(image.transfer),
        data=bytes(image.data) if inline else b"",
    )


def _number(value: IntEnum | None) -> Any:  # noqa: ANN401 (the stubs have their own enum types)
    """Return the wire's number of an enum value; 0 for None."""
    return int(value or 0)


def _box(box: Box) -> pb.Box:
    return pb.Box(x=box.x, y=box.y, width=box.width, height=box.height)


def _size(extent: Extent) -> pb.Size:
    return pb.Size(width=extent.width, height=extent.height)


def _box_of(box: pb.Box) -> Box:
    return Box(box.x, box.y, box.width, box.height)


def _frame_of(frame: pb.Frame) -> Frame:
    return Frame(frame.cx, frame.cy, frame.side, frame.angle)


def _frame(frame: Frame) -> pb.Frame:
    return pb.Frame(cx=frame.cx, cy=frame.cy, side=frame.side, angle=frame.angle)


def _edits(edits: Edits) -> list[pb.Edit]:
    return [pb.Edit(name=name, value=value) for name, value in edits.items()]


def _blending(blending: Blending) -> pb.Blending:
    return pb.Blending(**{k: v for k, v in asdict(blending).items() if v is not None})


def _mixing(mixing: Mixing) -> pb.Mixing:
    return pb.Mixing(
        recipe=mixing.recipe,
        levels=[_number(level) for level in mixing.levels],
        amount=mixing.amount,
        picture=_image(mixing.image, inline=True) if mixing.image else None,
        picture_box=_box(mixing.image_box) if mixing.image_box else None,
    )


def _source(source: RecipeSource, inline: bool) -> pb.RecipeSource:
    seen = source.capture
    return pb.RecipeSource(
        recipe=source.recipe,
        attachment=source.attachment,
        crop=_image(seen.crop, inline) if seen else None,
        hole=_image(seen.hole, inline) if seen else None,
        crop_box=_box(seen.crop_box) if seen else None,
        document=_size(seen.document) if seen else None,
    )
