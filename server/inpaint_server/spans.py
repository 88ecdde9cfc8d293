"""Spans of time within a request, for tracing.

Nothing is recorded until a tracer is installed, so that neither the core nor the engine depends on
a library for tracing (docs/decisions/0048). A span is a child of the one that encloses it in the
same task.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol


class Tracer(Protocol):
    """What records spans."""

    def span(self, name: str) -> AbstractContextManager[object]:
        """Record the time in which the context is active."""

    def add(self, name: str, began: float, ended: float, facts: Mapping[str, object]) -> None:
        """Record a time in the past, given by two values of time.time()."""

    def request(self, name: str, trace: str) -> AbstractContextManager[object]:
        """Record a request as part of a client's trace, a W3C `traceparent`; empty = a new one."""

    def note(self, facts: Mapping[str, object]) -> None:
        """Add attributes to the current span."""


_tracers: list[Tracer] = []


def install(tracer: Tracer) -> None:
    """Let a tracer record the spans of this process from now on."""
    _tracers[:] = [tracer]


def uninstall() -> None:
    """Record no spans from now on."""
    _tracers.clear()


@contextmanager
def span(name: str) -> Iterator[None]:
    """Record the time in which the context is active. Do not yield from a generator inside it."""
    if not _tracers:
        yield
        return
    with _tracers[0].span(name):
        yield


def add(name: str, began: float | None, ended: float | None = None, **facts: object) -> None:
    """Record a time in the past, given by two values of time.monotonic(); None = now."""
    if _tracers and began is not None:
        offset = time.time() - time.monotonic()
        end = time.monotonic() if ended is None else ended
        _tracers[0].add(name, began + offset, end + offset, facts)


@contextmanager
def request(name: str, trace: str = "") -> Iterator[None]:
    """Record a request as part of a client's trace."""
    if not _tracers:
        yield
        return
    with _tracers[0].request(name, trace):
        yield


def note(facts: Mapping[str, object]) -> None:
    """Add attributes to the current span."""
    if _tracers:
        _tracers[0].note(facts)
