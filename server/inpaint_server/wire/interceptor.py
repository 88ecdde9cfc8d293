"""Every call passes here: the token is checked, and exceptions become statuses in one table."""

from __future__ import annotations

import asyncio
import hmac
import logging
import secrets
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

import grpc
import grpc.aio

from ..errors import (
    DeadlinePassed,
    InvalidRequest,
    NotFound,
    RequestError,
    TooMuch,
    Unavailable,
    WrongModel,
)
from ..models.device import is_out_of_memory

if TYPE_CHECKING:
    Context = grpc.aio.ServicerContext[Any, Any]

log = logging.getLogger(__name__)

STATUS: dict[type[RequestError], grpc.StatusCode] = {
    InvalidRequest: grpc.StatusCode.INVALID_ARGUMENT,
    NotFound: grpc.StatusCode.NOT_FOUND,
    TooMuch: grpc.StatusCode.RESOURCE_EXHAUSTED,
    WrongModel: grpc.StatusCode.FAILED_PRECONDITION,
    Unavailable: grpc.StatusCode.UNAVAILABLE,
    DeadlinePassed: grpc.StatusCode.DEADLINE_EXCEEDED,
}

OURS = "/inpaint.v1."


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


def sentence_for_client(error: BaseException) -> str:
    """Return what the client is told. The details of what only we can understand go to the log."""
    if isinstance(error, RequestError):
        return str(error)
    reference = secrets.token_hex(4)
    log.error("error=%s", reference, exc_info=error)
    if is_out_of_memory(error):
        return f"the daemon's memory does not suffice; its log has the details: {reference}"
    return f"a bug in the daemon; its log has the details: {reference}"


class TokenInterceptor(grpc.aio.ServerInterceptor):
    """UNAUTHENTICATED for every call without `authorization: Bearer TOKEN`."""

    def __init__(self, token: str, on_refusal: Callable[[str, Context], None]) -> None:
        self._expected = f"Bearer {token}".encode()
        self._on_refusal = on_refusal

    async def intercept_service(
        self, continuation: Callable[[Any], Awaitable[Any]], call: grpc.HandlerCallDetails
    ) -> Any:
        """Return the call's handler, or one that refuses it."""
        handler = await continuation(call)
        given = dict(call.invocation_metadata or ()).get("authorization")
        if handler is None or self._is_right(given):
            return handler
        reason = (
            "the call has no token; send `authorization: Bearer TOKEN` as metadata"
            if given is None
            else "the token is wrong; take the one in the daemon's runtime file"
        )

        async def refuse(request: Any, context: Context) -> None:
            self._on_refusal(call.method.rpartition("/")[2], context)
            await context.abort(grpc.StatusCode.UNAUTHENTICATED, reason)

        return _like(handler, refuse)

    def _is_right(self, given: str | bytes | None) -> bool:
        if isinstance(given, str):
            given = given.encode("utf-8", "replace")
        return given is not None and hmac.compare_digest(given, self._expected)


class StatusInterceptor(grpc.aio.ServerInterceptor):
    """Whatever our own methods raise becomes a status."""

    async def intercept_service(
        self, continuation: Callable[[Any], Awaitable[Any]], call: grpc.HandlerCallDetails
    ) -> Any:
        """Return the call's handler; that of our own methods gives exceptions a status."""
        handler = await continuation(call)
        if handler is None or not call.method.startswith(OURS):
            return handler
        method = (
            handler.unary_unary
            or handler.unary_stream
            or handler.stream_unary
            or handler.stream_stream
        )

        async def guarded(request: Any, context: Context) -> Any:
            try:
                return await method(request, context)
            except (asyncio.CancelledError, grpc.aio.AbortError):
                raise
            except Exception as error:
                if is_departure(error):
                    raise asyncio.CancelledError from None
                await context.abort(status_of(error), sentence_for_client(error))

        return _like(handler, guarded)


def _like(handler: Any, behaviour: Callable[[Any, Any], Awaitable[Any]]) -> Any:
    """Return a handler of the same kind with another behaviour."""
    kind = {
        (False, False): grpc.unary_unary_rpc_method_handler,
        (False, True): grpc.unary_stream_rpc_method_handler,
        (True, False): grpc.stream_unary_rpc_method_handler,
        (True, True): grpc.stream_stream_rpc_method_handler,
    }[handler.request_streaming, handler.response_streaming]
    return kind(behaviour, handler.request_deserializer, handler.response_serializer)
