"""Errors of the daemon.

RequestError                    sent to the client; `interceptor.py` maps each class to a status
├── InvalidRequestError         a field is invalid; the message names the field and the reason
├── MalformedMessageError       the bytes are not a message of the expected type
├── NotFoundError               unknown model, direction or session; the message lists known ones
├── ResourceExhaustedError      the queue, a size or memory; the message says what would fit
│   └── DeviceOutOfMemoryError  the device does not have enough memory for one candidate
├── WrongModelError             the recipe was made with a model that the daemon does not have
├── UnavailableError            the daemon is shutting down, or the device has failed
├── UnknownMethodError          there is no such call
└── DeadlineExceededError       the client's deadline passed before the work was done

ConfigurationError              the daemon cannot start with these settings; exit status 2
└── AlreadyRunningError         another daemon uses the same runtime file
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Literal

from inpaint_model.document.notices import RefusalError
from inpaint_protos.sentences import ERRORS

log = logging.getLogger(__name__)

MAX_BYTES, MAX_VALUE_BYTES = 1000, 400
"""Maximum size of a message and of a value, because metadata is limited to 8 KiB."""

RETRY_AFTER_S: Mapping[str, float] = {
    "QUEUE_FULL": 1.0,
    "REQUESTS_TOO_LARGE": 2.0,
    "TOO_MANY_CALLS": 1.0,
    "DEVICE_LOST": 2.0,
    "REPLICA_LOST": 1.0,
}
"""Codes of requests that may succeed unchanged later, with the shortest delay before a retry."""


def _cut(text: str, num_bytes: int) -> str:
    """Return the text, cut to `num_bytes` with an ellipsis if it is longer."""
    encoded = text.encode("utf-8", "replace")
    if len(encoded) <= num_bytes:
        return text
    return encoded[: num_bytes - 3].decode("utf-8", "ignore") + "…"


class RequestError(Exception):
    """A request that cannot be answered, with a message for the client.

    Attributes:
        code: code of the message in `inpaint_protos.sentences`.
        values: values for its placeholders.
    """

    def __init__(self, code: str, text: str = "", **values: object) -> None:
        """Use the message of `code`, or `text` as a more specific English message."""
        self.code = code
        self.values = {name: _cut(str(v), MAX_VALUE_BYTES) for name, v in values.items()}
        super().__init__(_cut(text or ERRORS[code].format(**self.values), MAX_BYTES))

    def __reduce__(self) -> tuple[object, ...]:
        """Pickle the message and the attributes, since subclasses take other arguments."""
        return _restored, (type(self), str(self), vars(self))

    @property
    def retry_after_s(self) -> float | None:
        """The delay after which the same request may succeed; None if it never will."""
        return RETRY_AFTER_S.get(self.code)


def _restored(kind: type[RequestError], text: str, attributes: dict[str, object]) -> RequestError:
    error = kind.__new__(kind, text)
    vars(error).update(attributes)
    return error


class InvalidRequestError(RequestError):
    """A field of the request is invalid; the English text begins with its name."""

    def __init__(self, field: str, reason: str, code: str = "INVALID_FIELD") -> None:
        super().__init__(code, f"{field}: {reason}", field=field, reason=reason)
        self.field = field

    @classmethod
    def because(cls, field: str, error: ValueError) -> InvalidRequestError:
        """Convert an error of the model, and keep its code if it has one."""
        refused = cls(field, str(error))
        if isinstance(error, RefusalError):
            refused.code, refused.values = error.notice.code, dict(error.notice.values)
        return refused


@contextmanager
def refused_in(field: str) -> Iterator[None]:
    """Convert a refusal by the model into one of a field of the request."""
    try:
        yield
    except RefusalError as error:
        raise InvalidRequestError.because(field, error) from error


class MalformedMessageError(RequestError):
    """The bytes of a message cannot be read."""

    def __init__(self, deserialize: object) -> None:
        """Take the function that failed to parse them: `FromString` of a message type."""
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
    """The request exceeds the available capacity."""


class DeviceOutOfMemoryError(ResourceExhaustedError):
    """The device does not have enough memory."""


class WrongModelError(RequestError):
    """A recipe belongs to another model."""


class UnavailableError(RequestError):
    """The daemon is shutting down, or its device has failed."""

    def again(self) -> UnavailableError:
        """Return a copy for another request, because a raised exception keeps its traceback."""
        return UnavailableError(self.code, str(self), **self.values)


class UnknownMethodError(RequestError):
    """This daemon has no such call."""


class DeadlineExceededError(RequestError):
    """The client's deadline passed."""


def as_request_error(error: BaseException, is_out_of_memory: bool) -> RequestError:
    """Return the error for the client. The details of an unexpected error are only logged.

    Args:
        error: the error.
        is_out_of_memory: whether the process ran out of memory; otherwise it is a bug.
    """
    if isinstance(error, RequestError):
        return error
    reference = secrets.token_hex(4)
    log.error("error=%s", reference, exc_info=error)
    if is_out_of_memory:
        return ResourceExhaustedError("DAEMON_MEMORY", reference=reference)
    return RequestError("BUG", reference=reference)


class ConfigurationError(Exception):
    """The daemon cannot start with these settings; the message says what to change."""


class AlreadyRunningError(ConfigurationError):
    """Another daemon holds the runtime file."""
