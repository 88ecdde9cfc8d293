"""The daemon's five requests, for asyncio.

    async with Client(parse_endpoint("127.0.0.1:50099", token)) as client:
        info = await client.info()
        async for event in client.fill(job):
            ...

Hosts with a user interface use `Worker`, scripts use `BlockingClient`; both run this one.
"""

from __future__ import annotations

import asyncio
import secrets
import socket
import ssl
from collections.abc import AsyncGenerator, Awaitable, Iterator
from contextlib import aclosing, contextmanager
from dataclasses import replace
from types import TracebackType
from typing import Any, TypeVar

from google.protobuf.message import Message as WireMessage
from grpclib.client import Stream, StreamStreamMethod, UnaryUnaryMethod
from grpclib.exceptions import GRPCError, ProtocolError, StreamTerminatedError
from h2.exceptions import H2Error
from inpaint_protos.health.v1 import health_pb2
from inpaint_protos.secret import Secret
from inpaint_protos.v1 import inpaint_pb2 as pb

from .channel import ImageChannel, ReasonCodec
from .endpoint import Endpoint
from .errors import (
    ConnectionLostError,
    DaemonNotFoundError,
    InpaintError,
    NotFoundError,
    NotRespondingError,
    RequestTimeoutError,
    from_status,
)
from .events import Done, FillEvent, Sending
from .info import DaemonInfo, Model
from .requests import EditJob, FillJob
from .sentence import Sentence
from .wire import Answer, daemon_info, edit_requests, fill_requests, model

Reply = TypeVar("Reply", bound=WireMessage)
T = TypeVar("T")

_SERVICE = "/inpaint.v1.Inpaint/"
_HEALTH_CHECK = "/grpc.health.v1.Health/Check"
_BROKEN = (ConnectionResetError, ConnectionAbortedError, BrokenPipeError)

_TIMEOUTS = (asyncio.TimeoutError, TimeoutError)  # two before Python 3.11
_THIS_PROGRAM = secrets.token_urlsafe(12)

CONNECT_TIMEOUT_S = 10.0
UNARY_TIMEOUT_S = 10.0
LOAD_TIMEOUT_S = 300.0
SILENCE_TIMEOUT_S = (
    10.0  # a daemon that renders may be quiet for longer, but then answers when it is asked
)
_SMALL_TIMEOUT_S = 5.0  # for an answer that takes no time


