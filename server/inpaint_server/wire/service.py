"""The service `inpaint.v1.Inpaint`: converts requests to values, and a backend's answers back."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import ExitStack, aclosing
from typing import TYPE_CHECKING

from inpaint_protos.v1 import inpaint_pb2 as pb
from inpaint_protos.v1 import inpaint_pb2_grpc as pb_grpc

from .. import __version__, spans
from ..config import ServerConfig
from ..errors import DeadlineExceededError
from ..serving.answers import Accepted, Answer, Done, FacesFound, FinishedCandidate, FrameChosen
from ..serving.backend import Backend, Caller
from . import parsing
from .clients import client_of
from .limits import limits_message
from .messages import (
    activity_message,
    event_message,
    in_chunks,
    killed_message,
    model_message,
    segment_events,
)
from .request_log import LoggedRequest, RequestLog
from .uploads import Complete, StreamUpload, first_message

if TYPE_CHECKING:
    from .interceptor import Context


class InpaintService(pb_grpc.InpaintServicer):
    """The gRPC service in front of a backend."""

    def __init__(self, config: ServerConfig, backend: Backend, request_log: RequestLog) -> None:
        self._config = config
        self._limits = config.limits
        self._backend = backend
        self._request_log = request_log
        self._began = time.monotonic()

    @property
    def idle_s(self) -> float:
        """Time limit for each message of a client, in seconds."""
        return self._config.idle_s

    # -- Fill, edit, segment --------------------------------------------------------------------

    async def Fill(  # noqa: N802 (the name in the contract)
        self, requests: AsyncIterator[pb.FillRequest], context: Context
    ) -> None:
        """Send the frames, candidates and variants of a hole, each as soon as it is ready."""
        async with self._request_log.open("Fill", context) as logged:
            header = await first_message(context, pb.FillHeader, self.idle_s)
            spec = parsing.fill_spec(header, self._limits)
            crop = spec.geometry.crop
            logged.facts.update(
                model=spec.model,  # updated when the frame has decided which model fits
                crop=f"{crop.width}x{crop.height}x{crop.channels}",
                seeds=len(spec.seeds),
                variants=len(spec.variants),
            )
            inline = {shape.field: getattr(header, shape.field).data for shape in spec.shapes}
            upload = StreamUpload(context, inline, self.idle_s)
            answers = self._backend.fill(spec, upload, _caller(context))
            await self._send_all(answers, context, logged, accepts_chunks=spec.accepts_chunks)

    async def Edit(  # noqa: N802 (the name in the contract)
        self, requests: AsyncIterator[pb.EditRequest], context: Context
    ) -> None:
        """Send a candidate with changes, based on its session or its recipe and attachment."""
        async with self._request_log.open("Edit", context) as logged:
            header = await first_message(context, pb.EditHeader, self.idle_s)
            spec = parsing.edit_spec(header, self._limits)
            source = header.source
            inline = {"source.crop": source.crop.data, "source.hole": source.hole.data}
            upload = StreamUpload(context, inline, self.idle_s)
            answers = self._backend.edit(spec, upload, _caller(context))
            await self._send_all(answers, context, logged, accepts_chunks=spec.accepts_chunks)

    async def Segment(  # noqa: N802 (the name in the contract)
        self, requests: AsyncIterator[pb.SegmentRequest], context: Context
    ) -> None:
        """Send the faces in an image, then the masks of their parts."""
        async with self._request_log.open("Segment", context) as logged:
            header = await first_message(context, pb.SegmentHeader, self.idle_s)
            spec = parsing.segment_spec(header, self._limits)
            shape = spec.image
            logged.facts.update(
                image=f"{shape.width}x{shape.height}x{shape.channels}",
                parts=",".join(spec.parts) or "-",
            )
            upload = StreamUpload(context, {shape.field: header.image.data}, self.idle_s)
            answers = self._backend.segment(spec, upload, _caller(context))
            async with aclosing(answers):
                with ExitStack() as stack:
                    complete: Complete | None = None
                    async for answer in answers:
                        complete = complete or stack.enter_context(Complete(context))
                        if isinstance(answer, FacesFound):
                            logged.facts.update(faces=len(answer.faces))
                        for event in segment_events(answer):
                            await self._send(complete, event)
                    assert complete is not None
                    await self._send(complete, pb.SegmentEvent(done=pb.SegmentDone()))

    async def _send_all(
        self,
        answers: AsyncGenerator[Answer, None],
        context: Context,
        logged: LoggedRequest,
        *,
        accepts_chunks: bool,
    ) -> None:
        """Send the answers, and note in the log what they say.

        Args:
            answers: the answers, which are closed at the end.
            context: context of the call.
            logged: log entry of the request.
            accepts_chunks: whether the client accepts large candidates in chunks.
        """
        async with aclosing(answers):
            with ExitStack() as stack:
                complete: Complete | None = None
                async for answer in answers:
                    # The first answer comes when all images have been received.
                    complete = complete or stack.enter_context(Complete(context))
                    _note(answer, logged)
                    began = time.monotonic()
                    is_candidate = isinstance(answer, FinishedCandidate)
                    message = await _message(answer)
                    del answer  # its images need not stay in memory while the message is sent
                    for part in in_chunks(message) if accepts_chunks else (message,):
                        await self._send(complete, part)
                    if is_candidate:
                        spans.add("send", began)

    async def _send(self, context: Complete, event: pb.FillEvent | pb.SegmentEvent) -> None:
        try:
            async with asyncio.timeout(self.idle_s):
                await context.write(event)
        except TimeoutError:
            raise DeadlineExceededError(
                "CLIENT_READ_NOTHING", seconds=f"{self.idle_s:.0f}"
            ) from None

    # -- Info and models ------------------------------------------------------------------------

    async def Info(  # noqa: N802 (the name in the contract)
        self, request: pb.InfoRequest, context: Context
    ) -> pb.InfoResponse:
        """Return the description of the daemon and its models."""
        async with self._request_log.open("Info", context):
            made = await self._backend.describe()
            return pb.InfoResponse(
                version=__version__,
                device=made.device,
                device_type=made.device_type,
                precision=made.precision,
                models=map(model_message, made.models),
                limits=limits_message(self._config, made.memory_budget),
                queue_length=made.activity.queue_length,
                uptime_s=time.monotonic() - self._began,
                activity=activity_message(made.activity, self._request_log.running),
                last_killed=killed_message(made.killed) if made.killed else None,
            )

    async def LoadModel(  # noqa: N802 (the name in the contract)
        self, request: pb.LoadModelRequest, context: Context
    ) -> pb.LoadModelResponse:
        """Load a model on every device."""
        async with self._request_log.open("LoadModel", context) as logged:
            logged.facts.update(model=request.name)
            model = await self._backend.load_model(request.name, _caller(context))
            logged.facts.update(model=model.info.name)
            return pb.LoadModelResponse(model=model_message(model))

    async def UnloadModel(  # noqa: N802 (the name in the contract)
        self, request: pb.UnloadModelRequest, context: Context
    ) -> pb.UnloadModelResponse:
        """Free a model's memory on every device."""
        async with self._request_log.open("UnloadModel", context) as logged:
            logged.facts.update(model=request.name)
            was_loaded = await self._backend.unload_model(request.name, _caller(context))
            return pb.UnloadModelResponse(was_loaded=was_loaded)


async def _message(answer: Answer) -> pb.FillEvent:
    """Convert an answer; copying large images would block the event loop, so a thread does it."""
    if isinstance(answer, FinishedCandidate):
        return await asyncio.to_thread(event_message, answer)
    return event_message(answer)


def _note(answer: Answer, logged: LoggedRequest) -> None:
    if isinstance(answer, Accepted) and logged.method == "Edit":
        logged.facts["session"] = answer.session_id[:6]
    elif isinstance(answer, FrameChosen):
        logged.facts["model"] = answer.model
    elif isinstance(answer, FinishedCandidate):
        logged.candidates += 1
        logged.first_candidate_s = logged.first_candidate_s or time.monotonic() - logged.began
    elif isinstance(answer, Done):
        logged.queue_s = answer.queue_s
        logged.facts.update(
            queue_ms=round(1000 * answer.queue_s, 1),
            encode_ms=round(1000 * answer.encode_s, 1),
            first_candidate_ms=round(1000 * answer.first_candidate_s, 1),
        )


def _caller(context: Context) -> Caller:
    remaining = context.time_remaining()
    deadline = None if remaining is None else time.monotonic() + remaining
    return Caller(client_of(context), deadline)
