"""Exit statuses: 0 success, 2 invalid usage or input, 3 no daemon, 4 refused or failed."""

from __future__ import annotations

from inpaint_client import DaemonNotFoundError, InpaintError, InputError

DONE, BAD_INPUT, NO_DAEMON, REFUSED, INTERRUPTED = 0, 2, 3, 4, 130


def status_of(error: Exception) -> int:
    """Return the exit status for an error."""
    if isinstance(error, DaemonNotFoundError):
        return NO_DAEMON
    if isinstance(error, InpaintError) and not isinstance(error, InputError):
        return REFUSED
    return BAD_INPUT
