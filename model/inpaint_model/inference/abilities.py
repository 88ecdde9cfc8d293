"""Refuse in one sentence what a model cannot do."""

from __future__ import annotations

from collections.abc import Collection

from inpaint_model.document.notices import RefusalError
from inpaint_model.networks.config import Abilities


def check_count(abilities: Abilities, model: str, count: int) -> None:
    """Check that a model makes `count` different candidates of a selection.

    Raises:
        RefusalError: It makes one, whatever the seed. The message has the name `model`.
    """
    if count > 1 and not abilities.diverse:
        raise RefusalError("ONE_CANDIDATE", model=model)


def check_editable(abilities: Abilities, model: str) -> None:
    """Check that a model's candidates can be edited and mixed.

    Raises:
        RefusalError: They cannot. The message has the name `model`.
    """
    if not abilities.editable:
        raise RefusalError("NO_EDITS", model=model)


def check_directions(directions: Collection[object], model: str) -> None:
    """Check that a model has directions to edit with.

    Raises:
        RefusalError: It has none. The message has the name `model`.
    """
    if not directions:
        raise RefusalError("NO_DIRECTIONS", model=model)
