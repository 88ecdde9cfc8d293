"""Collect the events of a run: renderings, progress, status and warnings."""

from __future__ import annotations

import time
from collections.abc import Sequence

from inpaint_client import Candidate, Edits, FillEvent, Method
from inpaint_client.session.run_status import RunStatus, Stage, spoken_time

from ..translation import _, say
from .layers import Rendering


class Collector:
    """Receives the events of a run and returns its renderings in the order of the layers."""

    def __init__(self, edits: Edits, variants: Sequence[Edits] = ()) -> None:
        self.run = RunStatus(Stage.CONNECTING)
        self._edits = edits
        self._variants = variants
        self._renderings: dict[tuple[int, int], Rendering] = {}

    @property
    def renderings(self) -> list[Rendering]:
        """The candidates received so far, each followed by its variants."""
        return [self._renderings[key] for key in sorted(self._renderings)]

    @property
    def is_complete(self) -> bool:
        return self.run.stage is Stage.DONE

    @property
    def fraction(self) -> float:
        return self.run.fraction or 0.0

    @property
    def warnings(self) -> tuple[str, ...]:
        """Warnings about the fill, in the user's language."""
        return tuple(map(say, self.run.warnings))

    @property
    def status(self) -> str:
        """The status of the run in words."""
        run = self.run
        plain = {
            Stage.CONNECTING: _("Sending the image…"),
            Stage.WAITING: _("The daemon is busy, retrying…"),
            Stage.ENCODING: _("Analyzing the image…"),
        }
        if run.stage in plain:
            return plain[run.stage]
        if run.stage is Stage.SENDING:
            return _("Sending the image… {share}%").format(share=round(100 * run.sent))
        if run.stage is Stage.QUEUED:
            return _("{count} ahead in the queue…").format(count=run.queue_position)
        if run.stage is Stage.RENDERING:
            left = run.left_s(time.monotonic())
            if left is None:
                return _("{done} of {total} done").format(done=run.done, total=run.total)
            return _("{done} of {total} done, about {left} left").format(
                done=run.done, total=run.total, left=say(spoken_time(left))
            )
        return " ".join((_("Done."), *map(say, run.details)))

    def receive(self, event: FillEvent) -> None:
        self.run = self.run.after(event, time.monotonic())
        if isinstance(event, Candidate):
            edits = self.edits_of(event)
            self._renderings[event.index, event.variant] = Rendering(event, edits)

    def edits_of(self, candidate: Candidate) -> Edits:
        """Return a candidate's edits: the run's, overridden by its variant's; none if smooth."""
        if candidate.method is Method.SMOOTH:
            return {}
        own = self._variants[candidate.variant] if candidate.is_variant else {}
        return {**self._edits, **own}
