"""The history of fills that is stored in a document, in the same format for every editor.

A run stores everything needed to make its candidates again: the recipes, the attachments (the
erased image and the hole at model resolution), the selection's coverage, and the layers it made.
Krita stores it as an annotation of the document; GIMP stores one per layer, as a parasite.
"""

from __future__ import annotations

import base64
import json
import zlib
from dataclasses import asdict, dataclass, field, replace
from functools import lru_cache
from typing import Any

from ..errors import InputError
from ..events import UNKNOWN, Method, Scores
from ..geometry import Box, Extent
from ..recipe import parse_recipe
from ..requests import Edits, StyleLevel
from ..sentence import Sentence
from .mixer_pad import MixerPad
from .ranking import Ranked
from .style_mix import StyleMix

FORMAT = 1
FORMER_DIRECTIONS = {"colour_temperature": "color_temperature"}  # as earlier versions wrote them

Mix = StyleMix[str]  # the key is the ID of another result's layer, or of any paint layer


@dataclass(frozen=True)
class Result:
    """One candidate or variant, with its layer."""

    seed: int
    layer: str  # the layer's ID
    recipe: str = field(repr=False)
    index: int = 0  # of the candidate in the run
    variant: int = -1  # -1 = the candidate itself
    attachment: bytes = field(default=b"", repr=False)
    edits: Edits = field(default_factory=dict)
    starred: bool = False
    mix: Mix = field(default_factory=Mix)
    unmixed: str = field(default="", repr=False)  # the recipe before mixing; empty if unmixed
    # Recipe of the result that is mixed in, in case that result is no longer in the document.
    mixed_recipe: str = field(default="", repr=False)
    corner_recipes: tuple[str, ...] = field(default=(), repr=False)  # likewise, of the mixer pad
    method: Method = Method.MODEL  # not stored, because the recipe contains it
    scores: Scores = UNKNOWN

    @property
    def is_smooth(self) -> bool:
        """Whether it was made without the model, and so has no seed, edits or mixing."""
        return self.method is Method.SMOOTH


@dataclass(frozen=True, kw_only=True)
class PastRun:
    """One run in a document. Layers have the editor's IDs; empty = none."""

    document: Extent
    hole_box: Box
    coverage: bytes = field(default=b"", repr=False)  # of hole_box, 0..255; empty = a layer's alpha
    source: str = ""  # the layer it was made from; empty = all visible layers
    results: tuple[Result, ...] = ()
    chosen: int = 0  # index in results
    kept: str = ""  # the layer made by "keep this one"
    key: str = ""  # unique in the document; not stored with the run
    time: str = ""  # ISO 8601, local time
    model: str = ""
    title: str = ""  # name of the group layer
    group: str = ""  # the group layer

    @property
    def seeds(self) -> tuple[int, ...]:
        """The seeds of all candidates except smooth ones, which have none."""
        return tuple(
            result.seed for result in self.results if result.variant < 0 and not result.is_smooth
        )

    @property
    def ranked(self) -> tuple[Ranked, ...]:
        """What decides the places of the results."""
        return tuple(Ranked(each.index, each.scores, each.is_smooth) for each in self.results)

    @property
    def recipe(self) -> str:
        """The recipe of a candidate that a model made; empty if there is none yet."""
        made = (result.recipe for result in self.results if not result.is_smooth)
        return next(filter(None, made), "")

    def with_result(self, position: int, result: Result) -> PastRun:
        """Return a copy of the run with another result at a position."""
        results = list(self.results)
        results[position] = result
        return replace(self, results=tuple(results))


def pack(run: PastRun) -> bytes:
    """Return a run as JSON. Identical attachments are stored once."""
    attachments: list[bytes] = []
    results: list[dict[str, Any]] = []
    for result in run.results:
        entry: dict[str, Any] = {
            "seed": result.seed,
            "layer": result.layer,
            "recipe": result.recipe,
            "index": result.index,
            "variant": result.variant,
            "edits": dict(result.edits),
            "starred": result.starred,
        }
        if result.mix != Mix() or result.unmixed:
            mix = result.mix
            entry["mix"] = {
                "other": mix.other or "",
                "levels": list(mix.levels),
                "amount": mix.amount,
            }
            if mix.pad is not None:
                entry["mix"]["pad"] = _pad_entry(mix.pad, result.corner_recipes)
            if result.mixed_recipe:
                entry["mix"]["recipe"] = result.mixed_recipe
            entry["unmixed"] = result.unmixed
        known = {k: round(v, 4) for k, v in asdict(result.scores).items() if v is not None}
        if known:
            entry["scores"] = known
        if result.attachment:
            if result.attachment not in attachments:
                attachments.append(result.attachment)
            entry["attachment"] = attachments.index(result.attachment)
        results.append(entry)
    content = {
        "format": FORMAT,
        "time": run.time,
        "model": run.model,
        "title": run.title,
        "group": run.group,
        "document": list(run.document),
        "hole_box": list(run.hole_box),
        "coverage": _coverage_text(run.coverage),
        "source": run.source,
        "chosen": run.chosen,
        "kept": run.kept,
        "results": results,
        "attachments": [_text(data) for data in attachments],
    }
    return json.dumps(content, separators=(",", ":")).encode()


