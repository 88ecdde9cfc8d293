"""Asyncio client with the daemon's six requests.

    async with Client(parse_endpoint("127.0.0.1:50099", token)) as client:
        info = await client.info()
        async for event in client.fill(job):
            ...

Hosts with a user interface use `Worker`, and scripts use `BlockingClient`; both run this client.
"""

from __future__ import annotations

import asyncio
import secrets
import socket
import ssl
from collections.abc import AsyncGenerator, Awaitable, Iterator, Mapping
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
from .events import Accepted, Done, FillEvent, Sending
from .info import DaemonInfo, Model
from .requests import EditJob, FillJob
from .segments import Face, PartMask, Segmentation, SegmentJob
from .sentence import Sentence
from .wire import (
    Answer,
    daemon_info,
    edit_requests,
    fill_requests,
    found_faces,
    model,
    part_mask,
    segment_requests,
)

Reply = TypeVar("Reply", bound=WireMessage)
T = TypeVar("T")

_SERVICE = "/inpaint.v1.Inpaint/"
_HEALTH_CHECK = "/grpc.health.v1.Health/Check"
_BROKEN = (ConnectionResetError, ConnectionAbortedError, BrokenPipeError)

_TIMEOUTS = (asyncio.TimeoutError, TimeoutError)  # two different classes before Python 3.11
_THIS_PROGRAM = secrets.token_urlsafe(12)

ROUTING_KEY = "inpaint-routing-key"  # metadata by which a proxy finds the daemon of a session

CONNECT_TIMEOUT_S = 10.0
UNARY_TIMEOUT_S = 10.0
LOAD_TIMEOUT_S = 300.0
SILENCE_TIMEOUT_S = 10.0  # a rendering daemon may be silent longer, but still answers health checks
_SMALL_TIMEOUT_S = 5.0  # for an answer that needs no work


