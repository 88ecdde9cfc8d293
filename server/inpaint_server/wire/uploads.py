"""Receiving the images of a request: header first, then chunks, within a shared memory budget."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING, TypeVar

from inpaint_protos.v1 import inpaint_pb2 as pb

from ..errors import DeadlineExceededError, InvalidRequestError
from ..filling.specs import ImageHeader
from .interceptor import read

if TYPE_CHECKING:
    from .interceptor import Context

Header = TypeVar("Header", pb.FillHeader, pb.EditHeader)

MAX_CHUNK_BYTES = 4 << 20

TARGETS = {
    "crop": pb.Chunk.TARGET_CROP,
    "hole": pb.Chunk.TARGET_HOLE,
    "overview": pb.Chunk.TARGET_OVERVIEW,
}


async def first_message(context: Context, kind: type[Header], idle_s: float) -> Header:
    """Return the header of a request stream.

    Args:
        context: of the call.
        kind: what the method's stream begins with.
        idle_s: how long to wait for it, seconds.

    Raises:
        InvalidRequestError: the stream begins with something else, or is empty.
        DeadlineExceededError: nothing came for so long.
    """
    request = await _next(context, idle_s)
    if request is None or request.WhichOneof("message") != "header":
        raise InvalidRequestError("header", "is missing; it must be the first message")
    header = request.header
    assert isinstance(header, kind)
    return header


async def receive_images(
    context: Context,
    shapes: Sequence[ImageHeader],
    inline: Sequence[bytes],
    idle_s: float,
) -> list[bytes | bytearray]:
    """Return the bytes of every image, in the order of `shapes`.

    `inline` is what the header carried. An image that has no bytes there is collected from chunks.
    """
    images: list[bytes | bytearray] = []
    for shape, data in zip(shapes, inline, strict=True):
        images.append(data or await _from_chunks(context, shape, idle_s))
    return images


class Complete:
    """The context of a call whose request is complete: answers go through it.

    A client need not say that it has sent everything; but if anything else comes, the next answer
    raises InvalidRequestError or MalformedMessageError. (Nothing is cancelled in the middle: gRPC
    may be writing.)
    """

    def __init__(self, context: Context) -> None:
        self._context = context
        self._listening = asyncio.create_task(_refuse_more(context))

    def __enter__(self) -> Complete:
        return self

    def __exit__(self, *error: object) -> None:
        self._listening.cancel()
        self._listening.add_done_callback(_seen)

    async def write(self, event: pb.FillEvent) -> None:
        """Send an answer."""
        if self._listening.done():
            self._listening.result()
        await self._context.write(event)


def _seen(listening: asyncio.Task[None]) -> None:
    """Take note of what came after the last answer, which nobody is told any more."""
    if not listening.cancelled():
        listening.exception()


async def _refuse_more(context: Context) -> None:
    message = read(await context.read())
    if message is not None:
        kind = message.WhichOneof("message") or "message"
        raise InvalidRequestError(kind, "came after the last byte of the images")


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
            raise InvalidRequestError("header", "came twice; only the first message is a header")
        if request.chunk.target != target:
            raise InvalidRequestError(
                "chunk.target",
                f"is {_target_name(request.chunk.target)} while the bytes of {shape.field} are "
                "not complete; images come in the order crop, hole, overview",
            )
        piece = request.chunk.data  # a copy, each time that it is asked for
        if not 0 < len(piece) <= MAX_CHUNK_BYTES:
            raise InvalidRequestError(
                "chunk.data",
                f"has {len(piece)} bytes; a chunk has at least 1 and at most {MAX_CHUNK_BYTES}",
            )
        if len(data) + len(piece) > shape.num_bytes:
            raise InvalidRequestError(
                shape.field + ".data", f"has more than the {shape.num_bytes} bytes of its size"
            )
        data += piece
    return data


def _target_name(number: int) -> str:
    return pb.Chunk.Target.Name(number) if number in pb.Chunk.Target.values() else str(number)


async def _next(context: Context, idle_s: float) -> pb.FillRequest | pb.EditRequest | None:
    """Return the next message, None at the end of the stream.

    Not through the iterator that gRPC hands to the method: begun and not read to its end, that is
    a reference cycle, which keeps the images until the garbage collector comes by.
    """
    try:
        async with asyncio.timeout(idle_s):
            message: pb.FillRequest | pb.EditRequest | None = read(await context.read())
    except TimeoutError:
        raise DeadlineExceededError("CLIENT_SENT_NOTHING", seconds=f"{idle_s:.0f}") from None
    return message
