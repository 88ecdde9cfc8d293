"""Receive the images of a request: first the header, then chunks."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, TypeVar

from inpaint_protos.v1 import inpaint_pb2 as pb

from .. import spans
from ..errors import DeadlineExceededError, InvalidRequestError
from ..filling.specs import ImageHeader
from .interceptor import read

if TYPE_CHECKING:
    from .interceptor import Context

Header = TypeVar("Header", pb.FillHeader, pb.EditHeader, pb.SegmentHeader)
Request = pb.FillRequest | pb.EditRequest | pb.SegmentRequest

MAX_CHUNK_BYTES = 4 << 20

TARGETS = {
    "crop": pb.Chunk.TARGET_CROP,
    "hole": pb.Chunk.TARGET_HOLE,
    "overview": pb.Chunk.TARGET_OVERVIEW,
    "image": pb.Chunk.TARGET_IMAGE,
}


async def first_message(context: Context, kind: type[Header], idle_s: float) -> Header:
    """Return the header of a request stream.

    Args:
        context: context of the call.
        kind: type of the header.
        idle_s: time limit, in seconds.

    Raises:
        InvalidRequestError: the stream is empty or does not begin with a header.
        DeadlineExceededError: nothing was received within the time limit.
    """
    request = await _next(context, idle_s)
    if request is None or request.WhichOneof("message") != "header":
        raise InvalidRequestError("header", "is missing; it must be the first message")
    header = request.header
    assert isinstance(header, kind)
    return header


class StreamUpload:
    """Implementation of `Upload` with the rest of a request stream."""

    def __init__(self, context: Context, inline: Mapping[str, bytes], idle_s: float) -> None:
        """Take the images that came with the header.

        Args:
            context: context of the call.
            inline: bytes of the images in the header, by field; those without bytes follow.
            idle_s: time limit for each message, in seconds.
        """
        self._context = context
        self._inline = inline
        self._idle_s = idle_s

    @property
    def present(self) -> int:
        """The bytes of crop and hole that are already in memory; the overview is small."""
        return sum(len(data) for field, data in self._inline.items() if field != "overview")

    async def images(self, shapes: Sequence[ImageHeader]) -> list[bytes | bytearray]:
        """Return the bytes of every image, in the order of `shapes`."""
        images: list[bytes | bytearray] = []
        with spans.span("upload"):
            for shape in shapes:
                data = self._inline.get(shape.field)
                images.append(data or await _from_chunks(self._context, shape, self._idle_s))
        return images


class Complete:
    """The context of a call whose request is complete, for sending answers.

    The client need not end its stream. But if it sends another message, the next `write` raises
    InvalidRequestError or MalformedMessageError. (The task that writes is not cancelled, because
    gRPC may be in the middle of a write.)
    """

    def __init__(self, context: Context) -> None:
        self._context = context
        self._listening = asyncio.create_task(_refuse_more(context))

    def __enter__(self) -> Complete:
        return self

    def __exit__(self, *error: object) -> None:
        self._listening.cancel()
        self._listening.add_done_callback(_seen)

    async def write(self, event: pb.FillEvent | pb.SegmentEvent) -> None:
        """Send an answer."""
        if self._listening.done():
            self._listening.result()
        await self._context.write(event)


def _seen(listening: asyncio.Task[None]) -> None:
    """Retrieve an error that occurred after the last answer, to avoid a warning of asyncio."""
    if not listening.cancelled():
        listening.exception()


async def _refuse_more(context: Context) -> None:
    message = read(await context.read())
    if message is not None:
        kind = message.WhichOneof("message") or "message"
        raise InvalidRequestError(kind, "was sent after the last byte of the images")


async def _from_chunks(context: Context, shape: ImageHeader, idle_s: float) -> bytearray:
    target = TARGETS[shape.field.rpartition(".")[2]]
    data = bytearray()
    while len(data) < shape.num_bytes:
        request = await _next(context, idle_s)
        if request is None:
            raise InvalidRequestError(
                shape.field + ".data", f"ends after {len(data)} of {shape.num_bytes} bytes"
            )
        if request.WhichOneof("message") != "chunk":
            raise InvalidRequestError(
                "header", "was sent twice; only the first message may be a header"
            )
        if request.chunk.target != target:
            raise InvalidRequestError(
                "chunk.target",
                f"is {_target_name(request.chunk.target)} although {shape.field} is incomplete; "
                "send the images in the order crop, hole, overview",
            )
        piece = request.chunk.data  # every access makes a copy
        if not 0 < len(piece) <= MAX_CHUNK_BYTES:
            raise InvalidRequestError(
                "chunk.data",
                f"has {len(piece)} bytes; must have 1 to {MAX_CHUNK_BYTES}",
            )
        if len(data) + len(piece) > shape.num_bytes:
            raise InvalidRequestError(
                shape.field + ".data", f"has more than {shape.num_bytes} bytes"
            )
        data += piece
    return data


def _target_name(number: int) -> str:
    return pb.Chunk.Target.Name(number) if number in pb.Chunk.Target.values() else str(number)


async def _next(context: Context, idle_s: float) -> Request | None:
    """Return the next message; None at the end of the stream.

    This does not use the iterator that gRPC passes to the method. If that is not read to its end,
    it is a reference cycle, which keeps the images in memory until the next garbage collection.
    """
    try:
        async with asyncio.timeout(idle_s):
            message: Request | None = read(await context.read())
    except TimeoutError:
        raise DeadlineExceededError("CLIENT_SENT_NOTHING", seconds=f"{idle_s:.0f}") from None
    return message
