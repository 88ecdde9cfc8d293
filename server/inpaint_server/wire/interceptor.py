"""Interceptors for all calls, which check the token and convert exceptions to statuses.

All methods are registered with gRPC as streaming methods, which makes no difference on the wire.
Otherwise gRPC would read the message of a unary call itself. It would wait forever for a missing
message, and answer an unreadable one with UNKNOWN and a traceback in the log.
"""

from __future__ import annotations

import asyncio
import hmac
import inspect
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
    as_request_error,
)
from ..models.device import is_out_of_memory

if TYPE_CHECKING:
    Context = grpc.aio.ServicerContext[Any, Any]
    Continuation = Callable[[grpc.HandlerCallDetails], Awaitable[Any]]
    Streaming = Callable[[AsyncIterator[Any], Context], Awaitable[None]]

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
    """Return whether the client left: gRPC cancels the method, or a read or write fails."""
    gone = isinstance(error, grpc.aio.BaseError) and not isinstance(error, grpc.aio.AbortError)
    return gone or isinstance(error, asyncio.CancelledError)


def status_of(error: BaseException) -> grpc.StatusCode:
    """Return the status of an exception; INTERNAL for unexpected ones, which are bugs."""
    for kind, code in STATUS.items():
        if isinstance(error, kind):
            return code
    if is_out_of_memory(error):
        return grpc.StatusCode.RESOURCE_EXHAUSTED
    return grpc.StatusCode.INTERNAL


async def refuse(context: Context, status: grpc.StatusCode, told: RequestError) -> None:
    """End the call with a status whose details contain the code and the values of the message.

    If the same call may succeed later, they also contain the retry delay.
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
    """Refuse every call without `authorization: Bearer TOKEN` as UNAUTHENTICATED.

    Args:
        token: returns the current token.
        on_refusal: called with the name and the context of a refused call.
        on_admission: called with the peer of an accepted call.
        on_check: called with the peer of a health check without the token.
    """

    def __init__(
        self,
        token: Callable[[], Secret],
        on_refusal: Callable[[str, Context], None],
        on_admission: Callable[[str], None] = lambda peer: None,
        on_check: Callable[[str], None] = lambda peer: None,
    ) -> None:
        self._token = token
        self._on_refusal = on_refusal
        self.on_admission = on_admission
        self.on_check = on_check

    async def intercept_service(
        self, continuation: Continuation, call: grpc.HandlerCallDetails
    ) -> Any:
        """Return the call's handler, or one that refuses the call without reading from it."""
        given = dict(call.invocation_metadata or ()).get("authorization")
        if self._is_right(given):
            return _noting(await continuation(call), self.on_admission)
        if call.method == HEALTH_CHECK:  # supervisors and load balancers do not have the token
            return _noting(await continuation(call), self.on_check)
        told = RequestError("TOKEN_MISSING" if given is None else "TOKEN_WRONG")

        async def refused(requests: AsyncIterator[bytes], context: Context) -> None:
            self._on_refusal(call.method.rpartition("/")[2], context)
            await refuse(context, grpc.StatusCode.UNAUTHENTICATED, told)

        return grpc.stream_stream_rpc_method_handler(refused)

    def _is_right(self, given: str | bytes | None) -> bool:
        if isinstance(given, str):
            given = given.encode("utf-8", "replace")
        expected = f"Bearer {self._token().reveal()}".encode()
        return given is not None and hmac.compare_digest(given, expected)


def _noting(handler: Any, note: Callable[[str], None]) -> Any:
    """Wrap a handler so that `note` is called with the peer of each call."""

    async def noted(requests: AsyncIterator[Any], context: Context) -> None:
        note(context.peer())
        await handler.stream_stream(requests, context)

    return grpc.stream_stream_rpc_method_handler(
        noted, handler.request_deserializer, handler.response_serializer
    )


class StatusInterceptor(grpc.aio.ServerInterceptor):
    """Convert all exceptions, malformed messages and unknown methods to statuses.

    Args:
        idle_s: time limit for receiving the message of a unary call, in seconds.
        max_calls: maximum number of open calls, not counting health calls, most of which are idle.
    """

    def __init__(self, idle_s: float, max_calls: int) -> None:
        self._idle_s = idle_s
        self._max_calls = max_calls
        self._open = 0

    async def intercept_service(
        self, continuation: Continuation, call: grpc.HandlerCallDetails
    ) -> Any:
        """Return a handler that converts the exceptions of the call's own handler."""
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
        """Wrap a method to convert its exceptions to statuses and count it as `weight` calls."""

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
                told = as_request_error(error, is_out_of_memory(error))
                await refuse(context, status_of(error), told)
            finally:
                self._open -= weight

        return guarded


def read(message: Any) -> Any:
    """Return a received message; None at the end of the stream.

    Raises:
        MalformedMessageError: the bytes are not a message of the expected type.
    """
    if isinstance(message, MalformedMessageError):
        raise message
    return None if message is grpc.aio.EOF else message


def _reader(deserialize: Callable[[bytes], Any]) -> Callable[[bytes], Any]:
    """Return a parser that returns errors instead of raising them, which gRPC would answer."""

    def reader(data: bytes) -> Any:
        try:
            return deserialize(data)
        except DecodeError:
            return MalformedMessageError(deserialize)

    return reader


def _as_streams(handler: Any, idle_s: float) -> Streaming:
    """Convert a method of any kind to a streaming method."""
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
        raise InvalidRequestError("message", "is missing; this call needs exactly one")
    return message


async def _checked(requests: AsyncIterator[Any]) -> AsyncIterator[Any]:
    async for message in requests:
        yield read(message)


def _unknown(name: str) -> Streaming:
    async def unknown(requests: AsyncIterator[bytes], context: Context) -> None:
        raise UnknownMethodError("UNKNOWN_METHOD", name=name)

    return unknown
