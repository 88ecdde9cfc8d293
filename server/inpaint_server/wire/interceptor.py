"""Every call passes here: the token is checked, and exceptions become statuses in one table.

Methods are handed to gRPC as if all of them took and gave streams, which is the same on the wire.
gRPC would otherwise read the message of a unary call itself: without end, where none comes, and
with UNKNOWN and a trace in the log, where it cannot be read.
"""

from __future__ import annotations

import asyncio
import hmac
import inspect
import logging
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TYPE_CHECKING, Any

import grpc
import grpc.aio
from google.protobuf.message import DecodeError
from inpaint_protos.secret import Secret
from inpaint_protos.sentences import DOMAIN, ERROR_INFO, RETRY_INFO
from inpaint_protos.status.v1 import status_pb2

from ..errors import (
    DeadlineExceededError,
    InvalidRequestError,
    MalformedMessageError,
    NotFoundError,
    RequestError,
    ResourceExhaustedError,
    UnavailableError,
    UnknownMethodError,
    WrongModelError,
)
from ..models.device import is_out_of_memory

if TYPE_CHECKING:
    Context = grpc.aio.ServicerContext[Any, Any]
    Continuation = Callable[[grpc.HandlerCallDetails], Awaitable[Any]]
    Streaming = Callable[[AsyncIterator[Any], Context], Awaitable[None]]

log = logging.getLogger(__name__)

STATUS: dict[type[RequestError], grpc.StatusCode] = {
    InvalidRequestError: grpc.StatusCode.INVALID_ARGUMENT,
    MalformedMessageError: grpc.StatusCode.INVALID_ARGUMENT,
    NotFoundError: grpc.StatusCode.NOT_FOUND,
    ResourceExhaustedError: grpc.StatusCode.RESOURCE_EXHAUSTED,
    WrongModelError: grpc.StatusCode.FAILED_PRECONDITION,
    UnavailableError: grpc.StatusCode.UNAVAILABLE,
    UnknownMethodError: grpc.StatusCode.UNIMPLEMENTED,
    DeadlineExceededError: grpc.StatusCode.DEADLINE_EXCEEDED,
}

HEALTH = "/grpc.health.v1.Health/"
HEALTH_CHECK = HEALTH + "Check"


def is_departure(error: BaseException) -> bool:
    """Return whether the client left: gRPC cancels the method, or its next read or write fails."""
    gone = isinstance(error, grpc.aio.BaseError) and not isinstance(error, grpc.aio.AbortError)
    return gone or isinstance(error, asyncio.CancelledError)


def status_of(error: BaseException) -> grpc.StatusCode:
    """Return an exception's status: INTERNAL for everything that is nobody's fault but ours."""
    for kind, code in STATUS.items():
        if isinstance(error, kind):
            return code
    if is_out_of_memory(error):
        return grpc.StatusCode.RESOURCE_EXHAUSTED
    return grpc.StatusCode.INTERNAL


def client_message(error: BaseException) -> RequestError:
    """Return what the client is told. The details of what only we can understand go to the log."""
    if isinstance(error, RequestError):
        return error
    reference = secrets.token_hex(4)
    log.error("error=%s", reference, exc_info=error)
    code = "DAEMON_MEMORY" if is_out_of_memory(error) else "BUG"
    return RequestError(code, reference=reference)


async def refuse(context: Context, status: grpc.StatusCode, told: RequestError) -> None:
    """End the call with a status, whose details carry the code and values of the sentence.

    Where the same call may succeed later, they also say after how long.
    """
    info = status_pb2.ErrorInfo(reason=told.code, domain=DOMAIN, metadata=told.values)
    details = [status_pb2.Detail(type_url=ERROR_INFO, value=info.SerializeToString())]
    if told.retry_after_s is not None:
        seconds, rest = divmod(told.retry_after_s, 1)
        delay = status_pb2.Duration(seconds=int(seconds), nanos=int(rest * 1e9))
        retry = status_pb2.RetryInfo(retry_delay=delay)
        details.append(status_pb2.Detail(type_url=RETRY_INFO, value=retry.SerializeToString()))
    message = status_pb2.Status(code=status.value[0], message=str(told), details=details)
    trailer = (("grpc-status-details-bin", message.SerializeToString()),)
    await context.abort(status, str(told), trailer)


