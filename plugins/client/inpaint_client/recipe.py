"""Recipes: JSON with everything needed to make a candidate again."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from .errors import InputError
from .events import Method
from .requests import Edits
from .sentence import Sentence

MAX_RECIPE_BYTES = 64 << 10
FORMATS = (1, 2)  # 2 is used for smooth candidates
_NOT_OURS = Sentence("Choose a recipe that was written by this program.")


@dataclass(frozen=True)
class Recipe:
    """A recipe with the fields that a user interface shows.

    `text` is the complete recipe as written by the daemon. Only the daemon needs to understand the
    other fields, so the client stores the text and never rewrites it.
    """

    text: str = field(repr=False)
    model: str
    seed: int
    truncation_psi: float
    edits: Edits
    method: Method = Method.MODEL

    @property
    def fields(self) -> Mapping[str, Any]:
        """All fields of the recipe."""
        content: dict[str, Any] = json.loads(self.text)
        return content


def parse_recipe(text: str) -> Recipe:
    """Read and check a recipe.

    Raises:
        InputError: the text is too large, not JSON, of an unknown format, or lacks a field.
    """
    if len(text.encode("utf-8", "replace")) > MAX_RECIPE_BYTES:
        raise InputError(Sentence("The recipe is larger than 64 KiB."), _NOT_OURS)
    try:
        content = json.loads(text)
        version = content["format"]
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(Sentence("This is not a recipe."), _NOT_OURS) from error
    if version not in FORMATS:
        raise InputError(
            Sentence("The recipe has the unknown format {version}.", version=version),
            Sentence("Update this program to read it."),
        )
    try:
        return Recipe(
            text,
            str(content["model"]),
            int(content["seed"]),
            float(content.get("truncation_psi", 1.0)),
            {name: float(value) for name, value in content.get("edits", {}).items()},
            Method.SMOOTH if content.get("method") == "smooth" else Method.MODEL,
        )
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError) as error:
        raise InputError(
            Sentence("The recipe is incomplete ({error!r}).", error=error), _NOT_OURS
        ) from error
