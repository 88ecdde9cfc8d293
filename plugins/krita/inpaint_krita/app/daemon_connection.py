"""Qt's connection to the daemon: find it, start it, deliver its answers.

Slow work runs in the client's thread. Signals deliver the answers in the GUI thread.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import replace
from functools import partial

from inpaint_client.daemon import Starting, ensure_daemon
from inpaint_client.discovery import find_daemon, is_local_choice
from inpaint_client.endpoint import Endpoint
from inpaint_client.errors import (
    DaemonNotFoundError,
    InpaintError,
    NotRespondingError,
    RequestCancelledError,
    UnavailableError,
)
from inpaint_client.events import Done, Failed, Message
from inpaint_client.info import DaemonInfo
from inpaint_client.requests import Job
from inpaint_client.segments import Segmentation, SegmentJob
from inpaint_client.settings import ConnectionSettings, SettingsFile
from inpaint_client.worker import Run, Worker

from ..host.guard import connect
from ..host.qt import QtCore
from .connection_state import ConnectionState, Phase, after_failure

log = logging.getLogger(__name__)
POLL_INTERVAL_MS = 4000  # to notice a daemon that was started or stopped by hand


class DaemonConnection(QtCore.QObject):
    """The only connection of the plug-in. `close` it when Krita closes."""

    changed = QtCore.pyqtSignal()
    _answered = QtCore.pyqtSignal(object)
    _arrived = QtCore.pyqtSignal(object, object)
    _segmented = QtCore.pyqtSignal(object, object)
    _starting = QtCore.pyqtSignal(object)

    def __init__(
        self, file: SettingsFile[ConnectionSettings], parent: QtCore.QObject | None = None
    ) -> None:
        super().__init__(parent)
        self._file = file
        self._stored = self.settings = file.load()
        self.connection = ConnectionState()
        self._is_start_wanted = False  # requested with the Start button
        self._runs = 0  # runs and selections in progress, which need the daemon too
        self._is_closed = False
        self._is_asking = False
        self._worker = Worker(self._locate)
        connect(self._answered, self._take_answer)
        connect(self._starting, self._take_starting)
        connect(self._arrived, self._take_message)
        connect(self._segmented, self._take_segmentation)
        self._timer = QtCore.QTimer(self)
        self._timer.setInterval(POLL_INTERVAL_MS)
        connect(self._timer.timeout, self._check_again)

    @property
    def is_remote(self) -> bool:
        return not is_local_choice(self.settings)

    def check(self) -> None:
        """Request the daemon's info without starting it; `changed` signals the answer."""
        if self._is_asking or self._is_closed:
            return
        if self.connection.phase is not Phase.READY:
            self.read_settings()
        self._is_asking = True
        self._timer.start()
        future = self._worker.call(lambda client: client.info())
        future.add_done_callback(self._answered.emit)

    def read_settings(self) -> None:
        """Reload settings that another program may have stored since, before reconnecting."""
        stored = self._file.load()
        if stored != self._stored:
            self._stored = self.settings = stored

    def start(self) -> None:
        """Find the local daemon, and start it if necessary."""
        self._is_start_wanted = True
        if self.connection.phase is not Phase.READY:
            self._set(ConnectionState(Phase.LOOKING))
        self._is_asking = False  # a request in progress does not start the daemon
        self.check()

    def submit(self, job: Job, receive: Callable[[Message], None]) -> Run:
        """Send a job, starting the daemon if necessary; call `receive` in the GUI thread."""
        self._runs += 1
        if self.connection.phase is not Phase.READY:
            self.read_settings()
        # All runs share one signal: with one QObject per run, deleted in the slot of its last
        # message, PyQt 6 crashed.
        timeout_s = self.settings.timeout_s or None
        return self._worker.submit(job, partial(self._arrived.emit, receive), timeout_s)

    def segment(
        self, job: SegmentJob, receive: Callable[[Future[Segmentation]], None]
    ) -> Future[Segmentation]:
        """Request the parts of faces, starting the daemon if necessary.

        `receive` is called with the answer in the GUI thread, unless that is canceled.
        """
        self._runs += 1
        if self.connection.phase is not Phase.READY:
            self.read_settings()
        timeout_s = self.settings.timeout_s or None
        future = self._worker.call(lambda client: client.segment(job, timeout_s))
        future.add_done_callback(partial(self._segmented.emit, receive))
        return future

    def use(self, settings: ConnectionSettings) -> None:
        """Apply other settings and reconnect."""
        self.settings = settings
        self._set(ConnectionState(Phase.LOOKING))
        self._is_asking = False
        self.check()

    def failed(self, error: InpaintError) -> None:
        """Update the state after a run failed, if the error is about the daemon."""
        if isinstance(error, RequestCancelledError):
            return
        if isinstance(error, (DaemonNotFoundError, NotRespondingError, UnavailableError)):
            self._set(ConnectionState(Phase.FAILED, error=error, is_remote=self.is_remote))

    def close(self) -> None:
        self._is_closed = True
        self._timer.stop()
        self._worker.close()

    def _locate(self) -> Endpoint:
        """Return the daemon's endpoint; runs in the client's thread."""
        if not (self._is_start_wanted or self._runs):
            return find_daemon(self.settings)
        return ensure_daemon(self.settings, self._starting.emit, lambda: not self._is_closed)

    def _check_again(self) -> None:
        phase = self.connection.phase
        if phase in (Phase.READY, Phase.MISSING) or (phase is Phase.FAILED and not self.is_remote):
            self.check()

    def _take_message(self, receive: Callable[[Message], None], message: Message) -> None:
        if isinstance(message, (Done, Failed)):
            self._runs -= 1
        elif self.connection.phase is not Phase.READY:
            self.check()  # the daemon responds: update the state
        receive(message)

    def _take_segmentation(
        self, receive: Callable[[Future[Segmentation]], None], future: Future[Segmentation]
    ) -> None:
        self._runs -= 1
        if future.cancelled():
            return
        if future.exception() is None and self.connection.phase is not Phase.READY:
            self.check()  # the daemon responds: update the state
        receive(future)

    def _take_starting(self, starting: Starting) -> None:
        self._set(ConnectionState(Phase.STARTING, detail=starting.last_line))

    def _take_answer(self, future: Future[DaemonInfo]) -> None:
        self._is_asking = False
        if future.cancelled():
            return
        self._is_start_wanted = False
        error = future.exception()
        if error is None:
            self._set(ConnectionState(Phase.READY, info=future.result(), is_remote=self.is_remote))
        elif isinstance(error, InpaintError):
            self._set(after_failure(error, self.is_remote))
        else:
            log.error("the client failed", exc_info=error)
            self._set(after_failure(InpaintError(f"The client failed: {error!r}."), True))

    def _set(self, connection: ConnectionState) -> None:
        if connection != self.connection:
            self.connection = replace(connection)
            self.changed.emit()
