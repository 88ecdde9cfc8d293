"""What became of a batch, in one notice."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum, auto
from typing import NamedTuple

from ..text import tr
from .state import Notice

MOST_NAMES = 3


class Fate(Enum):
    FILLED = auto()
    SKIPPED = auto()  # there was nothing to fill
    FAILED = auto()
    NOT_REACHED = auto()  # the batch ended before


class Outcome(NamedTuple):
    """What became of one item."""

    title: str
    fate: Fate
    reason: str = ""  # a sentence


def report(outcomes: Sequence[Outcome], of_layers: bool) -> Notice:
    """Return the numbers, and the reasons with the names of what was not filled."""
    filled, skipped, failed, rest = (
        sum(outcome.fate is fate for outcome in outcomes) for fate in Fate
    )
    parts = [_filled_layers(filled) if of_layers else _filled_images(filled)]
    if skipped:
        one, several = tr("1 was skipped"), tr("{count} were skipped")
        parts.append((one if skipped == 1 else several).format(count=skipped))
    if failed:
        parts.append(tr("{count} failed").format(count=failed))
    if rest:
        one, several = tr("1 was not reached"), tr("{count} were not reached")
        parts.append((one if rest == 1 else several).format(count=rest))
    reasons: dict[str, list[str]] = {}
    for outcome in outcomes:
        if outcome.reason:
            reasons.setdefault(outcome.reason, []).append(outcome.title)
    said = [f"{', '.join(parts)}.", *(f"{_names(who)}: {why}" for why, who in reasons.items())]
    return Notice(" ".join(said), is_problem=bool(failed))


def _filled_images(count: int) -> str:
    if not count:
        return tr("No image was filled")
    one, several = tr("1 image was filled"), tr("{count} images were filled")
    return (one if count == 1 else several).format(count=count)


def _filled_layers(count: int) -> str:
    if not count:
        return tr("No layer was filled")
    one, several = tr("1 layer was filled"), tr("{count} layers were filled")
    return (one if count == 1 else several).format(count=count)


def _names(titles: Sequence[str]) -> str:
    shown = ", ".join(tr("“{name}”").format(name=title) for title in titles[:MOST_NAMES])
    more = len(titles) - MOST_NAMES
    return tr("{names} and {count} more").format(names=shown, count=more) if more > 0 else shown