class TokenInterceptor(grpc.aio.ServerInterceptor):
    """UNAUTHENTICATED for every call without `authorization: Bearer TOKEN`.

    token: gives the one that counts now.
    on_refusal: told the call's name.
    on_admission: told the peer of a call with the right token.
    """

    def __init__(
        self,
        token: Callable[[], Secret],
        on_refusal: Callable[[str, Context], None],
        on_admission: Callable[[str], None] = lambda peer: None,
    ) -> None:
        self._token = token
        self._on_refusal = on_refusal
        self.on_admission = on_admission

    async def intercept_service(
        self, continuation: Continuation, call: grpc.HandlerCallDetails
    ) -> Any:
        """Return the call's handler, or one that refuses it before anything is read."""
        given = dict(call.invocation_metadata or ()).get("authorization")
        if self._is_right(given):
            return self._admitting(await continuation(call))
        if call.method == HEALTH_CHECK:  # for those who watch over the daemon and hold no secret
            return await continuation(call)
        told = RequestError("TOKEN_MISSING" if given is None else "TOKEN_WRONG")

        async def refused(requests: AsyncIterator[bytes], context: Context) -> None:
            self._on_refusal(call.method.rpartition("/")[2], context)
            await refuse(context, grpc.StatusCode.UNAUTHENTICATED, told)

        return grpc.stream_stream_rpc_method_handler(refused)

    def _admitting(self, handler: Any) -> Any:
        async def admitted(requests: AsyncIterator[Any], context: Context) -> None:
            self.on_admission(context.peer())
            await handler.stream_stream(requests, context)

        return grpc.stream_stream_rpc_method_handler(
            admitted, handler.request_deserializer, handler.response_serializer
        )

    def _is_right(self, given: str | bytes | None) -> bool:
        if isinstance(given, str):
            given = given.encode("utf-8", "replace")
        expected = f"Bearer {self._token().reveal()}".encode()
        return given is not None and hmac.compare_digest(given, expected)


class StatusInterceptor(grpc.aio.ServerInterceptor):
    """Whatever methods raise becomes a status, and so does what is no message or no method.

    idle_s: how long the message of a unary call may be on its way.
    max_calls: how many calls may be open at once. Those of health, which wait for news most of the
        time, are not counted.
    """

    def __init__(self, idle_s: float, max_calls: int) -> None:
        self._idle_s = idle_s
        self._max_calls = max_calls
        self._open = 0

    async def intercept_service(
        self, continuation: Continuation, call: grpc.HandlerCallDetails
    ) -> Any:
        """Return a handler that gives the exceptions of the call's own one a status."""
        handler = await continuation(call)
        if handler is None:
            return grpc.stream_stream_rpc_method_handler(self._guarded(_unknown(call.method), 0))
        streaming = _as_streams(handler, self._idle_s)
        weight = 0 if call.method.startswith(HEALTH) else 1
        return grpc.stream_stream_rpc_method_handler(
            self._guarded(streaming, weight),
            _reader(handler.request_deserializer),
            handler.response_serializer,
        )

    def _guarded(self, method: Streaming, weight: int) -> Streaming:
        """Return the method with statuses for its exceptions; it counts as `weight` calls."""

        async def guarded(requests: AsyncIterator[Any], context: Context) -> None:
            self._open += weight
            try:
                if weight and self._open > self._max_calls:
                    raise ResourceExhaustedError("TOO_MANY_CALLS", limit=self._max_calls)
                await method(requests, context)
            except (asyncio.CancelledError, grpc.aio.AbortError):
                raise
            except Exception as error:
                if is_departure(error):
                    raise asyncio.CancelledError from None
                await refuse(context, status_of(error), client_message(error))
            finally:
                self._open -= weight

        return guarded


def read(message: Any) -> Any:
    """Return a message that came, or None at the end of a stream.

    Raises:
        MalformedMessageError: the bytes are none of the type that the method takes.
    """
    if isinstance(message, MalformedMessageError):
        raise message
    return None if message is grpc.aio.EOF else message


def _reader(deserialize: Callable[[bytes], Any]) -> Callable[[bytes], Any]:
    """Return a reader of messages that raises nothing: gRPC would answer in its own words."""

    def reader(data: bytes) -> Any:
        try:
            return deserialize(data)
        except DecodeError:
            return MalformedMessageError(deserialize)

    return reader


def _as_streams(handler: Any, idle_s: float) -> Streaming:
    """Return a method of any kind as one of streams."""
    method = (
        handler.unary_unary or handler.unary_stream or handler.stream_unary or handler.stream_stream
    )

    async def streaming(requests: AsyncIterator[Any], context: Context) -> None:
        if handler.request_streaming:
            argument: Any = requests if inspect.iscoroutinefunction(method) else _checked(requests)
        else:
            argument = await _only_message(context, idle_s)
        if inspect.isasyncgenfunction(method):
            async for reply in method(argument, context):
                await context.write(reply)
        else:
            reply = await method(argument, context)
            if not handler.response_streaming:
                await context.write(reply)

    return streaming


async def _only_message(context: Context, idle_s: float) -> Any:
    try:
        async with asyncio.timeout(idle_s):
            message = read(await context.read())
    except TimeoutError:
        raise DeadlineExceededError("CLIENT_SENT_NOTHING", seconds=f"{idle_s:.0f}") from None
    if message is None:
        raise InvalidRequestError("message", "is missing; this call takes one")
    return message


async def _checked(requests: AsyncIterator[Any]) -> AsyncIterator[Any]:
    async for message in requests:
        yield read(message)


def _unknown(name: str) -> Streaming:
    async def unknown(requests: AsyncIterator[bytes], context: Context) -> None:
        raise UnknownMethodError("UNKNOWN_METHOD", name=name)

    return unknown