class Client:
    """One connection to one daemon. Create it in a running event loop; it connects on first use.

    Every method may raise an `InpaintError`. If the connection was lost, the next call reconnects.
    Cancelling the task cancels the request on the daemon.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        connect_timeout_s: float = CONNECT_TIMEOUT_S,
        quiet_s: float = SILENCE_TIMEOUT_S,
        name: str = _THIS_PROGRAM,
    ) -> None:
        """Prepare a connection to a daemon.

        Args:
            endpoint: address of the daemon.
            connect_timeout_s: time limit for connecting, in seconds.
            quiet_s: if the daemon is silent for this long, its health is checked.
            name: the name by which the daemon tells clients apart in order to share the device
                fairly. By default, all connections of one program have the same name.
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
        """Close the connection; pending requests fail with ConnectionLostError."""
        self._channel.abort()
        for _ in range(3):
            await asyncio.sleep(0)  # the sockets are closed in the next iterations of the loop

    async def info(self, timeout_s: float | None = UNARY_TIMEOUT_S) -> DaemonInfo:
        """Return the daemon's description of itself and its models. Cheap."""
        return daemon_info(await self._unary("Info", pb.InfoRequest(), pb.InfoResponse, timeout_s))

    async def load_model(self, name: str, timeout_s: float | None = LOAD_TIMEOUT_S) -> Model:
        """Load a model into the daemon's memory.

        Raises:
            NotFoundError: `info` does not list the model.
        """
        request = pb.LoadModelRequest(name=name)
        return model(
            (await self._unary("LoadModel", request, pb.LoadModelResponse, timeout_s)).model
        )

    async def unload_model(self, name: str, timeout_s: float | None = UNARY_TIMEOUT_S) -> bool:
        """Free a model's memory and return whether it was loaded."""
        request = pb.UnloadModelRequest(name=name)
        reply = await self._unary("UnloadModel", request, pb.UnloadModelResponse, timeout_s)
        return bool(reply.was_loaded)

    async def is_serving(self, timeout_s: float | None = UNARY_TIMEOUT_S) -> bool:
        """Return the result of gRPC's health check.

        It is False while the daemon is loading or shutting down, or has lost its device.
        """
        method = UnaryUnaryMethod(
            self._channel,
            _HEALTH_CHECK,
            health_pb2.HealthCheckRequest,
            health_pb2.HealthCheckResponse,
        )
        reply = await self._call(method, health_pb2.HealthCheckRequest(), timeout_s)
        return bool(reply.status == health_pb2.HealthCheckResponse.SERVING)

    def fill(self, job: FillJob, timeout_s: float | None = None) -> AsyncGenerator[FillEvent, None]:
        """Fill a hole and yield the events; the last is `Done`. Close the iterator to cancel."""
        size = job.capture.num_bytes
        key = _new_routing_key()
        return self._stream("Fill", fill_requests(job), pb.FillRequest, size, timeout_s, key)

    async def edit(
        self, job: EditJob, timeout_s: float | None = None
    ) -> AsyncGenerator[FillEvent, None]:
        """Render a candidate again and yield the same events as `fill`.

        If the job has a session and a source, the source is only sent if the session is gone. It
        makes a session of its own, so it has a routing key of its own.
        """
        attempts = [job]
        if job.session_id and job.source is not None:
            attempts = [replace(job, source=None), replace(job, session_id="", routing_key="")]
        begun = False
        for attempt in attempts:
            requests = edit_requests(attempt)
            try:
                seen = attempt.source.capture if attempt.source else None
                size = seen.num_bytes if seen else 0
                key = attempt.routing_key or _new_routing_key()
                events = self._stream("Edit", requests, pb.EditRequest, size, timeout_s, key)
                async with aclosing(events):
                    async for value in events:
                        begun = begun or not isinstance(value, Sending)
                        yield value
            except NotFoundError as error:
                is_lost = error.code in ("", "UNKNOWN_SESSION")  # older daemons send no codes
                if begun or attempt is attempts[-1] or not is_lost:
                    raise
            else:
                return

    async def segment(self, job: SegmentJob, timeout_s: float | None = None) -> Segmentation:
        """Find the faces in an image, and the masks of their parts.

        Raises:
            DaemonInternalError: the daemon is an older version that cannot do this.
        """
        method = StreamStreamMethod(
            self._channel, _SERVICE + "Segment", pb.SegmentRequest, pb.SegmentEvent
        )
        faces: tuple[Face, ...] = ()
        masks: list[PartMask] = []
        await self._connect()
        with _translated(self.endpoint):
            async with method.open(timeout=timeout_s, metadata=self._metadata) as stream:
                requests = segment_requests(job)
                async with aclosing(_upload(stream, requests, len(job.image.data))) as pieces:
                    while await self._watched(anext(pieces, None), self._metadata) is not None:
                        pass
                while (
                    message := await self._watched(stream.recv_message(), self._metadata)
                ) is not None:
                    kind = message.WhichOneof("event")
                    if kind == "done":
                        return Segmentation(job.image.extent, faces, tuple(masks))
                    if kind == "faces":
                        faces = found_faces(message.faces)
                    elif kind == "mask" and (mask := part_mask(message.mask)) is not None:
                        masks.append(mask)
        raise _incomplete(self.endpoint)

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
            is_known = type(error) is not RequestTimeoutError
            if is_known or await self._answers(_SMALL_TIMEOUT_S, self._metadata):
                raise
            raise _not_answering(self.endpoint) from error

    async def _answers(self, timeout_s: float, metadata: Mapping[str, str]) -> bool:
        """Return whether the daemon answers a health check, which needs no work."""
        method = UnaryUnaryMethod(
            self._channel,
            _HEALTH_CHECK,
            health_pb2.HealthCheckRequest,
            health_pb2.HealthCheckResponse,
        )
        question = method(health_pb2.HealthCheckRequest(), timeout=timeout_s, metadata=metadata)
        try:
            await question
        except _TIMEOUTS:
            return False
        except Exception:
            return True
        return True

    async def _watched(self, step: Awaitable[T], metadata: Mapping[str, str]) -> T:
        """Await a step of a request with this metadata while checking that the daemon is alive.

        Raises:
            NotRespondingError: the daemon stopped answering health checks.
        """
        task = asyncio.ensure_future(step)
        try:
            while not (await asyncio.wait({task}, timeout=self._quiet_s))[0]:
                if not await self._answers(max(self._quiet_s, _SMALL_TIMEOUT_S), metadata):
                    raise _not_answering(self.endpoint)
            return await task
        except _TIMEOUTS as error:  # the request's deadline: is the daemon slow, or does it hang?
            if await self._answers(_SMALL_TIMEOUT_S, metadata):
                raise
            raise _not_answering(self.endpoint) from error
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _connect(self) -> None:
        """Connect if necessary; a separate step, to distinguish its failures from slow answers."""
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
        """Return the connection's transport, if any; grpclib has no public access to it."""
        connection = getattr(self._channel._protocol, "connection", None)
        return getattr(connection, "_transport", None)

    async def _stream(
        self,
        name: str,
        requests: Iterator[WireMessage],
        kind: type[WireMessage],
        size: int,
        timeout_s: float | None,
        routing_key: str,
    ) -> AsyncGenerator[FillEvent, None]:
        """Send the requests and yield the answers; `size` is that of all chunks, in bytes."""
        method = StreamStreamMethod(self._channel, _SERVICE + name, kind, pb.FillEvent)
        metadata = {**self._metadata, ROUTING_KEY: routing_key}
        finished = False
        await self._connect()
        with _translated(self.endpoint):
            async with method.open(timeout=timeout_s, metadata=metadata) as stream:
                async with aclosing(_upload(stream, requests, size)) as pieces:
                    while (piece := await self._watched(anext(pieces, None), metadata)) is not None:
                        yield piece
                answer = Answer()
                while (message := await self._watched(stream.recv_message(), metadata)) is not None:
                    value = answer.event(message)
                    if isinstance(value, Accepted):
                        value = replace(value, routing_key=routing_key)
                    if value is not None:
                        finished = isinstance(value, Done)
                        yield value
        if not finished:
            raise _incomplete(self.endpoint)


