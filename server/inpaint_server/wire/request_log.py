"""One log line per request and counters for Prometheus, without pixels and tokens."""

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

from .. import spans
from ..errors import UnavailableError
from ..scheduling.measurements import SECONDS, SHORT_SECONDS, Histogram
from .clients import trace_of
from .interceptor import is_departure, status_of

if TYPE_CHECKING:
    from .interceptor import Context

log = logging.getLogger(__name__)

REFUSALS_LOGGED, WITHIN_S = 10, 60.0  # maximum number of log lines about calls without the token


@dataclass
class LoggedRequest:
    """Facts about one request, filled in while it runs."""

    method: str
    facts: dict[str, object] = field(default_factory=dict)
    candidates: int = 0
    began: float = field(default_factory=time.monotonic)
    first_candidate_s: float | None = None  # from the call to the first candidate
    queue_s: float | None = None  # from the submission to the first step


class RequestLog:
    """Log and counters of all requests since the start."""

    def __init__(self) -> None:
        self.requests: Counter[tuple[str, str]] = Counter()  # (method, status)
        self.candidates = 0
        self.fill_s = Histogram(SECONDS)
        self.edit_s = Histogram(SHORT_SECONDS)
        self.first_candidate_s = Histogram(SECONDS)  # of fills
        self.queue_s = {"Fill": Histogram(SHORT_SECONDS), "Edit": Histogram(SHORT_SECONDS)}
        self.running = 0
        self._refusals = RateLimit(REFUSALS_LOGGED, WITHIN_S)
        self._idle = asyncio.Event()
        self._idle.set()
        self._draining = False

    @property
    def num_requests(self) -> int:
        """The number of finished requests."""
        return self.requests.total()

    @asynccontextmanager
    async def open(self, method: str, context: Context) -> AsyncIterator[LoggedRequest]:
        """Log and count one request, regardless of its outcome.

        Raises:
            UnavailableError: the daemon is shutting down.
        """
        logged = LoggedRequest(method)
        status = "OK"
        self.running += 1
        self._idle.clear()
        try:
            with spans.request(method, trace_of(context)):
                try:
                    if self._draining:
                        raise UnavailableError("STOPPING")
                    yield logged
                except BaseException as error:
                    status = _departure(context) if is_departure(error) else status_of(error).name
                    raise
                finally:
                    spans.note({"status": status, "candidates": logged.candidates, **logged.facts})
        finally:
            self.running -= 1
            if not self.running:
                self._idle.set()
            self._close(logged, status, time.monotonic() - logged.began, context)

    async def drain(self) -> None:
        """Refuse new requests from now on, and wait until the running ones have ended."""
        self._draining = True
        await self._idle.wait()

    def refused(self, method: str, context: Context) -> None:
        """Count a call that was refused because of its token; log it unless there are many."""
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
        if status != "UNAUTHENTICATED":
            self._measure(logged, seconds)
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

    def _measure(self, logged: LoggedRequest, seconds: float) -> None:
        if logged.method == "Fill":
            self.fill_s.observe(seconds)
            if logged.first_candidate_s is not None:
                self.first_candidate_s.observe(logged.first_candidate_s)
        elif logged.method == "Edit":
            self.edit_s.observe(seconds)
        if logged.queue_s is not None:
            self.queue_s[logged.method].observe(logged.queue_s)


class RateLimit:
    """Rate limiter that counts the events it holds back."""

    def __init__(
        self, most: int, within_s: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._most = most
        self._within_s = within_s
        self._clock = clock
        self._passed: deque[float] = deque()
        self._held_back = 0

    def passed(self) -> int | None:
        """Return None to hold an event back, else the number held back since the last one."""
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
    """Return `key=value` pairs in one line, in logfmt.

    A value that is empty or contains a space, a quote, an equals sign or an unprintable character
    is quoted and escaped as in JSON, so that no request can forge a line or a pair. Keys are
    constants and need no quotes.
    """
    return " ".join(f"{key}={_log_value(str(value))}" for key, value in facts.items())


def _log_value(text: str) -> str:
    if text and text.isprintable() and not set(text) & set(' "='):
        return text
    return json.dumps(text, ensure_ascii=not text.isprintable())


def _departure(context: Context) -> str:
    """Return the status of a cancelled call.

    gRPC cancels a call in the same way if its deadline has passed or if the client cancelled it.
    """
    remaining = context.time_remaining()
    late = remaining is not None and remaining <= 0
    return "DEADLINE_EXCEEDED" if late else "CANCELLED"