def unpack(data: bytes, key: str = "") -> PastRun:
    """Read a run that `pack` wrote.

    Raises:
        InputError: the data is damaged, of another kind, or of a newer version.
    """
    try:
        content = json.loads(data)
        if content["format"] != FORMAT:
            raise InputError(
                Sentence("This document's history of fills was written by a newer version."),
                Sentence("Update the plug-in to use it."),
            )
        attachments = [base64.b64decode(each) for each in content["attachments"]]
        box = Box(*(int(value) for value in content["hole_box"]))
        coverage = _inflate(base64.b64decode(content["coverage"]), box.extent.area)
        return PastRun(
            key=key,
            time=str(content["time"]),
            model=str(content["model"]),
            title=str(content["title"]),
            group=str(content["group"]),
            document=Extent(*(int(value) for value in content["document"])),
            hole_box=box,
            coverage=coverage,
            source=str(content["source"]),
            chosen=int(content["chosen"]),
            kept=str(content["kept"]),
            results=tuple(_result(entry, attachments) for entry in content["results"]),
        )
    except (
        ValueError,
        KeyError,
        TypeError,
        IndexError,
        AttributeError,
        OverflowError,
        zlib.error,
    ) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(
            Sentence("This document's history of fills cannot be read."), ""
        ) from error


def _pad_entry(pad: MixerPad[str], recipes: tuple[str, ...]) -> dict[str, Any]:
    entry: dict[str, Any] = {"corners": list(pad.corners), "x": pad.x, "y": pad.y}
    if recipes:
        entry["recipes"] = list(recipes)
    return entry


def _result(entry: dict[str, Any], attachments: list[bytes]) -> Result:
    position = entry.get("attachment")
    pad = entry["mix"].get("pad") if "mix" in entry else None
    return Result(
        seed=int(entry["seed"]),
        layer=str(entry["layer"]),
        recipe=str(entry["recipe"]),
        index=int(entry["index"]),
        variant=int(entry["variant"]),
        attachment=b"" if position is None else attachments[int(position)],
        edits={
            FORMER_DIRECTIONS.get(name, name): float(value)
            for name, value in entry["edits"].items()
        },
        starred=bool(entry["starred"]),
        mix=_mix(entry["mix"]) if "mix" in entry else Mix(),
        unmixed=str(entry.get("unmixed", "")),
        mixed_recipe=str(entry["mix"].get("recipe", "")) if "mix" in entry else "",
        corner_recipes=tuple(str(each) for each in pad.get("recipes", ())) if pad else (),
        method=_method(str(entry["recipe"])),
        scores=_scores(entry.get("scores", {})),
    )


def _scores(content: dict[str, Any]) -> Scores:
    likeness, naturalness = (
        min(max(float(content[name]), 0.0), 1.0) if name in content else None
        for name in ("likeness", "naturalness")
    )
    return Scores(likeness, naturalness)


def _method(recipe: str) -> Method:
    """Return the method of a recipe; MODEL if it is unreadable, which the daemon reports later."""
    try:
        return parse_recipe(recipe).method
    except InputError:
        return Method.MODEL


def _mix(content: dict[str, Any]) -> Mix:
    levels = tuple(StyleLevel(level) for level in content["levels"])
    amount = float(content["amount"])
    if not 0 <= amount <= 1:
        raise ValueError("the mixing amount must be between 0 and 1")
    pad = _pad(content["pad"]) if content.get("pad") else None
    return Mix(str(content["other"]) or None, levels, amount, pad)


def _pad(content: dict[str, Any]) -> MixerPad[str]:
    right, below, across = (str(corner) for corner in content["corners"])
    x, y = float(content["x"]), float(content["y"])
    if not (0 <= x <= 1 and 0 <= y <= 1):
        raise ValueError("the dot must be in the mixer pad")
    return MixerPad((right, below, across), x, y)


def _inflate(data: bytes, size: int) -> bytes:
    """Decompress `size` bytes or none, without allocating more for a malicious document."""
    inflater = zlib.decompressobj()
    coverage = inflater.decompress(data, size + 1)
    if coverage and len(coverage) != size:
        raise ValueError("the coverage and its box differ in size")
    return coverage


@lru_cache(maxsize=2)
def _coverage_text(coverage: bytes) -> str:
    """Return the compressed coverage, cached: a run is stored again after every change."""
    return _text(zlib.compress(coverage))


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


def attachment_of(run: PastRun, result: Result) -> bytes:
    """Return the attachment of a result; a variant shares that of its candidate."""
    if result.attachment:
        return result.attachment
    for other in run.results:
        if other.index == result.index and other.attachment:
            return other.attachment
    return b""
