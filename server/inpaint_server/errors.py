"""What the daemon answers with when it cannot do what was asked.

RequestError                what a client is told; `interceptor.py` maps each to one status
├── InvalidRequest          a field is wrong: names the field and the reason
├── NotFound                no such model, direction or session: names the known ones
├── TooMuch                 the queue, a size or the memory: says what would fit
│   └── OutOfMemory         the device's memory did not suffice even for one candidate
├── WrongModel              a recipe of a model that is not here
├── Unavailable             stopping, or the device has failed
└── DeadlinePassed          the client's deadline passed before the work was done

ConfigurationError          the daemon cannot start as it was told to: exit status 2
└── AlreadyRunning          another daemon uses the same runtime file
"""
# ruff: noqa: N818 (the names say what happened; "Error" would add nothing)

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from inpaint_model.document.notices import RefusalError
from inpaint_protos.sentences import ERRORS

MOST_CHARACTERS = 1000  # of a value: what a client sent may be long, and metadata may not


class RequestError(Exception):
    """A request that cannot be answered, with one sentence for whoever sent it.

    Attributes:
        code: of the sentence, in `inpaint_protos.sentences`.
        values: what its places are filled with.
    """

    def __init__(self, code: str, text: str = "", **values: object) -> None:
        """Take the sentence of `code`, or `text`, which says it better in English."""
        self.code = code
        self.values = {name: str(value)[:MOST_CHARACTERS] for name, value in values.items()}
        super().__init__(text or ERRORS[code].format(**self.values))


class InvalidRequest(RequestError):
    """A field of the request is wrong; the English text begins with its name."""

    def __init__(self, field: str, reason: str, code: str = "INVALID_FIELD") -> None:
        super().__init__(code, f"{field}: {reason}", field=field, reason=reason)
        self.field = field

    @classmethod
    def because(cls, field: str, error: ValueError) -> InvalidRequest:
        """Return what a client is told of an error of the model: with its code, if it has one."""
        refused = cls(field, str(error))
        if isinstance(error, RefusalError):
            refused.code, refused.values = error.notice.code, dict(error.notice.values)
        return refused


class NotFound(RequestError):
    """The request names something that this daemon does not have."""

    def __init__(
        self,
        kind: Literal["model", "direction", "session", "candidate"],
        name: str,
        known: Iterable[str] = (),
    ) -> None:
        names = ", ".join(sorted(known)) or "-"
        super().__init__(f"UNKNOWN_{kind.upper()}", name=name, known=names)


class TooMuch(RequestError):
    """The request asks for more than there is room for."""


class OutOfMemory(TooMuch):
    """The device's memory does not suffice."""


class WrongModel(RequestError):
    """A recipe belongs to another model."""


class Unavailable(RequestError):
    """The daemon cannot work now: it stops, or its device has failed."""

    def again(self) -> Unavailable:
        """Return the same for another request: an exception that is raised keeps its trace."""
        return Unavailable(self.code, str(self), **self.values)


class DeadlinePassed(RequestError):
    """The client's deadline passed."""


class ConfigurationError(Exception):
    """The daemon cannot start with these settings; the message says what to change."""


class AlreadyRunning(ConfigurationError):
    """Another daemon holds the runtime file."""
