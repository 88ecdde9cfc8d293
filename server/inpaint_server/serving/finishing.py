"""Turn renderings into candidates at the document's resolution, in the threads for pixels."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from dataclasses import replace

from inpaint_model.document.color import converted
from inpaint_model.pipeline.assessing import UNKNOWN
from inpaint_model.pipeline.recipe import write_recipe
from inpaint_model.pipeline.session import FillSession, Rendering

from .. import spans
from ..filling.filling import Encoded, Event, ServedSession
from .answers import FinishedCandidate
from .pixel_threads import LARGE_PX, PixelThreads


class Finishing:
    """Finishes the candidates of a request in the order in which they were rendered."""

    def __init__(
        self,
        pixels: PixelThreads,
        adjusted: Callable[[ServedSession], ServedSession],
        *,
        several: bool,
    ) -> None:
        """Take a function that returns the session of the job with the settings to use.

        `several` says whether the request is for several candidates.
        """
        self._pixels, self._adjusted, self._several = pixels, adjusted, several

    async def prepare(self, session: FillSession) -> None:
        """Compute what all fits share."""
        await asyncio.gather(*map(self._pixels.run, session.preparations()))

    async def finished(
        self, events: AsyncIterator[Event]
    ) -> AsyncGenerator[Encoded | FinishedCandidate, None]:
        """Pass on `Encoded`, and yield the candidates.

        Those of a large hole are fitted two at a time, each with half of the cores, since one of
        them cannot keep several cores busy.
        """
        finishing = deque[asyncio.Task[FinishedCandidate]]()
        sessions: tuple[ServedSession, FillSession] | None = None
        arrived = time.monotonic()
        try:
            async for event in events:
                if isinstance(event, Encoded):
                    sessions = self._adjusted(event.served), event.served.session
                    yield event
                if isinstance(event, list):
                    spans.add("render", arrived, renderings=len(event))
                for rendering in event if isinstance(event, list) else ():
                    assert sessions is not None
                    answered, kept = sessions
                    at_once = self._at_once(answered.session)
                    work = self._finish(answered, kept, rendering, at_once)
                    finishing.append(asyncio.create_task(work))
                    while len(finishing) >= at_once:
                        yield await finishing.popleft()
                arrived = time.monotonic()
            while finishing:
                yield await finishing.popleft()
        finally:
            for task in finishing:
                task.cancel()

    def _at_once(self, session: FillSession) -> int:
        return 2 if self._several and session.fitted_px >= LARGE_PX and session.fits_two else 1

    async def _finish(
        self, answered: ServedSession, kept: FillSession, rendering: Rendering, at_once: int
    ) -> FinishedCandidate:
        """Blend a rendering into the document, judge it, and encode the attachment."""
        run, px = self._pixels.run, answered.session.fitted_px if at_once == 1 else 0
        with spans.span("blend"):
            finished, assessment, attachment = await asyncio.gather(
                run(finished_candidate, answered, rendering, px=px),
                run(kept.assess, rendering),
                run(kept.attachment),
            )
        finished = replace(finished, assessment=assessment)
        return replace(finished, attachment=attachment) if rendering.variant < 0 else finished


def finished_candidate(served: ServedSession, rendering: Rendering) -> FinishedCandidate:
    """Return a candidate at the document's resolution; attachment and assessment follow."""
    session, made = served.session, rendering.candidate
    patches = (
        patch._replace(fill=converted(patch.fill, served.output_dtype))
        for patch in session.patches(rendering)
    )
    return FinishedCandidate(
        index=rendering.index,
        variant=rendering.variant,
        seed=made.seed,
        method=made.method,
        patches=tuple(patches),
        linear=session.image.linear,
        recipe=write_recipe(session.recipe(made)),
        attachment=b"",
        assessment=UNKNOWN,
    )
