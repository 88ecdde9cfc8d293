"""The tree as drawn, the codes as promised, and sentences that help."""

from __future__ import annotations

import re

import grpc
import pytest
from inpaint_client import errors
from inpaint_client.errors import InpaintError, from_status

CODES = {
    grpc.StatusCode.CANCELLED: errors.UnavailableError,
    grpc.StatusCode.UNKNOWN: errors.DaemonInternalError,
    grpc.StatusCode.INVALID_ARGUMENT: errors.InvalidRequestError,
    grpc.StatusCode.DEADLINE_EXCEEDED: errors.RequestTimeoutError,
    grpc.StatusCode.NOT_FOUND: errors.NotFoundError,
    grpc.StatusCode.PERMISSION_DENIED: errors.UnauthenticatedError,
    grpc.StatusCode.RESOURCE_EXHAUSTED: errors.ResourceExhaustedError,
    grpc.StatusCode.FAILED_PRECONDITION: errors.WrongModelError,
    grpc.StatusCode.OUT_OF_RANGE: errors.InvalidRequestError,
    grpc.StatusCode.UNIMPLEMENTED: errors.DaemonInternalError,
    grpc.StatusCode.INTERNAL: errors.DaemonInternalError,
    grpc.StatusCode.UNAVAILABLE: errors.UnavailableError,
    grpc.StatusCode.UNAUTHENTICATED: errors.UnauthenticatedError,
}


@pytest.mark.parametrize("code", list(CODES))
def test_each_status_has_its_error(code: grpc.StatusCode) -> None:
    error = from_status(code.value[0], "the reason")
    assert type(error) is CODES[code]
    assert error.message == "The reason."
    silent = from_status(code.value[0], None)
    assert type(silent) is CODES[code]
    assert silent.message.endswith(".")


@pytest.mark.parametrize("code", list(CODES))
def test_each_has_a_remedy(code: grpc.StatusCode) -> None:
    error = from_status(code.value[0], "the reason")
    assert error.remedy
    assert str(error).endswith(error.remedy)


def test_the_name_of_a_field_is_left_as_it_is() -> None:
    assert from_status(3, "crop.data has 3 bytes").message == "crop.data has 3 bytes."
    assert from_status(3, "truncation_psi is 2").message == "truncation_psi is 2."


def all_errors(kind: type[InpaintError] = InpaintError) -> list[type[InpaintError]]:
    """Return the client's classes; the plug-ins' own are not of its drawing."""
    below = (sub for sub in kind.__subclasses__() if sub.__module__ == errors.__name__)
    return [kind] + [e for sub in below for e in all_errors(sub)]


def test_the_drawing_shows_every_class_under_its_parent() -> None:
    drawn: dict[str, str] = {}
    path: list[str] = []
    for line in (errors.__doc__ or "").splitlines():
        found = re.match(r"    ([│ ├└─]*)([A-Z]\w+)", line)
        if found:
            depth = len(found[1]) // 4
            path[depth:] = [found[2]]
            drawn[found[2]] = path[depth - 1] if depth else "Exception"
    classes = {kind.__name__: kind.__bases__[0].__name__ for kind in all_errors()}
    assert drawn == classes


def test_the_text_is_the_message_and_then_the_remedy() -> None:
    error = errors.DaemonNotFoundError("Nobody is there.")
    assert str(error) == f"Nobody is there. {error.remedy}"
    assert "inpaint-server" in error.remedy
    assert str(errors.RequestCancelledError("Cancelled.")) == "Cancelled."
    assert str(errors.DaemonNotFoundError("Nobody.", "Do this.")) == "Nobody. Do this."
