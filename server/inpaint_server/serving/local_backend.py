"""The backend that computes in this process, on the devices of this machine."""

from __future__ import annotations

import asyncio
import time
from collections.abc import (
    AsyncGenerator,
    AsyncIterator,
    Callable,
    Iterator,
    Mapping,
    Sequence,
)
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeVar

import numpy as np
from inpaint_model.document.notices import Notice
from inpaint_model.inference.host_memory import resident_bytes
from inpaint_model.pipeline.recipe import AttachmentError, read_recipe
from inpaint_model.pipeline.reopening import reopened
from inpaint_model.segmentation.parts import Segmentation

from .. import spans
from ..errors import InvalidRequestError, NotFoundError
from ..filling import received_images
from ..filling.filling import Event, ServedSession, edit_steps, fill_steps
from ..filling.memory_estimates import (
    MemoryEstimate,
    memory_for_edit,
    memory_for_fill,
    memory_for_segmentation,
    memory_for_source,
)
from ..filling.recipe_errors import recipe_in
from ..filling.segmenting import segmentation_of
from ..filling.sessions import SessionCache
from ..filling.specs import EditSpec, FillSpec, SegmentSpec, SourceSpec
from ..models.device import device_names
from ..models.device_models import DeviceModels
from ..models.registry import ModelRegistry, RegisteredModel
from ..scheduling.admission import Admission, Reservation
from ..scheduling.engine import Engine, Job, Steps
from ..scheduling.shares import Priority
from ..scheduling.work_marker import Killed, WorkMarker
from .answers import (
    Accepted,
    Activity,
    Answer,
    Description,
    Done,
    FacesFound,
    FinishedCandidate,
    FoundFace,
    FrameChosen,
    ModelState,
    Progress,
    SegmentAnswer,
)
from .backend import Caller, Upload
from .finishing import Finishing
from .pixel_threads import PixelThreads
from .upkeep import STALL_S, UpkeepTimes, Use, free_unused, probe_devices, warm_up

T = TypeVar("T")


@dataclass(frozen=True)
class Parts:
    """The components of the backend; `assembly.py` creates them."""

    precision: str
    engine: Engine[DeviceModels]
    models: ModelRegistry
    sessions: SessionCache
    admission: Admission
    pixels: PixelThreads
    marker: WorkMarker
    killed: Killed | None  # the work at which the previous daemon was killed


