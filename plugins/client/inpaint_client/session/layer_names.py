"""Names of the layers that fills create, the same in every editor.

The part that distinguishes a layer comes first, because narrow lists cut off the end. Names are
never parsed: the document's history records what a layer is. So layers with names from older
versions ("Candidate 2, seed 43") still work, and GIMP's argument `mix` accepts any layer's name.
"""

from __future__ import annotations

from ..sentence import Sentence


def candidate(number: int, seed: int, changes: str = "", copy: int = 0) -> Sentence:
    """Return the name of a candidate's layer, for example "2 · seed 43 · Smile +1".

    Args:
        number: position of the candidate in its run, from 1.
        seed: the candidate's seed.
        changes: the edits since, described in the editor's language; empty = none.
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
    """Return the name of a smooth candidate's layer."""
    if copy:
        return Sentence("{number} · copy {copy} · smooth", number=number, copy=copy)
    return Sentence("{number} · smooth", number=number)


def run(seed: int, model: str) -> Sentence:
    """Return the name of a run's group, or of the layer that is kept from it.

    Args:
        seed: seed of the first candidate.
        model: name of the model; empty = unknown.
    """
    if model:
        return Sentence("Seed {seed} · Inpaint · {model}", seed=seed, model=model)
    return Sentence("Seed {seed} · Inpaint", seed=seed)


def kept_smooth() -> Sentence:
    """Return the name of the layer that is kept from a smooth candidate."""
    return Sentence("Smooth · Inpaint")


def more(seed: int) -> Sentence:
    """Return the name of a group of added candidates; `seed` is that of the first."""
    return Sentence("Seed {seed} · more", seed=seed)
