"""The names that fills leave in an editor's list of layers, the same in every editor.

What tells one from the next comes first, since narrow lists cut the end off. No name is taken apart
again: what a layer is stands in the document's history. So layers that an older version named
("Candidate 2, seed 43") are the fills that they were; GIMP's argument `mix` takes any layer's name.
"""

from __future__ import annotations

from ..sentence import Sentence


def candidate(number: int, seed: int, changes: str = "", copy: int = 0) -> Sentence:
    """Return such as "2 · seed 43 · smile +1".

    Args:
        number: of the candidate in its run, from 1.
        seed: which it was drawn from.
        changes: what was done to it since, in words of the editor's language; empty = nothing.
        copy: 0 = the candidate itself, 1 = its first copy, ...
    """
    values: dict[str, object] = {"number": number, "seed": seed, "copy": copy, "changes": changes}
    if copy and changes:
        return Sentence("{number} · copy {copy} · seed {seed} · {changes}", **values)
    if copy:
        return Sentence("{number} · copy {copy} · seed {seed}", **values)
    if changes:
        return Sentence("{number} · seed {seed} · {changes}", **values)
    return Sentence("{number} · seed {seed}", **values)


def smooth(number: int, copy: int = 0) -> Sentence:
    """Return the name of a candidate that is made without the model."""
    if copy:
        return Sentence("{number} · copy {copy} · smooth", number=number, copy=copy)
    return Sentence("{number} · smooth", number=number)


def run(seed: int, model: str) -> Sentence:
    """Return the name of a run's group, or of the layer that is kept of it.

    seed: of the first candidate. model: its name; empty = unknown.
    """
    if model:
        return Sentence("Seed {seed} · Inpaint · {model}", seed=seed, model=model)
    return Sentence("Seed {seed} · Inpaint", seed=seed)


def kept_smooth() -> Sentence:
    """Return the name of the smooth candidate that is kept as a layer of its own."""
    return Sentence("Smooth · Inpaint")


def more(seed: int) -> Sentence:
    """Return the name of a group of candidates that were added; `seed` is that of the first."""
    return Sentence("Seed {seed} · more", seed=seed)
