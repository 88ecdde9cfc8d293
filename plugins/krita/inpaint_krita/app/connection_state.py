"""The daemon's state in words, and the action that recovers from it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto

from inpaint_client.errors import (
    DaemonNotFoundError,
    InpaintError,
    InputError,
    NotRespondingError,
    ProgramNotFoundError,
    StartFailedError,
    UnauthenticatedError,
    UnavailableError,
)
from inpaint_client.info import DaemonInfo

from ..text import say_error, tr


class Phase(Enum):
    LOOKING = auto()  # checking whether a daemon is running
    MISSING = auto()  # no local daemon is running; it is started on demand
    STARTING = auto()
    READY = auto()
    FAILED = auto()  # the start failed, the daemon refused, or the connection broke


class RecoveryAction(Enum):
    """The action of the button next to the status text."""

    NONE = auto()
    START = auto()
    RECONNECT = auto()
    SETTINGS = auto()
    CHOOSE_PROGRAM = auto()
    SHOW_LOG = auto()


@dataclass(frozen=True)
class ConnectionState:
    """The state of the connection to the daemon."""

    phase: Phase = Phase.LOOKING
    info: DaemonInfo | None = None  # the latest info, when READY
    error: InpaintError | None = None  # when FAILED
    detail: str = ""  # when STARTING: the last line of its log
    is_remote: bool = False

    @property
    def words(self) -> str:
        """Status text for one short line."""
        if self.phase is Phase.LOOKING:
            return tr("Looking for the daemon…")
        if self.phase is Phase.STARTING:
            return tr("Starting the daemon…")
        if self.phase is Phase.MISSING:
            return tr("The daemon is not running")
        if self.phase is Phase.READY:
            return tr("Ready on {device}").format(
                device=self.info.device if self.info else tr("this computer")
            )
        return _heading(self.error)

    @property
    def explanation(self) -> str:
        """Explanation for the tooltip."""
        if self.phase is Phase.FAILED and self.error is not None:
            return say_error(self.error)
        if self.phase is Phase.READY and self.info is not None:
            return tr("Version {version}, {precision}, {queue} in the queue").format(
                version=self.info.version,
                precision=self.info.precision,
                queue=self.info.queue_length,
            )
        if self.phase is Phase.MISSING:
            return tr("It starts automatically when you fill a selection.")
        return self.detail

    @property
    def recover(self) -> RecoveryAction:
        if self.phase is Phase.MISSING:
            return RecoveryAction.START
        if self.phase is not Phase.FAILED:
            return RecoveryAction.NONE
        if isinstance(self.error, (UnauthenticatedError, InputError)):
            return RecoveryAction.SETTINGS
        if isinstance(self.error, ProgramNotFoundError):
            return RecoveryAction.CHOOSE_PROGRAM
        if isinstance(self.error, StartFailedError):
            return RecoveryAction.SHOW_LOG
        return RecoveryAction.RECONNECT

    @property
    def recovery_label(self) -> str:
        return {
            RecoveryAction.NONE: "",
            RecoveryAction.START: tr("Start"),
            RecoveryAction.RECONNECT: tr("Reconnect"),
            RecoveryAction.SETTINGS: tr("Settings…"),
            RecoveryAction.CHOOSE_PROGRAM: tr("Choose program…"),
            RecoveryAction.SHOW_LOG: tr("Show log"),
        }[self.recover]


def _heading(error: InpaintError | None) -> str:
    if isinstance(error, StartFailedError):
        return tr("The daemon did not start")
    if isinstance(error, DaemonNotFoundError):
        return tr("Cannot reach the daemon")
    if isinstance(error, UnauthenticatedError):
        return tr("The daemon requires a token")
    if isinstance(error, UnavailableError):
        return tr("Connection lost")
    if isinstance(error, NotRespondingError):
        return tr("The daemon does not respond")
    return tr("Cannot use the daemon")


def after_failure(error: InpaintError, is_remote: bool) -> ConnectionState:
    """Return the state after a failed info request."""
    if (
        isinstance(error, DaemonNotFoundError)
        and not isinstance(error, StartFailedError)
        and not is_remote
    ):
        return ConnectionState(Phase.MISSING)
    return ConnectionState(Phase.FAILED, error=error, is_remote=is_remote)
