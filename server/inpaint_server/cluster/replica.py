"""A replica: a `LocalBackend` in a process that Ray Serve starts, places and restarts."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import TypeVar

from ray import serve

from ..config import ServerConfig
from ..errors import RequestError, as_request_error
from ..filling.specs import EditSpec, FillSpec, ImageHeader, SegmentSpec
from ..models.device import is_out_of_memory
from ..scheduling.work_marker import WorkMarker
from ..serving.answers import Answer, Description, SegmentAnswer
from ..serving.assembly import local_backend
from ..serving.backend import Caller

T = TypeVar("T")

READY_WITHIN_S = 600.0  # time limit for loading the default model


@dataclass(frozen=True)
class Received:
    """An upload that is complete."""

    data: Sequence[bytes | bytearray]

    @property
    def present(self) -> int:
        """The bytes of all images."""
        return sum(map(len, self.data))

    async def images(self, shapes: Sequence[ImageHeader]) -> Sequence[bytes | bytearray]:
        """Return the images."""
        return self.data


class Replica:
    """One replica. Ray Serve calls its methods on an event loop."""

    def __init__(self, config: ServerConfig, memory_share: float, fingerprint: str) -> None:
        """Create the backend.

        Args:
            config: the settings, with the device and threads of one replica.
            memory_share: fraction of the machine's memory that one replica may use.
            fingerprint: what daemons recognize replicas with their own settings by.
        """
        self._fingerprint = fingerprint
        logging.getLogger("inpaint_server").setLevel(config.log_level.upper())
        self._backend = local_backend(
            config,
            WorkMarker(None),  # the controller notices a killed replica
            remedy="the replica restarts",
            memory_share=memory_share,
            session_prefix=serve.get_replica_context().replica_id.unique_id + ".",
        )
        self._ready = asyncio.Event()
        self._upkeep = asyncio.get_running_loop().create_task(
            self._backend.run(lambda is_ready: self._ready.set())
        )

    def __del__(self) -> None:
        """Release the device when the replica has been drained."""
        if hasattr(self, "_backend"):
            self._backend.stop()

    async def check_health(self) -> None:
        """Raise an error if a restart would help; the controller then restarts the replica.

        The first check waits for the default model, so that a replica gets no requests before.
        """
        await asyncio.wait_for(self._ready.wait(), READY_WITHIN_S)
        health_problem = self._backend.health_problem()
        if health_problem is not None:
            raise RuntimeError(health_problem)

    async def record_autoscaling_stats(self) -> dict[str, float]:
        """Return what `autoscaling.py` decides by."""
        engine = self._backend.parts.engine
        busy = engine.busy_workers / engine.workers
        return {"queue_s": engine.longest_wait_s, "busy": busy}

    async def fill(
        self, spec: FillSpec, data: Sequence[bytes], caller: Caller
    ) -> AsyncGenerator[Answer | RequestError, None]:
        """Yield the answers to a fill, and the error if there is one."""
        model = serve.get_multiplexed_model_id()
        if model:
            try:
                await self.loaded(model)
            except RequestError as error:
                yield error
                return
        answers = self._backend.fill(spec, Received(data), _here(caller))
        async with aclosing(_with_errors(answers)) as told:
            async for answer in told:
                yield answer

    async def edit(
        self, spec: EditSpec, data: Sequence[bytes], caller: Caller
    ) -> AsyncGenerator[Answer | RequestError, None]:
        """Yield the answers to an edit, and the error if there is one."""
        answers = self._backend.edit(spec, Received(data), _here(caller))
        async with aclosing(_with_errors(answers)) as told:
            async for answer in told:
                yield answer

    async def segment(
        self, spec: SegmentSpec, data: Sequence[bytes], caller: Caller
    ) -> AsyncGenerator[SegmentAnswer | RequestError, None]:
        """Yield the faces in an image and their masks, and the error if there is one."""
        answers = self._backend.segment(spec, Received(data), _here(caller))
        async with aclosing(_with_errors(answers)) as told:
            async for answer in told:
                yield answer

    @serve.multiplexed(max_num_models_per_replica=-1)
    async def loaded(self, model: str) -> str:
        """Load a model, so that Serve prefers this replica for its requests."""
        state = await self._backend.load_model(model, Caller())
        return state.info.name

    async def fingerprint(self) -> str:
        """Return the fingerprint of the settings."""
        return self._fingerprint

    async def describe(self) -> Description:
        """Describe the replica."""
        return await self._backend.describe()

    async def load_model(self, model: str) -> None:
        """Load a model on the devices of this replica."""
        await self._backend.load_model(model, Caller())

    async def unload_model(self, model: str) -> bool:
        """Free a model's memory."""
        return await self._backend.unload_model(model, Caller())


async def _with_errors(
    answers: AsyncGenerator[T, None],
) -> AsyncGenerator[T | RequestError, None]:
    """Yield an error as the last answer, because Ray wraps raised ones and logs their traces."""
    async with aclosing(answers):
        try:
            async for answer in answers:
                yield answer
        except RequestError as error:
            yield error
        except Exception as error:
            yield as_request_error(error, is_out_of_memory(error))


def _here(caller: Caller) -> Caller:
    """Return a caller whose deadline is a time of this process instead of a time that is left."""
    if caller.deadline is None:
        return caller
    return replace(caller, deadline=time.monotonic() + caller.deadline)