class Client:
    """One connection to one daemon; made in a running event loop, connects when first used.

    Every method raises `InpaintError`s. A broken connection is made anew by the next call.
    Cancelling the task cancels the request on the daemon.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        connect_timeout_s: float = CONNECT_TIMEOUT_S,
        quiet_s: float = SILENCE_TIMEOUT_S,
        name: str = _THIS_PROGRAM,
    ) -> None:
        """Talk to a daemon.

        Args:
            endpoint: where it is.
            connect_timeout_s: until the connection has to be there.
            quiet_s: one that is quiet for so long is asked whether it lives.
            name: what the daemon tells clients apart by, to give each the same share of the device:
                all connections of one program have one name, unless they say otherwise.
        """
        self.endpoint = endpoint
        self._quiet_s = quiet_s
        self._connect_timeout_s = connect_timeout_s
        if endpoint.path:
            self._channel = ImageChannel(path=endpoint.path, status_details_codec=ReasonCodec())
        else:
            context = endpoint.tls.context() if endpoint.tls else None
            self._channel = ImageChannel(
                endpoint.host, endpoint.port, ssl=context, status_details_codec=ReasonCodec()
            )
        self._metadata = {"inpaint-client": name, **_authorization(endpoint.token)}

    async def __aenter__(self) -> Client:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Cut the connection; requests under way end with ConnectionLostError."""
        transport = self._transport()
        self._channel.close()
        if transport is not None:
            transport.abort()  # TLS would wait for the daemon's goodbye, perhaps after the loop
            for _ in range(3):
                await asyncio.sleep(0)  # the sockets are closed in the loop's next turns

    async def info(self, timeout_s: float | None = UNARY_TIMEOUT_S) -> DaemonInfo:
        """Return what the daemon is and can do. Cheap."""
        return daemon_info(await self._unary("Info", pb.InfoRequest(), pb.InfoResponse, timeout_s))

    async def load_model(self, name: str, timeout_s: float | None = LOAD_TIMEOUT_S) -> Model:
        """Bring a model into memory; NotFoundError unless `info` lists it."""
        request = pb.LoadModelRequest(name=name)
        return model(
            (await self._unary("LoadModel", request, pb.LoadModelResponse, timeout_s)).model
        )

    async def unload_model(self, name: str, timeout_s: float | None = UNARY_TIMEOUT_S) -> bool:
        """Free a model's memory; whether it was loaded."""
        request = pb.UnloadModelRequest(name=name)
        reply = await self._unary("UnloadModel", request, pb.UnloadModelResponse, timeout_s)
        return bool(reply.was_loaded)

    async def is_serving(self, timeout_s: float | None = UNARY_TIMEOUT_S) -> bool:
        """Return gRPC's health check: False while the daemon loads, drains, or lost its device."""
        method = UnaryUnaryMethod(
            self._channel,
            _HEALTH_CHECK,
            health_pb2.HealthCheckRequest,
            health_pb2.HealthCheckResponse,
        )
        reply = await self._call(method, health_pb2.HealthCheckRequest(), timeout_s)
        return bool(reply.status == health_pb2.HealthCheckResponse.SERVING)

    def fill(self, job: FillJob, timeout_s: float | None = None) -> AsyncGenerator[FillEvent, None]:
        """Fill a hole; events as they come, the last is `Done`. Close the iterator to cancel."""
        size = job.capture.num_bytes
        return self._stream("Fill", fill_requests(job), pb.FillRequest, size, timeout_s)

    async def edit(
        self, job: EditJob, timeout_s: float | None = None
    ) -> AsyncGenerator[FillEvent, None]:
        """Render a candidate again; events as for `fill`.

        Of a job with both, the source travels only if the daemon does not have the session.
        """
        attempts = [job]
        if job.session_id and job.source is not None:
            attempts = [replace(job, source=None), replace(job, session_id="")]
        begun = False
        for attempt in attempts:
            requests = edit_requests(attempt)
            try:
                seen = attempt.source.capture if attempt.source else None
                size = seen.num_bytes if seen else 0
                events = self._stream("Edit", requests, pb.EditRequest, size, timeout_s)
                async with aclosing(events):
                    async for value in events:
                        begun = begun or not isinstance(value, Sending)
                        yield value
            except NotFoundError as error:
                is_lost = error.code in ("", "UNKNOWN_SESSION")  # older daemons tell no codes
                if begun or attempt is attempts[-1] or not is_lost:
                    raise
            else:
                return

    async def _unary(
        self, name: str, request: WireMessage, reply: type[Reply], timeout_s: float | None
    ) -> Reply:
        method = UnaryUnaryMethod(self._channel, _SERVICE + name, type(request), reply)
        return await self._call(method, request, timeout_s)

    async def _call(
        self, method: UnaryUnaryMethod[Any, Reply], request: WireMessage, timeout_s: float | None
    ) -> Reply:
        await self._connect()
        try:
            with _translated(self.endpoint):
                return await method(request, timeout=timeout_s, metadata=self._metadata)
        except RequestTimeoutError as error:
            if type(error) is not RequestTimeoutError or await self._answers(_SMALL_TIMEOUT_S):
                raise
            raise _not_answering(self.endpoint) from error

    async def _answers(self, timeout_s: float) -> bool:
        """Return whether the daemon answers a small question; that takes it no time."""
        method = UnaryUnaryMethod(
            self._channel,
            _HEALTH_CHECK,
            health_pb2.HealthCheckRequest,
            health_pb2.HealthCheckResponse,
        )
        question = method(
            health_pb2.HealthCheckRequest(), timeout=timeout_s, metadata=self._metadata
        )
        try:
            await question
        except _TIMEOUTS:
            return False
        except Exception:
            return True
        return True

    async def _watched(self, step: Awaitable[T]) -> T:
        """Return a step's result; NotRespondingError if the daemon answers nothing meanwhile."""
        task = asyncio.ensure_future(step)
        try:
            while not (await asyncio.wait({task}, timeout=self._quiet_s))[0]:
                if not await self._answers(max(self._quiet_s, _SMALL_TIMEOUT_S)):
                    raise _not_answering(self.endpoint)
            return await task
        except _TIMEOUTS as error:  # the request's deadline: is the daemon slow, or gone quiet?
            if await self._answers(_SMALL_TIMEOUT_S):
                raise
            raise _not_answering(self.endpoint) from error
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _connect(self) -> None:
        """Make the connection if there is none; so that its failures are told from slow answers."""
        try:
            with _translated(self.endpoint):
                await asyncio.wait_for(self._channel.__connect__(), self._connect_timeout_s)
        except RequestTimeoutError as error:
            raise DaemonNotFoundError(
                Sentence(
                    "{endpoint} did not answer within {seconds:.0f} s.",
                    endpoint=self.endpoint,
                    seconds=self._connect_timeout_s,
                )
            ) from error
        if self.endpoint.host:
            _watch(self._transport())

    def _transport(self) -> asyncio.Transport | None:
        """The connection's, if there is one; grpclib has no public way to it."""
        connection = getattr(self._channel._protocol, "connection", None)
        return getattr(connection, "_transport", None)

    async def _stream(
        self,
        name: str,
        requests: Iterator[WireMessage],
        kind: type[WireMessage],
        size: int,
        timeout_s: float | None,
    ) -> AsyncGenerator[FillEvent, None]:
        """Send the requests and yield the answers; `size` is that of all chunks together."""
        method = StreamStreamMethod(self._channel, _SERVICE + name, kind, pb.FillEvent)
        finished = False
        await self._connect()
        with _translated(self.endpoint):
            async with method.open(timeout=timeout_s, metadata=self._metadata) as stream:
                async with aclosing(_upload(stream, requests, size)) as pieces:
                    while (piece := await self._watched(anext(pieces, None))) is not None:
                        yield piece
                answer = Answer()
                while (message := await self._watched(stream.recv_message())) is not None:
                    value = answer.event(message)
                    if value is not None:
                        finished = isinstance(value, Done)
                        yield value
        if not finished:
            raise ConnectionLostError(
                Sentence(
                    "The daemon at {endpoint} ended its answer too early.", endpoint=self.endpoint
                )
            )


