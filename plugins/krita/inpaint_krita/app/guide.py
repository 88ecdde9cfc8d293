"""What a newcomer needs: whether anything is selected, the example, and the tour."""

from __future__ import annotations

from collections.abc import Callable

from inpaint_client.session.tour import Stop, Tour

from ..host.qt import QtCore
from .state import State


class Guide(QtCore.QObject):
    """Follows what the artist does; `changed` says that the tour has started, gone on or ended."""

    changed = QtCore.pyqtSignal()

    def __init__(
        self,
        find_selection: Callable[[], bool],
        open_example: Callable[[], None],
        set_option: Callable[..., None],
        parent: QtCore.QObject | None = None,
    ) -> None:
        """Start without a tour.

        Args:
            find_selection: returns whether anything is selected in the active document.
            open_example: opens the example portrait.
            set_option: stores settings.
            parent: the owner.
        """
        super().__init__(parent)
        self.tour = Tour()
        self.is_selected = False  # whether anything was selected when it last mattered
        self._find_selection = find_selection
        self._open_example = open_example
        self._set_option = set_option
        self._is_watched = True
        # Whether what is selected is older than the tour, so that it is no answer to a bubble.
        self._is_old_selection = False

    def watch(self, is_watched: bool) -> None:
        """Say whether the docker is visible: otherwise Krita is not asked for its selection."""
        self._is_watched = is_watched

    def open_example(self) -> None:
        self._open_example()

    def start(self) -> None:
        """Start the tour, from the beginning."""
        self.tour = Tour(Stop.SELECTION)
        self._is_old_selection = self._find_selection()
        self.changed.emit()

    def go_on(self) -> None:
        """Show the next bubble, or end the tour after the last one."""
        self._go_to(self.tour.next())

    def end(self) -> None:
        self._go_to(Tour())

    def _go_to(self, tour: Tour) -> None:
        if tour == self.tour:
            return
        self.tour = tour
        if tour.stop is None:
            self._set_option(toured=True)
        self.changed.emit()

    def follow(self, state: State) -> bool:
        """Notice what the artist has done. Krita sends no event when something is selected.

        Returns:
            Whether `tour` or `is_selected` have changed.
        """
        before = self.tour, self.is_selected
        if not state.has_document:
            self.is_selected = False
        elif self._matters(state):
            self.is_selected = self._find_selection()
        self._is_old_selection = self._is_old_selection and self.is_selected
        self.tour = self.tour.follow(
            is_selected=self.is_selected and not self._is_old_selection,
            # A run that fails at once leaves the artist with the button, not with candidates.
            is_filling=state.progress.is_running and state.run_is_attached,
        )
        if state.run_is_kept and not state.fill_settings.toured:
            self._set_option(toured=True)
        return before != (self.tour, self.is_selected)

    def _matters(self, state: State) -> bool:
        """Return whether anything that is shown depends on the selection."""
        is_shown = state.run is None or self.tour.stop is Stop.SELECTION
        is_idle = not state.progress.is_running and not state.is_selecting
        return self._is_watched and is_shown and is_idle
