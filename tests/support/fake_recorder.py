"""CUDA graphs without CUDA: a recorder with exactly the guarantees of the interface."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import torch

T = TypeVar("T")


class FakeRecorder:
    """Has exactly CUDA's guarantees.

    Recording runs nothing. A replay reads the same input tensors and writes its result to the same
    output tensors, and it destroys the results of all other graphs in the pool.
    """

    def __init__(self, refuses: Callable[[int], bool] = lambda recording: False) -> None:
        """Make a recorder; `refuses` decides whether the recording of an index from 0 fails."""
        self.recordings = self.replays = 0
        self._refuses = refuses
        self._results: list[Any] = []

    def record(self, work: Callable[[], T]) -> tuple[Callable[[], None], T]:
        self.recordings += 1
        if self._refuses(self.recordings - 1):
            raise RuntimeError("CUDA error: operation not permitted\nwhen stream is capturing")
        result: Any = work()
        self._results.append(result)
        self._destroy_results()

        def replay() -> None:
            self.replays += 1
            new: Any = work()
            self._destroy_results()
            for name, value in new.items():
                result[name].copy_(value)

        return replay, result

    def _destroy_results(self) -> None:
        for result in self._results:
            for x in result.values():
                x.fill_(torch.nan)
