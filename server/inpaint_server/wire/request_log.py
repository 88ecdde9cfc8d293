"""One log line a request, and counters for Prometheus. Never pixels, never tokens."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections import Counter, deque
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ..errors import UnavailableError
from .interceptor import is_departure, status_of

if TYPE_CHECKING:
    from .interceptor import Context

log = logging.getLogger(__name__)

REFUSALS_LOGGED, WITHIN_S = 10, 60.0  # lines about callers without the token
BUCKETS_S = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)


@dataclass
class LoggedRequest:
    """What is known of one request, filled in while it runs."""

    method: str
    facts: dict[str, object] = field(default_factory=dict)
    candidates: int = 0


class RequestLog:
    """All requests since the start."""

    def __init__(self) -> None:
        self.requests: Counter[tuple[str, str]] = Counter()  # (method, status)
        self.candidates = 0
        self.durations: Counter[float] = Counter()  # of fills, by bucket
        self.duration_sum_s = 0.0
        self.running = 0
        self._refusals = RateLimit(REFUSALS_LOGGED, WITHIN_S)
        self._idle = asyncio.Event()
        self._idle.set()
        self._draining = False

    @property
    def num_requests(self) -> int:
        """How many have ended."""
        return self.requests.total()

    @asynccontextmanager
    async def open(self, method: str, context: Context) -> AsyncIterator[LoggedRequest]:
        """Account for one request, whatever becomes of it. Unavailable while draining."""
        logged = LoggedRequest(method)
        began = time.monotonic()
        status = "OK"
        self.running += 1
        self._idle.clear()
        try:
            if self._draining:
                raise UnavailableError("STOPPING")
            yield logged
        except BaseException as error:
            status = _departure(context) if is_departure(error) else status_of(error).name
            raise
        finally:
            self.running -= 1
            if not self.running:
                self._idle.set()
            self._close(logged, status, time.monotonic() - began, context)

    async def drain(self) -> None:
        """Refuse new requests from now on, and wait for the end of those that run."""
        self._draining = True
        await self._idle.wait()

    def refused(self, method: str, context: Context) -> None:
        """A call that was turned away for its token: counted, and logged unless there are many."""
        logged = LoggedRequest(method)
        before = self._refusals.passed()
        if before:
            logged.facts["not_logged"] = before
        self._close(logged, "UNAUTHENTICATED", 0.0, context, is_logged=before is not None)

    def _close(
        self,
        logged: LoggedRequest,
        status: str,
        seconds: float,
        context: Context,
        *,
        is_logged: bool = True,
    ) -> None:
        self.requests[logged.method, status] += 1
        self.candidates += logged.candidates
        if logged.method == "Fill" and status != "UNAUTHENTICATED":
            self.duration_sum_s += seconds
            self.durations[next((b for b in BUCKETS_S if seconds <= b), float("inf"))] += 1
        if not is_logged:
            return
        facts = {
            "request": logged.method,
            "status": status,
            **logged.facts,
            "candidates": logged.candidates,
            "total_ms": round(seconds * 1000, 1),
            "peer": context.peer(),
        }
        log.info("%s", log_line(facts))


class RateLimit:
    """Lets so many things through in a time, and counts the others."""

    def __init__(
        self, most: int, within_s: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._most = most
        self._within_s = within_s
        self._clock = clock
        self._passed: deque[float] = deque()
        self._held_back = 0

    def passed(self) -> int | None:
        """Return None to hold one back; else how many were, since the last one that passed."""
        now = self._clock()
        while self._passed and now - self._passed[0] >= self._within_s:
            self._passed.popleft()
        if len(self._passed) >= self._most:
            self._held_back += 1
            return None
        self._passed.append(now)
        held_back, self._held_back = self._held_back, 0
        return held_back


def log_line(facts: Mapping[str, object]) -> str:
    """Return `key=value` pairs in one line, in the form called logfmt.

    A value that is empty, or holds a space, a quote, an equals sign or anything that does not
    print, is quoted and escaped as in JSON, so that no request can forge a line or a pair. The keys
    are ours and need no quotes.
    """
    return " ".join(f"{key}={_log_value(str(value))}" for key, value in facts.items())


def _log_value(text: str) -> str:
    if text and text.isprintable() and not set(text) & set(' "='):
        return text
    return json.dumps(text, ensure_ascii=not text.isprintable())


def _departure(context: Context) -> str:
    """Return how a call ended that was cancelled.

    gRPC cancels a call whose deadline has passed just as one that the client gave up.
    """
    remaining = context.time_remaining()
    late = remaining is not None and remaining <= 0
    return "DEADLINE_EXCEEDED" if late else "CANCELLED"
