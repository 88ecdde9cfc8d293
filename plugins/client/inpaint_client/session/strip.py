"""The results of a run as listed by an editor: remaining ones, neighbors, and further seeds."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace

from ..requests import MAX_SEED
from .history import PastRun


def positions_left(run: PastRun, missing: Collection[str]) -> tuple[int, ...]:
    """Return the positions of the results whose layers still exist.

    If none exist, because the run was undone or merged into one layer, all results are listed.

    Args:
        run: the run.
        missing: IDs of layers that no longer exist.
    """
    left = [i for i, result in enumerate(run.results) if result.layer not in missing]
    return tuple(left or range(len(run.results)))


def neighbor(position: int, left: Sequence[int]) -> int:
    """Return the position if it remains, else the one that replaces it."""
    return next((each for each in left if each >= position), left[-1])


def limited_to(run: PastRun, left: Sequence[int]) -> PastRun:
    """Return the run with only these results; the chosen result or its neighbor stays chosen."""
    if not left:
        return replace(run, results=(), chosen=0)
    chosen = left.index(neighbor(run.chosen, left))
    return replace(run, results=tuple(run.results[i] for i in left), chosen=chosen)


def seeds_after(used: Sequence[int], count: int) -> tuple[int, ...]:
    """Return the next `count` unused seeds after the last one, wrapping around after MAX_SEED."""
    seeds: list[int] = []
    seed = used[-1] if used else -1
    while len(seeds) < count:
        seed = (seed + 1) % (MAX_SEED + 1)
        if seed not in used:
            seeds.append(seed)
    return tuple(seeds)
