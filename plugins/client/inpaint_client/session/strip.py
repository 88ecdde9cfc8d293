"""The results of a run as an editor lists them: what is left, what is next to it, what comes."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace

from ..requests import MAX_SEED
from .history import PastRun


def positions_left(run: PastRun, missing: Collection[str]) -> tuple[int, ...]:
    """Return the positions of the results whose layers are in the image.

    A run that is undone as a whole, or merged into one layer, has none: then all are listed.

    Args:
        run: the run.
        missing: layers that are not in the image.
    """
    left = [i for i, result in enumerate(run.results) if result.layer not in missing]
    return tuple(left or range(len(run.results)))


def neighbor(position: int, left: Sequence[int]) -> int:
    """Return the position itself if it is left, else the one that took its place."""
    return next((each for each in left if each >= position), left[-1])


def limited_to(run: PastRun, left: Sequence[int]) -> PastRun:
    """Return the run with only these results, and the chosen one or its neighbor chosen."""
    if not left:
        return replace(run, results=(), chosen=0)
    chosen = left.index(neighbor(run.chosen, left))
    return replace(run, results=tuple(run.results[i] for i in left), chosen=chosen)


def seeds_after(used: Sequence[int], count: int) -> tuple[int, ...]:
    """Return `count` seeds that follow the last one, round the end; none that was used before."""
    seeds: list[int] = []
    seed = used[-1] if used else -1
    while len(seeds) < count:
        seed = (seed + 1) % (MAX_SEED + 1)
        if seed not in used:
            seeds.append(seed)
    return tuple(seeds)
