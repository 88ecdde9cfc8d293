"""What can go wrong, as a person would sort it.

    InpaintError
    ├── InputError           found here, before anything was sent
    ├── DaemonNotFoundError           nobody answers at the address
    │   └── StartFailedError    it was started and did not come up
    │       └── ProgramNotFoundError   there is no program to start
    ├── RefusedError      it answered: no
    │   ├── InvalidRequestError       INVALID_ARGUMENT
    │   ├── NotFoundError           NOT_FOUND: model, direction or session
    │   ├── Exhausted          RESOURCE_EXHAUSTED: queue, size or memory
    │   ├── WrongModelError         FAILED_PRECONDITION: a recipe of another model
    │   └── Unauthenticated    UNAUTHENTICATED: token missing or wrong
    ├── Unavailable        UNAVAILABLE: it is loading or stopping
    │   └── ConnectionLostError     it went away in the middle
    ├── Cancelled          somebody cancelled
    ├── Timeout            DEADLINE_EXCEEDED: it took longer than allowed
    │   └── NotRespondingError       it is there and answers nothing: it hangs or was stopped
    └── DaemonInternalError        a bug there, or a daemon that speaks another version

`str(error)` is for people: what happened, then what to do. The parts are `message` and `remedy`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from .sentence import Sentence, of_daemon


class InpaintError(Exception):
    """Base of everything that this package raises on purpose."""

    remedy_by_default: str = ""
    code: str = ""  # of `inpaint_protos.sentences`, if the daemon gave one
    retry_after_s: float | None = None  # the same may succeed after so long; None: not told

    def __init__(self, message: str, remedy: str | None = None) -> None:
        self.message = message if isinstance(message, Sentence) else message.rstrip()
        self.remedy = self.remedy_by_default if remedy is None else remedy
        super().__init__(f"{self.message} {self.remedy}".rstrip())


class InputError(InpaintError, ValueError):
    """The request cannot be right; nothing was sent."""


class DaemonNotFoundError(InpaintError):
    """Nobody answers at the address."""

    remedy_by_default = Sentence(
        "Start it with `inpaint-server`, or correct the address in the settings."
    )


class StartFailedError(DaemonNotFoundError):
    """The daemon was started and did not come up."""

    remedy_by_default = Sentence("Start `inpaint-server` in a terminal to see why.")


class ProgramNotFoundError(StartFailedError):
    """There is no `inpaint-server` to start, or the one of the settings cannot be run."""

    remedy_by_default = Sentence("Install it, or choose the program in the settings.")


class RefusedError(InpaintError):
    """The daemon understood and said no."""


class InvalidRequestError(RefusedError):
    """A field of the request is out of range or inconsistent; the message names it."""

    remedy_by_default = Sentence("Change what is named here, and repeat.")


class NotFoundError(RefusedError):
    """No such model, direction or session; the message names those that exist."""

    remedy_by_default = Sentence("Choose a known one, or fill again.")


class ResourceExhaustedError(RefusedError):
    """The queue is full, or the request needs more memory than there is."""

    remedy_by_default = Sentence(
        "Try again in a moment, or with fewer candidates or a smaller selection."
    )


class WrongModelError(RefusedError):
    """The recipe was made with another model."""

    remedy_by_default = Sentence("Load the model that the recipe names.")


class UnauthenticatedError(RefusedError):
    """The token is missing or wrong."""

    remedy_by_default = Sentence(
        "Put the daemon's token into the settings or into INPAINT_TOKEN; "
        "a daemon on this machine writes it to its runtime file, so restarting it also helps."
    )


class UnavailableError(InpaintError):
    """The daemon is loading a model or stopping."""

    remedy_by_default = Sentence("Try again in a moment.")


class ConnectionLostError(UnavailableError):
    """The connection broke before the answer was complete."""

    remedy_by_default = Sentence("See the daemon's log for the reason, start it again and repeat.")


class RequestCancelledError(InpaintError):
    """Somebody cancelled; not a failure."""


class RequestTimeoutError(InpaintError):
    """The answer took longer than allowed."""

    remedy_by_default = Sentence("Allow more time in the settings, or ask for fewer candidates.")


class NotRespondingError(RequestTimeoutError):
    """The daemon is there and says nothing, not even to small questions."""

    remedy_by_default = Sentence(
        "It hangs or was stopped: end the process inpaint-server, and try again."
    )


class DaemonInternalError(InpaintError):
    """A bug in the daemon, or a daemon of another version."""

    remedy_by_default = Sentence("The daemon's log has the details; please report them.")


# gRPC's status codes by number, so that this module needs no gRPC.
_BY_STATUS: dict[int, tuple[type[InpaintError], str]] = {
    1: (RequestCancelledError, Sentence("The request was cancelled.")),
    3: (InvalidRequestError, Sentence("The daemon found the request invalid.")),
    4: (RequestTimeoutError, Sentence("The daemon did not finish in time.")),
    5: (NotFoundError, Sentence("The daemon does not have what was asked for.")),
    7: (UnauthenticatedError, Sentence("The daemon does not permit this.")),
    8: (ResourceExhaustedError, Sentence("The daemon has no room for this request.")),
    9: (WrongModelError, Sentence("The recipe does not belong to this model.")),
    11: (InvalidRequestError, Sentence("The daemon found a value out of range.")),
    12: (
        DaemonInternalError,
        Sentence("The daemon does not know this request: its version differs from this one."),
    ),
    14: (UnavailableError, Sentence("The daemon is not ready.")),
    16: (UnauthenticatedError, Sentence("The daemon asks for a token.")),
}


class Reason(NamedTuple):
    """Why the daemon refused, for programs."""

    code: str  # of `inpaint_protos.sentences`
    values: Mapping[str, str]
    retry_after_s: float | None = None  # after which the same may succeed


def from_status(code: int, message: str | None, reason: Reason | None = None) -> InpaintError:
    """Return the exception for gRPC status `code`; `message` is the daemon's sentence, if any.

    With a `reason` that is known here, the message can be translated, and says what helps.
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
    if text.split(maxsplit=1)[0].isalpha():  # a word, not the name of a field
        text = text[0].upper() + text[1:]
    return kind(text if text.endswith((".", "!", "?")) else f"{text}.")
