"""Errors of recipes, attributed to the field of the request that contains the recipe."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from inpaint_model.pipeline.recipe import OtherModelError, RecipeError

from ..errors import InvalidRequestError, WrongModelError


def mixing_field(k: int) -> str:
    """Return the field of the k-th mixing of an edit."""
    return f"further_mixing[{k - 1}]" if k else "mixing"


@contextmanager
def recipe_in(field: str) -> Iterator[None]:
    """Convert errors of a recipe into errors of the request.

    Args:
        field: the field of the request that contains the recipe.
    """
    try:
        yield
    except OtherModelError as error:
        raise WrongModelError("MIX_OF_OTHER_MODEL", f"{field} {error.reason}") from None
    except RecipeError as error:
        raise InvalidRequestError(field, error.reason, "UNUSABLE_RECIPE") from None
