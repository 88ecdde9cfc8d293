"""The connection to the daemon, for Qt: looks for it, starts it, hands out its answers.

Everything slow happens in the client's thread; signals bring the answers to the window's.
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
from inpaint_client.settings import ConnectionSettings, SettingsFile
from inpaint_client.worker import Run, Worker

from ..host.guard import connect
from ..host.qt import QtCore
from .connection_state import ConnectionState, Phase, after_failure

log = logging.getLogger(__name__)
POLL_INTERVAL_MS = 4000  # a daemon that was started or stopped by hand is noticed


class DaemonConnection(QtCore.QObject):
    """One for the whole plug-in. `close` it when Krita ends."""

    changed = QtCore.pyqtSignal()
    _answered = QtCore.pyqtSignal(object)
    _arrived = QtCore.pyqtSignal(object, object)
    _starting = QtCore.pyqtSignal(object)

    def __init__(
        self, file: SettingsFile[ConnectionSettings], parent: QtCore.QObject | None = None
    ) -> None:
        super().__init__(parent)
        self._file = file
        self._stored = self.settings = file.load()
        self.connection = ConnectionState()
        self._is_start_wanted = False  # by the button
        self._runs = 0  # under way; they want it, too
        self._is_closed = False
        self._is_asking = False
        self._worker = Worker(self._locate)
        connect(self._answered, self._take_answer)
        connect(self._starting, self._take_starting)
        connect(self._arrived, self._take_message)
        self._timer = QtCore.QTimer(self)
        self._timer.setInterval(POLL_INTERVAL_MS)
        connect(self._timer.timeout, self._check_again)

    @property
    def is_remote(self) -> bool:
        return not is_local_choice(self.settings)

    def check(self) -> None:
        """Ask what the daemon is; the answer comes as `changed`. Starts none."""
        if self._is_asking or self._is_closed:
            return
        if self.connection.phase is not Phase.READY:
            self.read_settings()
        self._is_asking = True
        self._timer.start()
        future = self._worker.call(lambda client: client.info())
        future.add_done_callback(self._answered.emit)

    def read_settings(self) -> None:
        """Take settings that another program has stored meanwhile, before connecting anew."""
        stored = self._file.load()
        if stored != self._stored:
            self._stored = self.settings = stored

    def start(self) -> None:
        """From now on start the local daemon when there is none; and look for it."""
        self._is_start_wanted = True
        if self.connection.phase is not Phase.READY:
            self._set(ConnectionState(Phase.LOOKING))
        self._is_asking = False  # an answer under way did not start one
        self.check()

    def submit(self, job: Job, receive: Callable[[Message], None]) -> Run:
        """Send a job; `receive` is called in the window's thread. Starts the daemon if need be."""
        self._runs += 1
        if self.connection.phase is not Phase.READY:
            self.read_settings()
        # One signal for all runs: PyQt 6 crashed when each had an object of its own, deleted by the
        # slot of its last message.
        timeout_s = self.settings.timeout_s or None
        return self._worker.submit(job, partial(self._arrived.emit, receive), timeout_s)

    def use(self, settings: ConnectionSettings) -> None:
        """Other settings: look again."""
        self.settings = settings
        self._set(ConnectionState(Phase.LOOKING))
        self._is_asking = False
        self.check()

    def failed(self, error: InpaintError) -> None:
        """A run failed: if that tells about the daemon, say so and look again."""
        if isinstance(error, RequestCancelledError):
            return
        if isinstance(error, (DaemonNotFoundError, NotRespondingError, UnavailableError)):
            self._set(ConnectionState(Phase.FAILED, error=error, is_remote=self.is_remote))

    def close(self) -> None:
        self._is_closed = True
        self._timer.stop()
        self._worker.close()

    def _locate(self) -> Endpoint:
        """In a thread of the client's."""
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
            self.check()  # it answers: say so
        receive(message)

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
