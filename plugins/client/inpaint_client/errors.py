"""Errors of the client, grouped by what the user can do about them.

    InpaintError
    ├── InputError                      found by the client, before anything was sent
    ├── DaemonNotFoundError             no daemon answers at the address
    │   └── StartFailedError            the daemon was started, but did not become ready
    │       └── ProgramNotFoundError    there is no program to start
    ├── RefusedError                    the daemon refused the request
    │   ├── InvalidRequestError         INVALID_ARGUMENT
    │   ├── NotFoundError               NOT_FOUND: model, direction or session
    │   ├── ResourceExhaustedError      RESOURCE_EXHAUSTED: queue, size or memory
    │   ├── WrongModelError             FAILED_PRECONDITION: a recipe of another model
    │   └── UnauthenticatedError        UNAUTHENTICATED: token missing or wrong
    ├── UnavailableError                UNAVAILABLE: the daemon is loading or shutting down
    │   └── ConnectionLostError         the connection was lost before the answer was complete
    ├── RequestCancelledError           the caller cancelled
    ├── RequestTimeoutError             DEADLINE_EXCEEDED: it took longer than allowed
    │   └── NotRespondingError          the daemon hangs or is suspended
    └── DaemonInternalError             a bug in the daemon, or a daemon of another version

`str(error)` is meant for the user: the cause, then the remedy. The two parts are `message` and
`remedy`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from .sentence import Sentence, of_daemon


class InpaintError(Exception):
    """Base class of the errors that this package raises on purpose."""

    remedy_by_default: str = ""
    code: str = ""  # a code of `inpaint_protos.sentences`, if the daemon sent one
    retry_after_s: float | None = None  # delay after which a retry may succeed; None = unknown

    def __init__(self, message: str, remedy: str | None = None) -> None:
        self.message = message if isinstance(message, Sentence) else message.rstrip()
        self.remedy = self.remedy_by_default if remedy is None else remedy
        super().__init__(f"{self.message} {self.remedy}".rstrip())


class InputError(InpaintError, ValueError):
    """The request is invalid; nothing was sent."""


class DaemonNotFoundError(InpaintError):
    """No daemon answers at the address."""

    remedy_by_default = Sentence(
        "Start the daemon with `inpaint-server`, or correct the address in the settings."
    )


class StartFailedError(DaemonNotFoundError):
    """The daemon was started, but did not become ready."""

    remedy_by_default = Sentence("Run `inpaint-server` in a terminal to see the reason.")


class ProgramNotFoundError(StartFailedError):
    """`inpaint-server` was not found, or the configured program cannot be run."""

    remedy_by_default = Sentence("Install it, or choose the program in the settings.")


class RefusedError(InpaintError):
    """The daemon understood the request and refused it."""


class InvalidRequestError(RefusedError):
    """A field of the request is out of range or inconsistent; the message names it."""

    remedy_by_default = Sentence("Correct this value and try again.")


class NotFoundError(RefusedError):
    """The model, direction or session does not exist; the message lists the existing ones."""

    remedy_by_default = Sentence("Choose an available one, or fill again.")


class ResourceExhaustedError(RefusedError):
    """The queue is full, or the request needs more memory than is available."""

    remedy_by_default = Sentence(
        "Try again in a moment, or with fewer candidates or a smaller selection."
    )


class WrongModelError(RefusedError):
    """The recipe was made with another model."""

    remedy_by_default = Sentence("Load the model that the recipe names.")


class UnauthenticatedError(RefusedError):
    """The token is missing or wrong."""

    remedy_by_default = Sentence(
        "Enter the daemon's token in the settings or set INPAINT_TOKEN. A daemon on "
        "this machine writes its token to its runtime file, so restarting it also "
        "helps."
    )


class UnavailableError(InpaintError):
    """The daemon is loading a model or shutting down."""

    remedy_by_default = Sentence("Try again in a moment.")


class ConnectionLostError(UnavailableError):
    """The connection was lost before the answer was complete."""

    remedy_by_default = Sentence(
        "Check the daemon's log for the reason, restart the daemon and try again."
    )


class RequestCancelledError(InpaintError):
    """The request was cancelled; not a failure."""


class RequestTimeoutError(InpaintError):
    """The answer took longer than allowed."""

    remedy_by_default = Sentence("Allow more time in the settings, or request fewer candidates.")


class NotRespondingError(RequestTimeoutError):
    """The daemon accepts connections but does not even answer health checks."""

    remedy_by_default = Sentence(
        "It hangs or is suspended. End the process inpaint-server and try again."
    )


class DaemonInternalError(InpaintError):
    """A bug in the daemon, or a daemon of another version."""

    remedy_by_default = Sentence("The daemon's log has the details. Please report them.")


# gRPC's status codes by number, so that this module does not depend on gRPC.
_BY_STATUS: dict[int, tuple[type[InpaintError], str]] = {
    # The client's own cancellations have no status. So the daemon or a proxy ended the call.
    1: (UnavailableError, Sentence("The daemon ended the request before it was complete.")),
    3: (InvalidRequestError, Sentence("The daemon rejected the request as invalid.")),
    4: (RequestTimeoutError, Sentence("The daemon did not finish in time.")),
    5: (
        NotFoundError,
        Sentence("The daemon does not have the requested model, direction or session."),
    ),
    7: (UnauthenticatedError, Sentence("The daemon does not allow this.")),
    8: (ResourceExhaustedError, Sentence("The daemon has no capacity for this request.")),
    9: (WrongModelError, Sentence("The recipe was made with another model.")),
    11: (InvalidRequestError, Sentence("The daemon rejected a value that is out of range.")),
    12: (
        DaemonInternalError,
        Sentence(
            "The daemon does not support this request. Its version differs from the client's."
        ),
    ),
    14: (UnavailableError, Sentence("The daemon is not ready.")),
    16: (UnauthenticatedError, Sentence("The daemon requires a token.")),
}


class Reason(NamedTuple):
    """The daemon's reason for a refusal, in machine-readable form."""

    code: str  # of `inpaint_protos.sentences`
    values: Mapping[str, str]
    retry_after_s: float | None = None  # delay after which a retry may succeed


def from_status(code: int, message: str | None, reason: Reason | None = None) -> InpaintError:
    """Return the exception for a gRPC status.

    Args:
        code: gRPC's status code.
        message: the daemon's English sentence, if any.
        reason: the machine-readable reason. If its code is known, the message can be translated
            and includes the remedy.
    """
    error = _from_status(code, message, reason)
    if reason is not None:
        error.code, error.retry_after_s = reason.code, reason.retry_after_s
    return error


def _from_status(code: int, message: str | None, reason: Reason | None) -> InpaintError:
    kind, sentence = _BY_STATUS.get(code, (DaemonInternalError, Sentence("The daemon failed.")))
    text = (message or "").strip()
    if reason is not None:
        told = of_daemon(reason.code, reason.values, text)
        if isinstance(told, Sentence) and reason.code != "INVALID_FIELD":
            return kind(told, "")
    if not text:
        return kind(sentence)
    if text.split(maxsplit=1)[0].isalpha():  # begins with a word, not with the name of a field
        text = text[0].upper() + text[1:]
    return kind(text if text.endswith((".", "!", "?")) else f"{text}.")
