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


class RequestError(Exception):
    """A request that cannot be answered, with one sentence for whoever sent it."""


class InvalidRequest(RequestError):
    """A field of the request is wrong."""

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(f"{field}: {reason}")
        self.field = field


class NotFound(RequestError):
    """The request names something that this daemon does not have."""

    def __init__(self, kind: str, name: str, known: Iterable[str]) -> None:
        names = ", ".join(sorted(known)) or "none"
        super().__init__(f"there is no {kind} {name!r}; known: {names}")


class TooMuch(RequestError):
    """The request asks for more than there is room for."""


class OutOfMemory(TooMuch):
    """The device's memory does not suffice."""


class WrongModel(RequestError):
    """A recipe belongs to another model."""


class Unavailable(RequestError):
    """The daemon cannot work now: it stops, or its device has failed."""


class DeadlinePassed(RequestError):
    """The client's deadline passed."""


class ConfigurationError(Exception):
    """The daemon cannot start with these settings; the message says what to change."""


class AlreadyRunning(ConfigurationError):
    """Another daemon holds the runtime file."""