def _not_answering(endpoint: Endpoint) -> NotRespondingError:
    return NotRespondingError(
        Sentence("The daemon at {endpoint} does not answer.", endpoint=endpoint)
    )


def _authorization(token: Secret) -> dict[str, str]:
    """Return the header that shows a token; none without one."""
    return {"authorization": f"Bearer {token.reveal()}"} if token else {}


def _watch(transport: asyncio.Transport | None) -> None:
    """Let the system notice, within about 40 s, a machine that vanished without a word."""
    connection = transport.get_extra_info("socket") if transport else None
    if connection is None:
        return
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in (("TCP_KEEPIDLE", 20), ("TCP_KEEPINTVL", 5), ("TCP_KEEPCNT", 4)):
        if hasattr(socket, option):
            connection.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), value)


async def _upload(
    stream: Stream[Any, Any], requests: Iterator[WireMessage], size: int
) -> AsyncGenerator[Sending, None]:
    """Send the requests; between two chunks, tell how much is sent."""
    sent = 0
    try:
        await stream.send_request()
        for request in requests:
            await stream.send_message(request)
            if request.WhichOneof("message") == "chunk":
                sent += request.ByteSize()
                yield Sending(min(sent / size, 1.0))
        await stream.end()
    except H2Error as error:
        # The daemon refused in the middle; the stream knows its status when it ends like this.
        raise StreamTerminatedError(str(error)) from error


@contextmanager
def _translated(endpoint: Endpoint) -> Iterator[None]:
    """Whatever the transport raises, as this package's errors."""
    try:
        yield
    except InpaintError:
        raise
    except GRPCError as error:
        raise from_status(error.status.value, error.message, error.details) from error
    except _TIMEOUTS as error:
        if getattr(error, "errno", None):  # the network's, not the deadline's
            raise DaemonNotFoundError(
                Sentence("{endpoint} does not answer.", endpoint=endpoint)
            ) from error
        raise RequestTimeoutError(
            Sentence("The daemon at {endpoint} did not answer in time.", endpoint=endpoint)
        ) from error
    except ssl.SSLError as error:
        raise DaemonNotFoundError(
            Sentence(
                "The daemon at {endpoint} is not trusted ({reason}).",
                endpoint=endpoint,
                reason=error.reason or error,
            ),
            Sentence("Name the authority of its certificate in the settings."),
        ) from error
    except (StreamTerminatedError, ProtocolError, H2Error, *_BROKEN) as error:
        raise ConnectionLostError(
            Sentence("The connection to the daemon at {endpoint} broke.", endpoint=endpoint)
        ) from error
    except OSError as error:
        raise DaemonNotFoundError(
            Sentence("No daemon answers at {endpoint}.", endpoint=endpoint)
        ) from error
