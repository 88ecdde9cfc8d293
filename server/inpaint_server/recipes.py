"""Recipe and attachment: everything that makes a candidate again, on any daemon with the model.

The recipe is JSON of at most 64 KiB:

    {"format": 1, "software": "0.1.0", "model": "portrait", "weights_sha256": "...",
     "generator_sha256": "...", "seed": 7, "truncation_psi": 0.8, "edits": {"smile": 1.5},
     "mixing": null | {"levels": ["structure"], "amount": 0.5},
     "document": [w, h], "box": [x, y, w, h],
     "blending": {"colour_match": true, "gradient": true, "feather_px": 0.0, "grain": true},
     "groups": [{"frame": [cx, cy, side, angle], "box": [x, y, w, h], "ws_out": "<base64>"}]}

Boxes are those of the hole, in document pixels. There is one group for each separate hole. `ws_out`
holds the codes after mixing and before edits, float32 little endian; it is null where it would not
fit (several groups of a large model), and then follows from the seed.

The attachment is a PNG: for each group, left to right, the square that the encoder saw. RGB is the
erased picture, alpha is 255 - hole.
"""

from __future__ import annotations

import base64
import io
import json
import struct
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from inpaint_model.arrays import CodesF32
from inpaint_model.frames import Box, Frame
from inpaint_model.pictures import BlendSettings, Source
from PIL import Image

from . import __version__
from .errors import InvalidRequest

MAX_RECIPE_BYTES = 64 << 10
MAX_GROUPS = 64
MAX_COORDINATE = 4e6  # px, and far more than any angle in degrees
MAX_EDIT_VALUE = 1000.0  # units; far outside of every range, and still finite in every dtype
_DECODING = (OSError, ValueError, SyntaxError, EOFError, KeyError, TypeError, struct.error)


class MixingNote(NamedTuple):
    """That and how another candidate or picture was mixed in; its effect is already in `ws_out`."""

    levels: tuple[str, ...]
    amount: float


class Group(NamedTuple):
    """One separate hole."""

    frame: Frame
    box: Box  # of its hole, document px
    ws_out: CodesF32 | None  # before edits; flat when just read


@dataclass(frozen=True)
class Recipe:
    """A candidate, made again from its numbers."""

    model: str
    weights_sha256: str
    generator_sha256: str
    seed: int
    truncation_psi: float
    edits: Mapping[str, float]
    mixing: MixingNote | None
    document: tuple[int, int]  # width, height, px
    box: Box  # of the whole hole, document px
    blending: BlendSettings
    groups: tuple[Group, ...]


def write_recipe(recipe: Recipe) -> str:
    """The recipe as JSON; codes that would make it too large are left out, the last ones first."""
    groups = list(recipe.groups)
    for last in range(len(groups), -1, -1):
        text = json.dumps(_plain(replace(recipe, groups=tuple(groups))), separators=(",", ":"))
        if len(text) <= MAX_RECIPE_BYTES:
            return text
        groups[last - 1] = groups[last - 1]._replace(ws_out=None)
    raise ValueError("a recipe without codes is larger than 64 KiB")


def _plain(recipe: Recipe) -> dict[str, Any]:
    mixing = recipe.mixing
    return {
        "format": 1,
        "software": __version__,
        "model": recipe.model,
        "weights_sha256": recipe.weights_sha256,
        "generator_sha256": recipe.generator_sha256,
        "seed": recipe.seed,
        "truncation_psi": recipe.truncation_psi,
        "edits": dict(recipe.edits),
        "mixing": mixing and {"levels": list(mixing.levels), "amount": mixing.amount},
        "document": list(recipe.document),
        "box": list(recipe.box),
        "blending": asdict(recipe.blending),
        "groups": [
            {
                "frame": list(group.frame),
                "box": list(group.box),
                "ws_out": None
                if group.ws_out is None
                else base64.b64encode(group.ws_out.astype("<f4").tobytes()).decode(),
            }
            for group in recipe.groups
        ],
    }


