"""Long work in short steps, so that a window stays responsive: generators that yield in between."""

from __future__ import annotations

from collections.abc import Generator
from typing import TypeVar

T = TypeVar("T")


def run_all(steps: Generator[None, None, T]) -> T:
    """Run all steps and return their result, if no window has to stay responsive."""
    while True:
        try:
            next(steps)
        except StopIteration as stop:
            result: T = stop.value
            return result
