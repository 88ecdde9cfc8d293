"""Memory budget shared by all requests and by the sessions kept for edits.

A request reserves its maximum memory before it sends its images. A request that can never fit is
refused. One that does not fit now waits, and kept sessions are dropped to make room for it. This
module is only used on the event loop.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import asynccontextmanager
from typing import Protocol

from ..errors import RequestError, ResourceExhaustedError
from .shares import Priority

PATIENCE_S = 10.0  # how long more urgent requests may overtake the oldest waiting one


class Kept(Protocol):
    """Cache whose memory can be freed, such as kept sessions."""

    def make_room(self, num_bytes: int, in_use: Collection[str]) -> None:
        """Keep at most `num_bytes`, not counting the entries in use, which are given by ID."""


class Admission:
    """Memory budget that requests share."""

    def __init__(
        self,
        max_bytes: int,
        max_waiting: int,
        kept: Kept | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Share `max_bytes` among requests, of which at most `max_waiting` may wait."""
        self.max_bytes = max_bytes
        self._max_waiting = max_waiting
        self._kept = kept
        self._clock = clock
        self._held: list[Reservation] = []
        self._waiting: list[_Waiting] = []  # in order of arrival

    @property
    def reserved(self) -> int:
        """The bytes that are reserved for admitted requests."""
        return sum(reservation.num_bytes for reservation in self._held)

    @property
    def waiting(self) -> int:
        """The number of requests that are waiting for memory."""
        return len(self._waiting)

    @asynccontextmanager
    async def open(
        self,
        num_bytes: int,
        priority: Priority = Priority.FILL,
        *,
        present: int = 0,
        session_id: str = "",
        too_large: Callable[[int], RequestError] | None = None,
    ) -> AsyncIterator[Reservation]:
        """Wait for a reservation of memory, and release it on exit.

        Args:
            num_bytes: maximum memory of the request.
            priority: more urgent requests go first, but only for a limited time.
            present: bytes that came with the header and are in memory while the request waits.
            session_id: ID of a kept session that the request uses, included in `num_bytes`.
            too_large: returns the error if the request exceeds the budget, which is passed to it.

        Raises:
            RequestError: the request can never fit.
            ResourceExhaustedError: too many requests are waiting, or their headers leave no room.
        """
        if num_bytes > self.max_bytes:
            raise too_large(self.max_bytes) if too_large else self._no_room(num_bytes)
        reservation = Reservation(self, num_bytes, session_id)
        await self._admitted(reservation, priority, present)
        try:
            yield reservation
        finally:
            self._held.remove(reservation)
            self.admit()

    async def _admitted(self, reservation: Reservation, priority: Priority, present: int) -> None:
        waiting = _Waiting(reservation, priority, present, self._clock())
        self._waiting.append(waiting)
        self.admit()
        if waiting.turn.done():
            return
        try:
            if len(self._waiting) > self._max_waiting:
                raise ResourceExhaustedError("QUEUE_FULL", limit=self._max_waiting)
            if self.reserved + sum(each.present for each in self._waiting) > self.max_bytes:
                raise self._no_room(reservation.num_bytes)
            await waiting.turn
        except BaseException:
            if waiting in self._waiting:
                self._waiting.remove(waiting)
            else:  # admitted at the moment it was cancelled
                self._held.remove(reservation)
            self.admit()
            raise

    def admit(self) -> None:
        """Admit the waiting requests that fit now, one after the other."""
        while self._waiting:
            turn = self._next()
            if self.reserved + turn.reservation.num_bytes > self.max_bytes:
                return
            self._waiting.remove(turn)
            self._held.append(turn.reservation)
            if not turn.turn.done():
                turn.turn.set_result(None)
            if self._kept is not None:
                in_use = {each.session_id for each in self._held}
                self._kept.make_room(self.max_bytes - self.reserved, in_use)

    def _next(self) -> _Waiting:
        oldest = self._waiting[0]
        if self._clock() - oldest.since >= PATIENCE_S:
            return oldest
        return min(self._waiting, key=lambda each: each.priority)

    def _no_room(self, num_bytes: int) -> ResourceExhaustedError:
        return ResourceExhaustedError(
            "REQUESTS_TOO_LARGE", needed=num_bytes >> 20, held=self.reserved >> 20
        )


class Reservation:
    """Memory that is reserved for one request."""

    def __init__(self, admission: Admission, num_bytes: int, session_id: str) -> None:
        self.num_bytes = num_bytes
        self.session_id = session_id
        self._admission = admission

    def shrink(self, num_bytes: int) -> None:
        """Reduce the reservation, once more is known about the request."""
        self.num_bytes = min(self.num_bytes, num_bytes)
        self._admission.admit()


class _Waiting:
    def __init__(
        self, reservation: Reservation, priority: Priority, present: int, since: float
    ) -> None:
        self.reservation = reservation
        self.priority = priority
        self.present = present
        self.since = since
        self.turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
