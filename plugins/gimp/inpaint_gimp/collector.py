"""The events of a run, gathered: what has arrived, how far it is, what to tell the user."""

from __future__ import annotations

from collections.abc import Sequence

from inpaint_client import (
    Accepted,
    Candidate,
    Done,
    Edits,
    FillEvent,
    FrameChosen,
    Progress,
)

from .layers import Rendering
from .translation import _


class Collector:
    """Give it every event; ask it for the renderings, in the order of the layers."""

    def __init__(self, edits: Edits, variants: Sequence[Edits] = ()) -> None:
        self.session_id = ""
        self.warnings: list[str] = []
        self.fraction = 0.0
        self.status = _("Sending the picture…")
        self.is_complete = False
        self._edits = edits
        self._variants = variants
        self._renderings: dict[tuple[int, int], Rendering] = {}

    @property
    def renderings(self) -> list[Rendering]:
        """Candidate by candidate, each followed by its variants."""
        return [self._renderings[key] for key in sorted(self._renderings)]

    def receive(self, event: FillEvent) -> None:
        if isinstance(event, Accepted):
            self.session_id = event.session_id
            self.status = (
                _("Waiting, {count} before this one…").format(count=event.queue_position)
                if event.queue_position
                else _("Looking at the picture…")
            )
        elif isinstance(event, FrameChosen):
            if event.warning:
                self.warnings.append(event.warning)
            self.status = _("Filling…")
        elif isinstance(event, Progress):
            self.fraction = event.fraction
            self.status = _("{done} of {total} done").format(done=event.done, total=event.total)
        elif isinstance(event, Candidate):
            edits = self.edits_of(event)
            self._renderings[event.index, event.variant] = Rendering(event, edits)
        elif isinstance(event, Done):
            self.fraction = 1.0
            self.is_complete = True
            self.status = _("Done.")

    def edits_of(self, candidate: Candidate) -> Edits:
        """The run's edits, and a variant's own in their place or after them."""
        own = self._variants[candidate.variant] if candidate.is_variant else {}
        return {**self._edits, **own}
