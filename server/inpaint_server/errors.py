"""What the daemon answers with when it cannot do what was asked.

RequestError                what a client is told; `interceptor.py` maps each to one status
├── InvalidRequestError          a field is wrong: names the field and the reason
├── MalformedMessageError        bytes that are no message of the type that the call takes
├── NotFoundError                no such model, direction or session: names the known ones
├── ResourceExhaustedError                 the queue, a size or the memory: says what would fit
│   └── DeviceOutOfMemoryError         the device's memory did not suffice even for one candidate
├── WrongModelError              a recipe of a model that is not here
├── Unavailable             stopping, or the device has failed
├── UnknownMethodError           no such call
└── DeadlineExceededError          the client's deadline passed before the work was done

ConfigurationError          the daemon cannot start as it was told to: exit status 2
└── AlreadyRunningError          another daemon uses the same runtime file
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Literal

from inpaint_model.document.notices import RefusalError
from inpaint_protos.sentences import ERRORS

MAX_BYTES, MAX_VALUE_BYTES = 1000, 400
"""Of a sentence and of a value: what a client sent may be long, and metadata may have 8 KiB."""

RETRY_AFTER_S: Mapping[str, float] = {
    "QUEUE_FULL": 1.0,
    "REQUESTS_TOO_LARGE": 2.0,
    "TOO_MANY_CALLS": 1.0,
    "DEVICE_LOST": 2.0,
}
"""What may succeed when it is tried again unchanged, and after how long at the earliest."""


def _cut(text: str, num_bytes: int) -> str:
    """Return the text, or as much of it as has so many bytes, with an ellipsis."""
    encoded = text.encode("utf-8", "replace")
    if len(encoded) <= num_bytes:
        return text
    return encoded[: num_bytes - 3].decode("utf-8", "ignore") + "…"


class RequestError(Exception):
    """A request that cannot be answered, with one sentence for whoever sent it.

    Attributes:
        code: of the sentence, in `inpaint_protos.sentences`.
        values: what its places are filled with.
    """

    def __init__(self, code: str, text: str = "", **values: object) -> None:
        """Take the sentence of `code`, or `text`, which says it better in English."""
        self.code = code
        self.values = {name: _cut(str(v), MAX_VALUE_BYTES) for name, v in values.items()}
        super().__init__(_cut(text or ERRORS[code].format(**self.values), MAX_BYTES))

    @property
    def retry_after_s(self) -> float | None:
        """How long to wait before the same request may succeed; None: it will not."""
        return RETRY_AFTER_S.get(self.code)


class InvalidRequestError(RequestError):
    """A field of the request is wrong; the English text begins with its name."""

    def __init__(self, field: str, reason: str, code: str = "INVALID_FIELD") -> None:
        super().__init__(code, f"{field}: {reason}", field=field, reason=reason)
        self.field = field

    @classmethod
    def because(cls, field: str, error: ValueError) -> InvalidRequestError:
        """Return what a client is told of an error of the model: with its code, if it has one."""
        refused = cls(field, str(error))
        if isinstance(error, RefusalError):
            refused.code, refused.values = error.notice.code, dict(error.notice.values)
        return refused


class MalformedMessageError(RequestError):
    """The bytes of a message cannot be read."""

    def __init__(self, deserialize: object) -> None:
        """Take what should have read them: `FromString` of a type of message."""
        kind = getattr(deserialize, "__self__", None)
        name = getattr(getattr(kind, "DESCRIPTOR", None), "full_name", "that this call takes")
        super().__init__("MALFORMED_MESSAGE", type=name)


class NotFoundError(RequestError):
    """The request names something that this daemon does not have."""

    def __init__(
        self,
        kind: Literal["model", "direction", "session", "candidate", "service"],
        name: str,
        known: Iterable[str] = (),
    ) -> None:
        names = ", ".join(sorted(known)) or "-"
        super().__init__(f"UNKNOWN_{kind.upper()}", name=name, known=names)


class ResourceExhaustedError(RequestError):
    """The request asks for more than there is room for."""


class DeviceOutOfMemoryError(ResourceExhaustedError):
    """The device's memory does not suffice."""


class WrongModelError(RequestError):
    """A recipe belongs to another model."""


class UnavailableError(RequestError):
    """The daemon cannot work now: it stops, or its device has failed."""

    def again(self) -> UnavailableError:
        """Return the same for another request: an exception that is raised keeps its trace."""
        return UnavailableError(self.code, str(self), **self.values)


class UnknownMethodError(RequestError):
    """This daemon has no such call."""


class DeadlineExceededError(RequestError):
    """The client's deadline passed."""


class ConfigurationError(Exception):
    """The daemon cannot start with these settings; the message says what to change."""


class AlreadyRunningError(ConfigurationError):
    """Another daemon holds the runtime file."""
