"""Threads for what happens to images beside the networks: conversion, blending, segmentation.

Each thread that calls torch has its own OpenMP threads, which busy-wait. If there were more of them
than cores, they would slow down each other and the networks. So there are two threads with half of
the cores each, and one with all of them for a single candidate of a large hole, beside which the
networks take little time.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar, TypeVarTuple

from ..models.device import use_threads

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

LARGE_PX = 200_000


class PixelThreads:
    """Runs functions in threads while the event loop waits for them."""

    def __init__(self, threads: int) -> None:
        """Share the number of threads that torch may use."""
        self._halves = _executor("pixels", 2, max(1, threads // 2))
        self._whole = _executor("large", 1, threads)

    async def run(self, function: Callable[[*Ts], T], *arguments: *Ts, px: int = 0) -> T:
        """Return the result of a function that works on about `px` pixels."""
        executor = self._whole if px >= LARGE_PX else self._halves
        return await asyncio.get_running_loop().run_in_executor(executor, function, *arguments)

    def stop(self) -> None:
        """Stop after the current functions."""
        for executor in (self._halves, self._whole):
            executor.shutdown(wait=False, cancel_futures=True)


def _executor(name: str, count: int, threads: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(count, name, initializer=use_threads, initargs=(threads,))
