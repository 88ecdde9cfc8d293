"""The memory that all requests hold together stays within a budget."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from ..errors import TooMuch

if TYPE_CHECKING:
    pass


class Admission:
    """The memory of all requests together stays within a budget. Event loop only.

    A request that is alone is always admitted: its own size is limited elsewhere.
    """

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._reserved = 0

    @contextmanager
    def open(self) -> Iterator[Reservation]:
        """A reservation that grows as more is known of a request; given back in the end."""
        reservation = Reservation(self)
        try:
            yield reservation
        finally:
            self._reserved -= reservation.num_bytes

    def take(self, reservation: Reservation, num_bytes: int) -> None:
        """Let a reservation grow; TooMuch if others hold what it needs."""
        others = self._reserved - reservation.num_bytes
        if others and self._reserved + num_bytes > self._max_bytes:
            raise TooMuch("REQUESTS_TOO_LARGE", needed=num_bytes >> 20, held=others >> 20)
        self._reserved += num_bytes
        reservation.num_bytes += num_bytes


class Reservation:
    """What one request holds of the budget."""

    def __init__(self, admission: Admission) -> None:
        self.num_bytes = 0
        self._admission = admission

    def grow(self, num_bytes: int) -> None:
        """Hold so much more; TooMuch if there is no room."""
        self._admission.take(self, num_bytes)
