"""The memory budget of all requests together."""

from __future__ import annotations

import pytest
from inpaint_server.errors import TooMuch
from inpaint_server.scheduling.admission import Admission


def test_what_others_hold_cannot_be_had_until_they_end() -> None:
    admission = Admission(100)
    with admission.open() as one:
        one.grow(60)
        with admission.open() as other:
            other.grow(30)
            with pytest.raises(TooMuch, match="other requests hold"):
                other.grow(20)
            with pytest.raises(TooMuch):
                one.grow(20)
            other.grow(10)
        one.grow(40)
    with admission.open() as later:
        later.grow(100)


def test_alone_a_request_is_always_admitted() -> None:
    admission = Admission(100)
    with admission.open() as alone:
        alone.grow(90)
        alone.grow(500)
        with admission.open() as other, pytest.raises(TooMuch):
            other.grow(1)
    with admission.open() as other:
        other.grow(1)


def test_a_failed_request_gives_everything_back() -> None:
    admission = Admission(100)

    def fail() -> None:
        with admission.open() as failing:
            failing.grow(80)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    with admission.open() as one, admission.open() as other:
        one.grow(50)
        other.grow(50)
