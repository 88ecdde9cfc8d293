"""The order in which candidates are shown: the most natural one first."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from ..events import Scores
from ..sentence import Sentence


class Ranked(NamedTuple):
    """What decides the place of a candidate or variant."""

    candidate: int  # its index in the run
    scores: Scores
    is_smooth: bool = False


def most_natural_first(shown: Sequence[Ranked]) -> tuple[int, ...]:
    """Return the positions in the order to show them.

    Variants follow their candidate. Candidates whose naturalness is unknown keep their order, after
    the others; a smooth one is the last.
    """
    natural: dict[int, float] = {}
    for each in shown:
        if each.scores.naturalness is not None:
            natural.setdefault(each.candidate, each.scores.naturalness)

    def key(position: int) -> tuple[bool, float, int]:
        each = shown[position]
        return each.is_smooth, -natural.get(each.candidate, -1.0), each.candidate

    return tuple(sorted(range(len(shown)), key=key))


def is_ranked(shown: Sequence[Ranked]) -> bool:
    """Return whether the naturalness of several candidates is known."""
    return len({each.candidate for each in shown if each.scores.naturalness is not None}) > 1


def described(scores: Scores) -> tuple[Sentence, ...]:
    """Return the known scores in words."""
    sentences = []
    if scores.likeness is not None:
        sentences.append(
            Sentence(
                "Likeness {share}%: how much the face is still that of the person.",
                share=round(100 * scores.likeness),
            )
        )
    if scores.naturalness is not None:
        sentences.append(
            Sentence(
                "Naturalness {share}%: the fill looks more natural than {share}% of this model's.",
                share=round(100 * scores.naturalness),
            )
        )
    return tuple(sentences)
