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
from inpaint_protos.secret import Secret
from inpaint_protos.sentences import DOMAIN, ERROR_INFO
from inpaint_protos.status.v1 import status_pb2

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


def told_to_client(error: BaseException) -> RequestError:
    """Return what the client is told. The details of what only we can understand go to the log."""
    if isinstance(error, RequestError):
        return error
    reference = secrets.token_hex(4)
    log.error("error=%s", reference, exc_info=error)
    code = "DAEMON_MEMORY" if is_out_of_memory(error) else "BUG"
    return RequestError(code, reference=reference)


async def refuse(context: Context, status: grpc.StatusCode, told: RequestError) -> None:
    """End the call with a status, whose details carry the code and values of the sentence."""
    info = status_pb2.ErrorInfo(reason=told.code, domain=DOMAIN, metadata=told.values)
    details = status_pb2.Status(
        code=status.value[0],
        message=str(told),
        details=[status_pb2.Detail(type_url=ERROR_INFO, value=info.SerializeToString())],
    )
    trailer = (("grpc-status-details-bin", details.SerializeToString()),)
    await context.abort(status, str(told), trailer)


class TokenInterceptor(grpc.aio.ServerInterceptor):
    """UNAUTHENTICATED for every call without `authorization: Bearer TOKEN`."""

    def __init__(self, token: Secret, on_refusal: Callable[[str, Context], None]) -> None:
        self._expected = f"Bearer {token.reveal()}".encode()
        self._on_refusal = on_refusal

    async def intercept_service(
        self, continuation: Callable[[Any], Awaitable[Any]], call: grpc.HandlerCallDetails
    ) -> Any:
        """Return the call's handler, or one that refuses it."""
        handler = await continuation(call)
        given = dict(call.invocation_metadata or ()).get("authorization")
        if handler is None or self._is_right(given):
            return handler
        told = RequestError("TOKEN_MISSING" if given is None else "TOKEN_WRONG")

        async def refused(request: Any, context: Context) -> None:
            self._on_refusal(call.method.rpartition("/")[2], context)
            await refuse(context, grpc.StatusCode.UNAUTHENTICATED, told)

        return _like(handler, refused)

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
                await refuse(context, status_of(error), told_to_client(error))

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