class LocalBackend:
    """Implementation of `Backend` with an engine. Everything that takes time runs in threads."""

    def __init__(self, parts: Parts, upkeep: UpkeepTimes, session_prefix: str = "") -> None:
        """Start the workers.

        Args:
            parts: the components.
            upkeep: when to free what is not used.
            session_prefix: beginning of the IDs of all sessions.
        """
        self._parts = parts
        self._upkeep = upkeep
        self._session_prefix = session_prefix
        self._use = Use()
        parts.engine.start()

    @property
    def parts(self) -> Parts:
        """The components, for measurements."""
        return self._parts

    @property
    def has_failed(self) -> bool:
        """Whether a device was lost, so that all requests are refused."""
        return self._parts.engine.has_failed

    def health_problem(self) -> str | None:
        """Return why a restart would help; None if it would not."""
        return self._parts.engine.health_problem(STALL_S)

    async def run(self, on_ready: Callable[[bool], None]) -> None:
        """Load the default model, then check devices and free unused memory until cancelled."""
        parts = self._parts
        work = [
            warm_up(parts.engine, parts.models.find(""), parts.marker, partial(on_ready, True)),
            probe_devices(parts.engine),
            free_unused(parts.engine, parts.sessions, parts.models, self._use, self._upkeep),
        ]
        await asyncio.gather(*work)

    def stop(self) -> None:
        """Stop the workers after their current steps."""
        self._parts.engine.stop()
        self._parts.pixels.stop()

    # -- Fill -----------------------------------------------------------------------------------

    async def fill(
        self, spec: FillSpec, upload: Upload, caller: Caller
    ) -> AsyncGenerator[Answer, None]:
        """Yield the frames, candidates and variants of a hole, each as soon as it is ready."""
        names = {name for edits in (spec.edits, *spec.variants) for name in edits}
        choices = self._parts.models.candidate_models(spec.model, names, len(spec.seeds))
        crop = spec.geometry.crop
        facts = {
            "model": choices[0].name,
            "crop": f"{crop.width}x{crop.height}x{crop.channels}",
            "seeds": len(spec.seeds),
            "variants": len(spec.variants),
        }
        engine = self._parts.engine
        engine.check_room(client=caller.client)  # refuse before the images are sent
        resolution = max(choice.info.resolution for choice in choices)
        estimate = memory_for_fill(spec, resolution, upload.present)
        session_id = self._new_session_id()
        async with self._room(estimate, Priority.FILL, session_id, "Fill", facts) as memory:
            geometry, overview = spec.geometry, spec.overview
            data = await upload.images(spec.shapes)
            image = received_images.document_image(geometry, data[0], spec.context)
            hole = await self._parts.pixels.run(received_images.hole, geometry, data[1])
            whole = (
                received_images.overview_image(overview, data[2], geometry.document)
                if overview
                else None
            )
            bounds = hole.bounds
            assert bounds is not None  # `received_images.hole` refused it
            memory.shrink(estimate.of_hole(bounds).total)
            job, position = engine.submit(
                lambda models: fill_steps(models, choices, spec, image, hole, whole),
                Priority.FILL,
                caller.deadline,
                client=caller.client,
            )
            total = len(spec.seeds) * (1 + len(spec.variants))
            async with aclosing(self._answers(job, position, session_id, total)) as answers:
                async for answer in answers:
                    yield answer

    # -- Edit -----------------------------------------------------------------------------------

    async def edit(
        self, spec: EditSpec, upload: Upload, caller: Caller
    ) -> AsyncGenerator[Answer, None]:
        """Yield a candidate with changes, based on its session or its recipe and attachment."""
        served = self._parts.sessions.get(spec.session_id) if spec.session_id else None
        if served is not None:
            known = memory_for_edit(served, spec)
            async with (
                self._room(known, Priority.EDIT, spec.session_id, "Edit", _facts(served)),
                aclosing(
                    self._edited(served, spec, spec.index, spec.session_id, caller)
                ) as answers,
            ):
                async for answer in answers:
                    yield answer
            return
        if spec.source is None:
            raise NotFoundError("session", spec.session_id)
        self._parts.engine.check_room(Priority.EDIT, caller.client)
        session_id = self._new_session_id()
        resolution = max(e.info.resolution for e in self._parts.models.entries.values())
        estimate = memory_for_source(spec.source, spec, resolution, upload.present)
        async with self._room(estimate, Priority.EDIT, session_id, "Edit", {}) as memory:
            geometry = spec.source.geometry
            data = await upload.images([geometry.crop, geometry.hole] if geometry else [])
            served = await self._parts.pixels.run(self._reopened, spec.source, data)
            bounds = served.session.hole.bounds
            if bounds is not None and geometry is not None:
                memory.shrink(estimate.of_hole(bounds).total)
            async with aclosing(self._edited(served, spec, 0, session_id, caller)) as answers:
                async for answer in answers:
                    yield answer

    def _reopened(self, source: SourceSpec, data: Sequence[bytes | bytearray]) -> ServedSession:
        """Return a session from a recipe, with the image that was sent or the attachment's."""
        with recipe_in("source.recipe"):
            recipe = read_recipe(source.recipe)
        entry = self._parts.models.find_weights(recipe.weights_sha256, recipe.model)
        image = hole = None
        dtype = np.dtype(np.uint8)
        if source.geometry:
            image = received_images.document_image(source.geometry, data[0])
            hole = received_images.hole(source.geometry, data[1])
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

    def _edited(
        self, served: ServedSession, spec: EditSpec, index: int, session_id: str, caller: Caller
    ) -> AsyncGenerator[Answer, None]:
        self._parts.models.check_edits(served.entry, spec.edits)

        def adjusted(served: ServedSession) -> ServedSession:
            session = served.session
            return replace(
                served,
                session=replace(session, blending=spec.blending or session.blending),
                output_dtype=spec.output_dtype or served.output_dtype,
            )

        job, position = self._parts.engine.submit(
            lambda models: edit_steps(models, served, index, spec),
            Priority.EDIT,
            caller.deadline,
            served.home,
            caller.client,
        )
        return self._answers(job, position, session_id, 1, adjusted)

    # -- Segment --------------------------------------------------------------------------------

    async def segment(
        self, spec: SegmentSpec, upload: Upload, caller: Caller
    ) -> AsyncGenerator[SegmentAnswer, None]:
        """Yield the faces in an image, then the masks of their parts.

        The networks are small, so they run on the CPU and need not wait for a device.
        """
        shape = spec.image
        facts = {"image": f"{shape.width}x{shape.height}x{shape.channels}"}
        needed = memory_for_segmentation(shape)
        async with self._room(needed, Priority.EDIT, "", "Segment", facts):
            (data,) = await upload.images([shape])
            px = shape.width * shape.height
            found = await self._parts.pixels.run(segmentation_of, shape, data, px=px)
            yield faces_in(found)
            chosen = spec.faces or range(len(found.faces))
            faces = [k for k in chosen if k < len(found.faces)]
            masks = found.masks(spec.parts, faces, spec.room)
            while (mask := await self._parts.pixels.run(next, masks, None, px=px)) is not None:
                yield mask

    # -- Answers --------------------------------------------------------------------------------

    async def _answers(
        self,
        job: Job[DeviceModels, Event],
        position: int,
        session_id: str,
        total: int,
        adjusted: Callable[[ServedSession], ServedSession] = lambda served: served,
    ) -> AsyncGenerator[Answer, None]:
        """Yield the results of a job.

        Args:
            job: the job.
            position: its position in the queue.
            session_id: ID of the session that is kept for edits.
            total: number of renderings.
            adjusted: returns the session of the job with the settings to use.
        """
        done = 0
        encode_s = first_candidate_s = 0.0
        finishing = Finishing(self._parts.pixels, adjusted, several=total > 1)
        try:
            yield Accepted(session_id, position)
            async with aclosing(finishing.finished(job.results())) as events:
                async for event in events:
                    if isinstance(event, FinishedCandidate):
                        yield event
                        done += 1
                        first_candidate_s = first_candidate_s or _since(job.started)
                        yield Progress(done, total)
                        continue
                    arrived = time.monotonic()
                    spans.add("queue", job.submitted, job.started)
                    spans.add("encode", arrived - event.encode_s, arrived)
                    self._parts.sessions.put(session_id, event.served)
                    encode_s = event.encode_s
                    answered = adjusted(event.served)
                    for frame in _frames_chosen(answered, event.smooth):
                        yield frame
                    total += event.smooth
                    yield Progress(0, total)
                    await finishing.prepare(answered.session)  # while the device renders
            queue_s = (job.started or job.submitted) - job.submitted
            yield Done(queue_s, encode_s, first_candidate_s, _since(job.started))
        finally:
            job.cancel()

    @asynccontextmanager
    async def _room(
        self,
        estimate: MemoryEstimate | int,
        priority: Priority,
        session_id: str,
        method: str,
        facts: Mapping[str, object],
    ) -> AsyncIterator[Reservation]:
        """Reserve memory for a request while it runs, before its images are received."""
        if isinstance(estimate, MemoryEstimate):
            room = self._parts.admission.open(
                estimate.total,
                priority,
                present=estimate.present,
                session_id=session_id,
                too_large=estimate.refusal,
            )
        else:
            room = self._parts.admission.open(estimate, priority, session_id=session_id)
        with self._use.during():
            async with AsyncExitStack() as stack:
                with spans.span("wait for memory"):
                    memory = await stack.enter_async_context(room)
                with self._parts.marker.during(method, facts):
                    yield memory

    def _new_session_id(self) -> str:
        return self._session_prefix + SessionCache.new_id()

    # -- Description and models -----------------------------------------------------------------

    async def describe(self) -> Description:
        """Describe the devices, the models and what they are doing."""
        parts = self._parts
        self._use.begun += 1  # whoever asks may be about to send a request
        devices = [home.device for home in parts.engine.homes]
        return Description(
            device=device_names(devices),
            device_type=devices[0].type,
            precision=parts.precision,
            models=tuple(map(self._state, parts.models.entries.values())),
            memory_budget=parts.admission.max_bytes,
            activity=Activity(
                queue_length=parts.engine.queue_length + parts.admission.waiting,
                busy_workers=parts.engine.busy_workers,
                workers=parts.engine.workers,
                sessions=len(parts.sessions),
                session_bytes=parts.sessions.num_bytes,
                memory_bytes=resident_bytes(),
            ),
            killed=parts.killed,
        )

    async def load_model(self, name: str, caller: Caller) -> ModelState:
        """Load a model on every device."""
        entry = self._parts.models.find(name)

        def steps(models: DeviceModels) -> Steps[None]:
            models.use(entry)
            yield None

        with self._parts.marker.during("LoadModel", {"model": entry.name}):
            await self._everywhere(steps, caller)
        return self._state(entry)

    async def unload_model(self, name: str, caller: Caller) -> bool:
        """Free a model's memory on every device, and return whether it was loaded on any."""
        entry = self._parts.models.find(name)

        def steps(models: DeviceModels) -> Steps[bool]:
            yield models.unload(entry)

        return any(await self._everywhere(steps, caller))

    async def _everywhere(
        self, steps: Callable[[DeviceModels], Steps[T]], caller: Caller
    ) -> list[T]:
        """Run steps on all devices and return their results; cancel them if the caller leaves."""
        engine = self._parts.engine
        jobs: list[Job[DeviceModels, T]] = []
        with self._use.during():
            try:
                for home in engine.homes:
                    jobs.append(
                        engine.submit(steps, Priority.FILL, caller.deadline, home, caller.client)[0]
                    )
                return [result for job in jobs async for result in job.results()]
            finally:
                for job in jobs:
                    job.cancel()

    def _state(self, entry: RegisteredModel) -> ModelState:
        return ModelState(
            info=entry.info,
            is_loaded=any(home.is_loaded(entry) for home in self._parts.engine.homes),
            is_default=entry is self._parts.models.find(""),
        )


def _frames_chosen(served: ServedSession, smooth: bool) -> Iterator[FrameChosen]:
    """Yield the frame of each group of the hole; the first one announces a smooth candidate."""
    for group, placement in enumerate(served.session.placements):
        offered = (Notice("SMOOTH_OFFERED"),) if smooth and group == 0 else ()
        yield FrameChosen(
            group=group,
            model=served.entry.name,
            frame=placement.frame,
            mode=placement.mode,
            confidence=placement.confidence,
            resolution=placement.resolution,
            enlargement=placement.upscale_factor,
            notices=placement.notices + offered,
        )


def faces_in(found: Segmentation) -> FacesFound:
    """Return the answer that describes the faces of an image."""
    return FacesFound(
        tuple(FoundFace(face.frame, face.confidence, face.box) for face in found.faces)
    )


def _facts(served: ServedSession) -> dict[str, object]:
    return {"model": served.entry.name}


def _since(moment: float | None) -> float:
    return 0.0 if moment is None else time.monotonic() - moment
