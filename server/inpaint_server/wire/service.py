"""The service `inpaint.v1.Inpaint`: converts requests, submits jobs, and converts the results."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Executor
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeVar, TypeVarTuple

import numpy as np
from inpaint_model.document.document_image import DocumentImage
from inpaint_model.document.hole import Hole
from inpaint_model.inference.host_memory import resident_bytes
from inpaint_model.pipeline.recipe import AttachmentError, read_recipe
from inpaint_model.pipeline.reopening import reopened
from inpaint_protos.v1 import inpaint_pb2 as pb
from inpaint_protos.v1 import inpaint_pb2_grpc as pb_grpc

from .. import __version__
from ..config import ServerConfig
from ..errors import DeadlineExceededError, InvalidRequestError, NotFoundError
from ..filling.filling import (
    Encoded,
    Event,
    ServedSession,
    edit_steps,
    fill_steps,
)
from ..filling.memory_estimates import (
    MemoryEstimate,
    memory_for_edit,
    memory_for_fill,
    memory_for_source,
)
from ..filling.recipe_errors import recipe_in
from ..filling.sessions import SessionCache
from ..filling.specs import EditSpec, FillSpec, SourceSpec
from ..models.device import device_names
from ..models.device_models import DeviceModels
from ..models.registry import ModelRegistry, RegisteredModel
from ..scheduling.admission import Admission, Reservation
from ..scheduling.engine import Engine, Job, Steps
from ..scheduling.shares import Priority
from ..scheduling.work_marker import Killed, WorkMarker
from . import parsing
from .clients import client_of
from .limits import limits_message
from .messages import candidate_event, frames_chosen, in_chunks
from .request_log import LoggedRequest, RequestLog
from .uploads import Complete, first_message, receive_images

if TYPE_CHECKING:
    from .interceptor import Context

T = TypeVar("T")
Ts = TypeVarTuple("Ts")


@dataclass(frozen=True)
class Parts:
    """The components of the daemon that the service uses; `daemon/main.py` creates them."""

    config: ServerConfig
    precision: str
    engine: Engine[DeviceModels]
    models: ModelRegistry
    sessions: SessionCache
    admission: Admission
    pixels: Executor  # threads for conversion and blending
    request_log: RequestLog
    marker: WorkMarker
    killed: Killed | None  # the work at which the previous daemon was killed


class InpaintService(pb_grpc.InpaintServicer):
    """The gRPC service. Everything that takes time runs on the engine or in a thread."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._config = parts.config
        self._limits = parts.config.limits
        self._admission = parts.admission
        self._began = time.monotonic()

    # -- Fill -----------------------------------------------------------------------------------

    async def Fill(  # noqa: N802 (the name in the contract)
        self, requests: AsyncIterator[pb.FillRequest], context: Context
    ) -> None:
        """Send the frames, candidates and variants of a hole, each as soon as it is ready."""
        async with self._parts.request_log.open("Fill", context) as logged:
            header = await first_message(context, pb.FillHeader, self._config.idle_s)
            spec = parsing.fill_spec(header, self._limits)
            names = {name for edits in (spec.edits, *spec.variants) for name in edits}
            choices = self._parts.models.candidate_models(spec.model, names, len(spec.seeds))
            crop = spec.geometry.crop
            logged.facts.update(
                model=choices[0].name,  # updated later if another model suits the frame better
                crop=f"{crop.width}x{crop.height}x{crop.channels}",
                seeds=len(spec.seeds),
                variants=len(spec.variants),
            )
            client = client_of(context)
            self._parts.engine.check_room(client=client)  # refuse before the images are sent
            resolution = max(choice.info.resolution for choice in choices)
            estimate = memory_for_fill(spec, resolution, _inline_bytes(header))
            session_id = SessionCache.new_id()
            async with self._room(estimate, Priority.FILL, session_id, logged) as memory:
                images = await self._images(context, header, spec)
                bounds = images[1].bounds
                assert bounds is not None  # `parsing.hole` refused it
                memory.shrink(estimate.of_hole(bounds).total)
                job, position = self._parts.engine.submit(
                    lambda models: fill_steps(models, choices, spec, *images),
                    Priority.FILL,
                    _deadline(context),
                    client=client,
                )
                total = len(spec.seeds) * (1 + len(spec.variants))
                with Complete(context) as answers:
                    await self._answer(
                        job,
                        position,
                        session_id,
                        total,
                        answers,
                        logged,
                        accepts_chunks=spec.accepts_chunks,
                    )

    async def _images(
        self, context: Context, header: pb.FillHeader, spec: FillSpec
    ) -> tuple[DocumentImage, Hole, DocumentImage | None]:
        """Receive the images and return crop, hole and overview."""
        inline = [getattr(header, shape.field).data for shape in spec.shapes]
        data = await receive_images(context, spec.shapes, inline, self._config.idle_s)
        geometry, overview = spec.geometry, spec.overview
        return (
            parsing.document_image(geometry, data[0], spec.context),
            await self._in_thread(parsing.hole, geometry, data[1]),
            parsing.overview_image(overview, data[2], geometry.document) if overview else None,
        )

    # -- Edit -----------------------------------------------------------------------------------

    async def Edit(  # noqa: N802 (the name in the contract)
        self, requests: AsyncIterator[pb.EditRequest], context: Context
    ) -> None:
        """Send a candidate with changes, based on its session or its recipe and attachment."""
        async with self._parts.request_log.open("Edit", context) as logged:
            header = await first_message(context, pb.EditHeader, self._config.idle_s)
            spec = parsing.edit_spec(header, self._limits)
            served = self._parts.sessions.get(spec.session_id) if spec.session_id else None
            if served is not None:
                known = memory_for_edit(served, spec)
                async with self._room(known, Priority.EDIT, spec.session_id, logged):
                    await self._edit(served, spec, spec.index, spec.session_id, context, logged)
                return
            if spec.source is None:
                raise NotFoundError("session", spec.session_id)
            self._parts.engine.check_room(Priority.EDIT, client_of(context))
            session_id = SessionCache.new_id()
            resolution = max(e.info.resolution for e in self._parts.models.entries.values())
            estimate = memory_for_source(
                spec.source, spec, resolution, _inline_bytes(header.source)
            )
            async with self._room(estimate, Priority.EDIT, session_id, logged) as memory:
                geometry = spec.source.geometry
                shapes = [geometry.crop, geometry.hole] if geometry else []
                inline = [header.source.crop.data, header.source.hole.data] if geometry else []
                data = await receive_images(context, shapes, inline, self._config.idle_s)
                served = await self._in_thread(self._reopened, spec.source, data)
                bounds = served.session.hole.bounds
                if bounds is not None and spec.source.geometry is not None:
                    memory.shrink(estimate.of_hole(bounds).total)
                await self._edit(served, spec, 0, session_id, context, logged)

    @asynccontextmanager
    async def _room(
        self,
        estimate: MemoryEstimate | int,
        priority: Priority,
        session_id: str,
        logged: LoggedRequest,
    ) -> AsyncIterator[Reservation]:
        """Reserve memory for a request while it runs, before its images are received."""
        if isinstance(estimate, MemoryEstimate):
            room = self._admission.open(
                estimate.total,
                priority,
                present=estimate.present,
                session_id=session_id,
                too_large=estimate.refusal,
            )
        else:
            room = self._admission.open(estimate, priority, session_id=session_id)
        async with room as memory:
            with self._parts.marker.during(logged.method, logged.facts):
                yield memory

    def _reopened(self, source: SourceSpec, data: list[bytes | bytearray]) -> ServedSession:
        """Return a session from a recipe, with the image that was sent or the attachment's."""
        with recipe_in("source.recipe"):
            recipe = read_recipe(source.recipe)
        entry = self._parts.models.find_weights(recipe.weights_sha256, recipe.model)
        image = hole = None
        dtype = np.dtype(np.uint8)
        if source.geometry:
            image = parsing.document_image(source.geometry, data[0])
            hole = parsing.hole(source.geometry, data[1])
            dtype = source.geometry.crop.dtype
        try:
            with recipe_in("source.recipe"):
                session = reopened(recipe, source.attachment, entry.info, image, hole)
        except AttachmentError as error:
            raise InvalidRequestError(
                "source.attachment", error.reason, "UNUSABLE_RECIPE"
            ) from None
        except ValueError as error:
            raise InvalidRequestError.because("source.hole", error) from error
        return ServedSession(entry, session, dtype)

    async def _edit(
        self,
        served: ServedSession,
        spec: EditSpec,
        index: int,
        session_id: str,
        context: Context,
        logged: LoggedRequest,
    ) -> None:
        self._parts.models.check_edits(served.entry, spec.edits)
        logged.facts.update(model=served.entry.name, session=session_id[:6])
        session = served.session
        shown = replace(
            served,
            session=replace(session, blending=spec.blending or session.blending),
            output_dtype=spec.output_dtype or served.output_dtype,
        )
        job, position = self._parts.engine.submit(
            lambda models: edit_steps(models, served, index, spec),
            Priority.EDIT,
            _deadline(context),
            served.home,
            client_of(context),
        )
        with Complete(context) as answers:
            await self._answer(
                job,
                position,
                session_id,
                1,
                answers,
                logged,
                shown,
                accepts_chunks=spec.accepts_chunks,
            )

    # -- Answers --------------------------------------------------------------------------------

    async def _answer(
        self,
        job: Job[DeviceModels, Event],
        position: int,
        session_id: str,
        total: int,
        context: Complete,
        logged: LoggedRequest,
        shown: ServedSession | None = None,
        *,
        accepts_chunks: bool = False,
    ) -> None:
        """Send the results of a job.

        Args:
            job: the job.
            position: its position in the queue.
            session_id: ID of the session that is kept for edits.
            total: number of renderings.
            context: context for the answers.
            logged: log entry of the request.
            shown: session with the blend settings to use; None = the session of the job.
            accepts_chunks: whether the client accepts large candidates in chunks.
        """
        timings = pb.Timings()
        try:
            accepted = pb.Accepted(session_id=session_id, queue_position=position)
            await self._send(context, pb.FillEvent(accepted=accepted))
            kept, answered = None, shown
            async for event in job.results():
                if isinstance(event, Encoded):
                    self._parts.sessions.put(session_id, event.served)
                    kept, answered = event.served.session, shown or event.served
                    logged.facts["model"] = answered.entry.name
                    timings.encode_ms = 1000 * event.encode_s
                    for frame in frames_chosen(answered, event.smooth):
                        await self._send(context, pb.FillEvent(frame_chosen=frame))
                    total += event.smooth
                    progress = pb.Progress(done=0, total=total)
                    await self._send(context, pb.FillEvent(progress=progress))
                    # Prepare blending while the device renders.
                    await self._in_thread(answered.session.prepare_blending)
                for rendering in event if isinstance(event, list) else ():
                    assert kept is not None
                    assert answered is not None
                    candidate, attachment = await asyncio.gather(
                        self._in_thread(candidate_event, answered, rendering),
                        self._in_thread(kept.attachment),
                    )
                    if rendering.variant < 0:
                        candidate.candidate.attachment = attachment
                    for part in in_chunks(candidate) if accepts_chunks else (candidate,):
                        await self._send(context, part)
                    logged.candidates += 1
                    if logged.candidates == 1:
                        timings.first_candidate_ms = _ms_since(job.started)
                    progress = pb.Progress(done=logged.candidates, total=total)
                    await self._send(context, pb.FillEvent(progress=progress))
            timings.queue_ms = 1000 * ((job.started or job.submitted) - job.submitted)
            timings.total_ms = _ms_since(job.started)
            logged.facts.update(
                queue_ms=round(timings.queue_ms, 1),
                encode_ms=round(timings.encode_ms, 1),
                first_candidate_ms=round(timings.first_candidate_ms, 1),
            )
            await self._send(context, pb.FillEvent(done=pb.Done(timings=timings)))
        finally:
            job.cancel()

    async def _send(self, context: Complete, event: pb.FillEvent) -> None:
        try:
            async with asyncio.timeout(self._config.idle_s):
                await context.write(event)
        except TimeoutError:
            seconds = f"{self._config.idle_s:.0f}"
            raise DeadlineExceededError("CLIENT_READ_NOTHING", seconds=seconds) from None

    async def _in_thread(self, function: Callable[[*Ts], T], *arguments: *Ts) -> T:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._parts.pixels, function, *arguments)

    # -- Info and models ------------------------------------------------------------------------

    async def Info(  # noqa: N802 (the name in the contract)
        self, request: pb.InfoRequest, context: Context
    ) -> pb.InfoResponse:
        """Return the description of the daemon and its models."""
        parts = self._parts
        devices = [home.device for home in parts.engine.homes]
        async with parts.request_log.open("Info", context):
            return pb.InfoResponse(
                version=__version__,
                device=device_names(devices),
                device_type=devices[0].type,
                precision=parts.precision,
                models=[self._model_message(entry) for entry in parts.models.entries.values()],
                limits=limits_message(self._config, parts.admission.max_bytes),
                queue_length=parts.engine.queue_length + parts.admission.waiting,
                uptime_s=time.monotonic() - self._began,
                activity=self._activity(),
                last_killed=parts.killed
                and pb.LastKilled(work=parts.killed.work, began_unix_s=parts.killed.began),
            )

    def _activity(self) -> pb.Activity:
        engine = self._parts.engine
        return pb.Activity(
            calls=self._parts.request_log.running,
            busy_workers=engine.busy_workers,
            workers=engine.workers,
            sessions=len(self._parts.sessions),
            session_bytes=self._parts.sessions.num_bytes,
            memory_bytes=resident_bytes(),
        )

    async def LoadModel(  # noqa: N802 (the name in the contract)
        self, request: pb.LoadModelRequest, context: Context
    ) -> pb.LoadModelResponse:
        """Load a model on every device."""
        async with self._parts.request_log.open("LoadModel", context) as logged:
            entry = self._parts.models.find(request.name)
            logged.facts.update(model=entry.name)

            def steps(models: DeviceModels) -> Steps[None]:
                models.use(entry)
                yield None

            with self._parts.marker.during("LoadModel", logged.facts):
                await self._everywhere(steps, context)
            return pb.LoadModelResponse(model=self._model_message(entry))

    async def UnloadModel(  # noqa: N802 (the name in the contract)
        self, request: pb.UnloadModelRequest, context: Context
    ) -> pb.UnloadModelResponse:
        """Free a model's memory on every device."""
        async with self._parts.request_log.open("UnloadModel", context) as logged:
            entry = self._parts.models.find(request.name)
            logged.facts.update(model=entry.name)

            def steps(models: DeviceModels) -> Steps[bool]:
                yield models.unload(entry)

            return pb.UnloadModelResponse(was_loaded=any(await self._everywhere(steps, context)))

    async def _everywhere(
        self, steps: Callable[[DeviceModels], Steps[T]], context: Context
    ) -> list[T]:
        """Run steps on all devices and return their results; cancel them if the client leaves."""
        engine, deadline, client = self._parts.engine, _deadline(context), client_of(context)
        jobs: list[Job[DeviceModels, T]] = []
        try:
            for home in engine.homes:
                jobs.append(engine.submit(steps, Priority.FILL, deadline, home, client)[0])
            return [result for job in jobs async for result in job.results()]
        finally:
            for job in jobs:
                job.cancel()

    def _model_message(self, entry: RegisteredModel) -> pb.Model:
        info = entry.info
        return pb.Model(
            name=info.name,
            title=info.title,
            resolution=info.resolution,
            alignment=info.alignment,
            loaded=any(home.is_loaded(entry) for home in self._parts.engine.homes),
            is_default=entry is self._parts.models.find(""),
            directions=[
                pb.Direction(
                    name=direction.name,
                    group=direction.group,
                    minimum=direction.minimum,
                    maximum=direction.maximum,
                    description=direction.description,
                )
                for direction in info.directions
            ],
            licence=info.licence,
            weights_sha256=info.weights_sha256,
            generator_sha256=info.generator_sha256,
            has_framer=info.has_framer,
            memory_bytes=info.memory_bytes,
            single_candidate=not info.config.abilities.diverse,
            no_edits=not info.config.abilities.editable,
        )


def _inline_bytes(message: pb.FillHeader | pb.RecipeSource) -> int:
    """Return the bytes of the inline images of a header; large images are sent in chunks."""
    return len(message.crop.data) + len(message.hole.data)


def _deadline(context: Context) -> float | None:
    """Return the client's deadline as of time.monotonic(); None if there is none."""
    remaining = context.time_remaining()
    return None if remaining is None else time.monotonic() + remaining


def _ms_since(moment: float | None) -> float:
    return 0.0 if moment is None else 1000 * (time.monotonic() - moment)
