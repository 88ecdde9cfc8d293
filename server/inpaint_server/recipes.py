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
import binascii
import io
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from inpaint_model.frames import Box, Frame
from inpaint_model.pictures import BlendSettings, Source
from PIL import Image

from . import __version__
from .errors import InvalidRequest

MAX_RECIPE_BYTES = 64 << 10
MAX_GROUPS = 64

UInt8 = npt.NDArray[np.uint8]
Float32 = npt.NDArray[np.float32]


class MixingNote(NamedTuple):
    """That and how another candidate was mixed in; its effect is already in `ws_out`."""

    levels: tuple[str, ...]
    amount: float


class Group(NamedTuple):
    """One separate hole."""

    frame: Frame
    box: Box  # of its hole, document px
    ws_out: Float32 | None  # before edits; flat when just read


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
        return _recipe(data)
    except (KeyError, TypeError, ValueError, OverflowError, binascii.Error) as error:
        reason = f"lacks {error}" if isinstance(error, KeyError) else str(error)
        raise InvalidRequest(field, f"is not a recipe: {reason}") from None


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is not a number")


def _recipe(data: dict[str, Any]) -> Recipe:
    groups = data["groups"]
    if not isinstance(groups, list) or not 1 <= len(groups) <= MAX_GROUPS:
        raise ValueError(f"groups must be a list of 1 to {MAX_GROUPS}")
    mixing = data.get("mixing")
    if not 0 <= data["seed"] < 2**32:
        raise ValueError("seed must lie in 0..4294967295")
    known = {f.name for f in fields(BlendSettings)}
    blending = {key: value for key, value in data["blending"].items() if key in known}
    return Recipe(
        model=str(data["model"]),
        weights_sha256=str(data["weights_sha256"]),
        generator_sha256=str(data["generator_sha256"]),
        seed=int(data["seed"]),
        truncation_psi=_in_range("truncation_psi", data["truncation_psi"], 0.0, 1.0),
        edits={
            str(name): _in_range(f"edit {name}", value, -1e3, 1e3)
            for name, value in data["edits"].items()
        },
        mixing=mixing
        and MixingNote(
            tuple(map(str, mixing["levels"])), _in_range("amount", mixing["amount"], 0, 1)
        ),
        document=_whole_numbers("document", data["document"], 2),
        box=Box(*_whole_numbers("box", data["box"], 4)),
        blending=BlendSettings(**blending),
        groups=tuple(
            Group(_frame(g["frame"]), Box(*_whole_numbers("box", g["box"], 4)), _codes(g["ws_out"]))
            for g in groups
        ),
    )


def _in_range(name: str, value: Any, low: float, high: float) -> float:
    number = float(value)
    if not low <= number <= high:  # NaN fails as well
        raise ValueError(f"{name} must lie in {low}..{high}")
    return number


def _whole_numbers(name: str, values: Any, count: int) -> Any:
    if len(values) != count or not all(type(v) is int and abs(v) < 2**31 for v in values):
        raise ValueError(f"{name} must be {count} whole numbers")
    return tuple(values)


def _frame(values: Any) -> Frame:
    cx, cy, side, angle = (float(value) for value in values)
    if not all(map(math.isfinite, (cx, cy, side, angle))) or side <= 0:
        raise ValueError("a frame must be finite, with a positive side")
    return Frame(cx, cy, side, angle)


def _codes(text: str | None) -> Float32 | None:
    """The codes, flat: how they are divided is known only with the model."""
    if text is None:
        return None
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
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
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