def read_recipe(text: str, field: str) -> Recipe:
    """Check and read a recipe; InvalidRequest names `field` and what is wrong with it."""
    if len(text) > MAX_RECIPE_BYTES:
        raise InvalidRequest(field, f"has {len(text)} characters; a recipe has at most 65536")
    try:
        data = json.loads(text, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise InvalidRequest(field, f"is not JSON ({error})") from None
    if not isinstance(data, dict) or data.get("format") != 1:
        raise InvalidRequest(field, "is not a recipe of format 1")
    try:
        return _recipe(_Fields(data, ""))
    except ValueError as error:
        raise InvalidRequest(field, f"is not a recipe: {error}") from None


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is not a number")


class _Fields:
    """A JSON object whose values are checked when they are taken; ValueError names the key."""

    def __init__(self, values: Any, path: str) -> None:
        if not isinstance(values, dict):
            raise ValueError(f"{path.rstrip('.') or 'it'} is not an object")
        self.values = values
        self._path = path

    def _get(self, key: str, kind: type | tuple[type, ...]) -> Any:
        if key not in self.values:
            raise ValueError(f"lacks {self._path}{key}")
        value = self.values[key]
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
            raise ValueError(f"{self._path}{key} cannot be {str(value)[:40]!r}")
        return value

    def text(self, key: str) -> str:
        return str(self._get(key, str))

    def flag(self, key: str) -> bool:
        return bool(self._get(key, bool))

    def number(self, key: str, low: float, high: float) -> float:
        value = self._get(key, (int, float))
        if not low <= value <= high:  # NaN fails as well
            raise ValueError(f"{self._path}{key} must lie within {low:g}..{high:g}")
        return float(value)

    def whole_numbers(self, key: str, count: int) -> tuple[int, ...]:
        values = self._get(key, list)
        if len(values) != count or not all(type(v) is int and abs(v) < 2**31 for v in values):
            raise ValueError(f"{self._path}{key} must be {count} whole numbers")
        return tuple(values)

    def fields(self, key: str) -> _Fields:
        return _Fields(self._get(key, dict), f"{self._path}{key}.")

    def list(self, key: str, most: int) -> Sequence[Any]:
        values = self._get(key, list)
        if not 1 <= len(values) <= most:
            raise ValueError(f"{self._path}{key} must have 1 to {most} entries")
        return tuple(values)

    def is_null(self, key: str) -> bool:
        return self.values.get(key) is None


def _recipe(data: _Fields) -> Recipe:
    edits, blending = data.fields("edits"), data.fields("blending")
    width, height = data.whole_numbers("document", 2)
    return Recipe(
        model=data.text("model"),
        weights_sha256=data.text("weights_sha256"),
        generator_sha256=data.text("generator_sha256"),
        seed=int(data.number("seed", 0, 2**32 - 1)),
        truncation_psi=data.number("truncation_psi", 0.0, 1.0),
        edits={name: edits.number(name, -MAX_EDIT_VALUE, MAX_EDIT_VALUE) for name in edits.values},
        mixing=None if data.is_null("mixing") else _mixing(data.fields("mixing")),
        document=(width, height),
        box=Box(*data.whole_numbers("box", 4)),
        blending=BlendSettings(
            colour_match=blending.flag("colour_match"),
            gradient=blending.flag("gradient"),
            feather_px=blending.number("feather_px", 0.0, 256.0),
            grain=blending.flag("grain"),
        ),
        groups=tuple(
            _group(_Fields(group, f"groups[{k}]."))
            for k, group in enumerate(data.list("groups", MAX_GROUPS))
        ),
    )


def _mixing(data: _Fields) -> MixingNote:
    return MixingNote(tuple(map(str, data.list("levels", 3))), data.number("amount", 0.0, 1.0))


def _group(data: _Fields) -> Group:
    frame = _Fields(dict(enumerate(data.list("frame", 4))), "frame ")
    numbers = [frame.number(k, -MAX_COORDINATE, MAX_COORDINATE) for k in frame.values]
    if len(numbers) != 4 or numbers[2] < 1:
        raise ValueError("a frame is [cx, cy, side, angle] with a side of at least 1")
    codes = None if data.is_null("ws_out") else _codes(data.text("ws_out"))
    return Group(Frame(*numbers), Box(*data.whole_numbers("box", 4)), codes)


def _codes(text: str) -> CodesF32:
    """The codes, flat: how they are divided is known only with the model."""
    codes = np.frombuffer(base64.b64decode(text, validate=True), "<f4").astype(np.float32)
    if not np.isfinite(codes).all():
        raise ValueError("ws_out holds numbers that are not finite")
    return codes


def write_attachment(sources: Sequence[Source]) -> bytes:
    """The PNG of the squares that the encoder saw."""
    rgba = np.concatenate([np.dstack([s.erased, 255 - s.hole]) for s in sources], axis=1)
    buffer = io.BytesIO()
    Image.fromarray(rgba).save(buffer, "PNG", compress_level=3)
    return buffer.getvalue()


def read_attachment(data: bytes, resolution: int, count: int, field: str) -> list[Source]:
    """Inverse of `write_attachment`. Its size is checked before it is decoded."""
    try:
        with Image.open(io.BytesIO(data), formats=["PNG"]) as picture:
            if picture.mode != "RGBA" or picture.size != (resolution * count, resolution):
                raise InvalidRequest(
                    field,
                    f"is {picture.mode} of {picture.width} x {picture.height} px, "
                    f"must be RGBA of {resolution * count} x {resolution} px",
                )
            rgba = np.asarray(picture)
    except (*_DECODING, Image.DecompressionBombError) as error:
        raise InvalidRequest(field, f"is not a readable PNG ({error})") from None
    hole = np.where(rgba[..., 3] < 255, 255, 0).astype(np.uint8)
    image = np.where(hole[..., None] > 0, 0, rgba[..., :3]).astype(np.uint8)
    return [
        Source(
            np.ascontiguousarray(image[:, k * resolution : (k + 1) * resolution]),
            np.ascontiguousarray(hole[:, k * resolution : (k + 1) * resolution]),
        )
        for k in range(count)
    ]
