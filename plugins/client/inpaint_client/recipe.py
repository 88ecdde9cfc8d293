"""Recipes: the JSON that makes a candidate again, and the runs that a document remembers.

Hosts keep a history in the document (Krita annotation, GIMP parasite) as the bytes of
`pack_history`; the pictures (attachments) go along, compressed already.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from .errors import BadInput
from .requests import Edit

MAX_RECIPE_BYTES = 64 << 10
FORMAT = 1
_NOT_OURS = "Choose a recipe that this program wrote."


@dataclass(frozen=True)
class Recipe:
    """A recipe with what a user interface shows of it; `text` is the whole, as the daemon wrote it.

    Only the daemon needs to understand the rest, so it is carried and never rewritten.
    """

    text: str = field(repr=False)
    model: str
    seed: int
    truncation_psi: float
    edits: tuple[Edit, ...]

    @property
    def fields(self) -> Mapping[str, Any]:
        """Everything that the recipe says."""
        content: dict[str, Any] = json.loads(self.text)
        return content


def parse_recipe(text: str) -> Recipe:
    """Read and check a recipe.

    Raises:
        BadInput: too large, not JSON, of a newer format, or without the fields shown here.
    """
    if len(text.encode("utf-8", "replace")) > MAX_RECIPE_BYTES:
        raise BadInput("The recipe is larger than 64 KiB.", _NOT_OURS)
    try:
        content = json.loads(text)
        version = content["format"]
    except (ValueError, KeyError, TypeError) as error:
        raise BadInput("This is not a recipe.", _NOT_OURS) from error
    if version != FORMAT:
        raise BadInput(f"The recipe has format {version}.", "Update this program to read it.")
    try:
        return Recipe(
            text,
            str(content["model"]),
            int(content["seed"]),
            float(content.get("truncation_psi", 1.0)),
            _edits(content.get("edits", {})),
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise BadInput(f"The recipe is incomplete ({error!r}).", _NOT_OURS) from error


def _edits(content: Any) -> tuple[Edit, ...]:
    if isinstance(content, dict):
        return tuple(Edit(str(name), float(value)) for name, value in content.items())
    return tuple(Edit(str(each["name"]), float(each["value"])) for each in content)


@dataclass(frozen=True)
class KeptCandidate:
    """One candidate of a past run."""

    recipe: str = field(repr=False)
    attachment: bytes = field(repr=False)
    layer: str = ""  # how the host finds its layer again, for instance a UUID


@dataclass(frozen=True)
class KeptRun:
    """One past run of a document."""

    title: str  # for people: model, seed
    time: str  # ISO 8601
    candidates: tuple[KeptCandidate, ...] = ()


def pack_history(runs: list[KeptRun], max_bytes: int = 16 << 20) -> bytes:
    """The runs as JSON, oldest ones left out where the size would exceed `max_bytes`."""
    packed: list[str] = []
    size = 64
    for run in reversed(runs):
        text = json.dumps(_pack(run), separators=(",", ":"))
        size += len(text.encode()) + 1
        if size > max_bytes:
            break
        packed.insert(0, text)
    return f'{{"format":{FORMAT},"runs":[{",".join(packed)}]}}'.encode()


def unpack_history(data: bytes) -> list[KeptRun]:
    """The runs of `pack_history`.

    Raises:
        BadInput: the document holds something else under our name.
    """
    try:
        content = json.loads(data.decode("utf-8"))
        if content["format"] != FORMAT:
            raise BadInput(
                f"The document's history has format {content['format']}.",
                "Update this program to read it.",
            )
        return [_unpack(run) for run in content["runs"]]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        if isinstance(error, BadInput):
            raise
        raise BadInput("The document's history of fills cannot be read.", "") from error


def _pack(run: KeptRun) -> dict[str, Any]:
    return {
        "title": run.title,
        "time": run.time,
        "candidates": [
            {
                "recipe": each.recipe,
                "attachment": base64.b64encode(each.attachment).decode("ascii"),
                "layer": each.layer,
            }
            for each in run.candidates
        ],
    }


def _unpack(run: dict[str, Any]) -> KeptRun:
    return KeptRun(
        str(run["title"]),
        str(run["time"]),
        tuple(
            KeptCandidate(
                str(each["recipe"]),
                base64.b64decode(each["attachment"], validate=True),
                str(each.get("layer", "")),
            )
            for each in run["candidates"]
        ),
    )