def _new_routing_key() -> str:
    return secrets.token_urlsafe(12)


def _incomplete(endpoint: Endpoint) -> ConnectionLostError:
    return ConnectionLostError(
        Sentence("The daemon at {endpoint} sent an incomplete answer.", endpoint=endpoint)
    )


def _not_answering(endpoint: Endpoint) -> NotRespondingError:
    return NotRespondingError(
        Sentence("The daemon at {endpoint} does not answer.", endpoint=endpoint)
    )


def _authorization(token: Secret) -> dict[str, str]:
    """Return the metadata that carries the token; empty without a token."""
    return {"authorization": f"Bearer {token.reveal()}"} if token else {}


def _watch(transport: asyncio.Transport | None) -> None:
    """Enable TCP keepalive, so that an unreachable machine is noticed within about 40 s."""
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
    """Send the requests, and yield the progress between chunks."""
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
        # The daemon refused the request during the upload; grpclib then reads the status.
        raise StreamTerminatedError(str(error)) from error


@contextmanager
def _translated(endpoint: Endpoint) -> Iterator[None]:
    """Convert the errors of the transport to those of this package."""
    try:
        yield
    except InpaintError:
        raise
    except GRPCError as error:
        raise from_status(error.status.value, error.message, error.details) from error
    except _TIMEOUTS as error:
        if getattr(error, "errno", None):  # a timeout of the network, not of the deadline
            raise DaemonNotFoundError(
                Sentence("{endpoint} does not answer.", endpoint=endpoint)
            ) from error
        raise RequestTimeoutError(
            Sentence("The daemon at {endpoint} did not answer in time.", endpoint=endpoint)
        ) from error
    except ssl.SSLError as error:
        raise DaemonNotFoundError(
            Sentence(
                "The certificate of the daemon at {endpoint} is not trusted ({reason}).",
                endpoint=endpoint,
                reason=error.reason or error,
            ),
            Sentence("Choose the certificate authority (CA) file in the settings."),
        ) from error
    except (StreamTerminatedError, ProtocolError, H2Error, *_BROKEN) as error:
        raise ConnectionLostError(
            Sentence("The connection to the daemon at {endpoint} was lost.", endpoint=endpoint)
        ) from error
    except OSError as error:
        raise DaemonNotFoundError(
            Sentence("No daemon answers at {endpoint}.", endpoint=endpoint)
        ) from error
