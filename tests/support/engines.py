"""Run tests with an engine on an event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from inpaint_server.scheduling.engine import Engine, Job, Steps


def run(
    test: Callable[[Engine[str]], Coroutine[Any, Any, None]],
    homes: Sequence[str] = ("one",),
    max_queue: int = 4,
    *,
    is_started: bool = True,
    **settings: Any,
) -> None:
    """Run a test with an engine. If `is_started` is false, the test must start it."""

    async def body() -> None:
        engine = Engine(homes, max_queue, **settings)
        if is_started:
            engine.start()
        try:
            await asyncio.wait_for(test(engine), 20)
        finally:
            engine.stop()

    asyncio.run(body())


def count_to(n: int) -> Steps[int]:
    """Return work of n steps."""
    yield from range(n)


async def everything(job: Job[str, Any]) -> list[Any]:
    """Collect all results of a job."""
    return [result async for result in job.results()]
