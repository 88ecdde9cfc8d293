"""The tour of the fill dialog: which of its three bubbles is shown, and whether it was seen."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace

from inpaint_client import SettingsFile
from inpaint_client.session.tour import Stop, Tour

from .memory import Memory
from .state import Phase, State

log = logging.getLogger(__name__)


class FillTour:
    """Follows what the dialog shows.

    There is always something to fill, so the first bubble waits for *Next* or for the fill itself.
    """

    def __init__(self, file: SettingsFile[Memory], show: Callable[[Stop | None], None]) -> None:
        """Create it; `show` shows one bubble, or none."""
        self._file = file
        self._show = show
        self._tour = Tour()
        self._state = State(Phase.CONNECTING, "")
        self._has_candidates = False
        self._shown: Stop | None = None

    @property
    def shown(self) -> Stop | None:
        """The stop whose bubble is shown."""
        return self._shown

    def begin_if_new(self) -> None:
        """Begin unless the tour was seen in an earlier run."""
        if not self._file.load().tour_seen:
            self.begin()

    def begin(self) -> None:
        """Begin with the first bubble that fits what the dialog shows."""
        is_late = self._has_candidates or self._state.phase is Phase.RUNNING
        self._go(Tour(Stop.CANDIDATES if is_late else Stop.SELECTION))

    def next(self) -> None:
        """Go on, or finish the tour."""
        if self._tour.is_last:
            self.close()
        else:
            self._go(self._tour.next())

    def close(self) -> None:
        """End the tour; it does not begin by itself again."""
        if self._tour.stop is not None:
            self._go(Tour())
            self._remember()

    def leave(self) -> None:
        """End the tour with the dialog. Only after the last bubble was it seen to its end."""
        was_seen = self._shown is max(Stop)
        self._go(Tour())
        if was_seen:
            self._remember()

    def follow(self, state: State, *, has_candidates: bool) -> None:
        """Follow what the dialog shows now."""
        self._state, self._has_candidates = state, has_candidates
        is_filling = state.phase is Phase.RUNNING
        self._go(self._tour.follow(is_selected=False, is_filling=is_filling))

    def _go(self, tour: Tour) -> None:
        self._tour = tour
        fitting = tour.stop if self._fits(tour.stop) else None
        if fitting is not self._shown:
            self._shown = fitting
            self._show(fitting)

    def _fits(self, stop: Stop | None) -> bool:
        """Return whether a bubble fits what the dialog shows; none may cover an error."""
        if self._state.is_error:
            return False
        if stop is Stop.CANDIDATES:
            return self._has_candidates and self._state.phase is Phase.READY
        return not self._has_candidates and self._state.phase is not Phase.RUNNING

    def _remember(self) -> None:
        try:
            self._file.save(replace(self._file.load(), tour_seen=True))
        except OSError as error:  # the tour will be shown again, which is all that is lost
            log.warning("%s cannot be written: %s", self._file.path, error)
