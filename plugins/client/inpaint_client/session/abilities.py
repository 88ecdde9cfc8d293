"""What a model cannot do, so that an editor does not offer it, and says why."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from ..errors import InputError
from ..info import DaemonInfo, Model
from ..recipe import parse_recipe
from ..sentence import Sentence

ONE_CANDIDATE: Final = Sentence("This model makes one fill for each selection, whatever the seed.")
NO_EDITS: Final = Sentence("Fills of this model cannot be edited or mixed.")


def possible_count(model: Model | None, wanted: int) -> int:
    """Return how many candidates to request; None is a model that is not known yet."""
    return 1 if model is not None and model.single_candidate else wanted


def why_single(model: Model | None) -> Sentence | None:
    """Return why there is one candidate; None if there may be more."""
    return ONE_CANDIDATE if model is not None and model.single_candidate else None


def why_unedited(model: Model | None) -> Sentence | None:
    """Return why sliders and mixing do not apply; None if they do."""
    return NO_EDITS if model is not None and model.no_edits else None


def model_of(info: DaemonInfo | None, recipe: str) -> Model | None:
    """Return the model that made a recipe; None if the daemon does not have it."""
    name = _model_name(recipe) if recipe else ""
    return info.model(name) if info is not None and name else None


@lru_cache(maxsize=64)  # editors ask for it whenever they draw
def _model_name(recipe: str) -> str:
    try:
        return parse_recipe(recipe).model
    except InputError:
        return ""
