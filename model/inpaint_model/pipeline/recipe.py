"""Recipe (JSON) and attachment (PNG), which recreate a candidate on any daemon with the model.

docs/reference/formats/recipe.md describes them. Recipes of smooth candidates have format 2, so that
readers that do not know their method refuse them; all others have format 1.
"""

from __future__ import annotations

import base64
import io
import json
import struct
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Annotated, Any, Literal

import numpy as np
from annotated_types import Interval, Len
from PIL import Image

from inpaint_model import __version__
from inpaint_model.document.arrays import CodesF32
from inpaint_model.document.blending import BlendSettings
from inpaint_model.document.geometry import Box, Frame
from inpaint_model.document.model_view import ModelInput
from inpaint_model.inference.inpainter import MAX_SEED
from inpaint_model.networks.validation import Finite, Flag, ReadAs, Several, Text, Whole, validated

MAX_RECIPE_BYTES = 64 << 10
MAX_GROUPS = 64
MAX_COORDINATE = 4e6  # px; also bounds angles in degrees
MAX_EDIT_VALUE = 1000.0  # units; far outside every range, but finite in every dtype
MAX_CODE = 1e4  # of `ws_out`; a mapping network stays below about 100
_DECODING = (OSError, ValueError, SyntaxError, EOFError, KeyError, TypeError, struct.error)

Method = Literal["model", "smooth"]
"""How a candidate is filled: by the model, or smoothly without it."""

Codes = tuple[CodesF32, ...]
"""Latent codes of a candidate: one [num_ws, w_dim] for each group of holes."""

Seed = Annotated[Whole, Interval(ge=0, le=MAX_SEED)]
Share = Annotated[Finite, Interval(ge=0, le=1)]
EditValue = Annotated[Finite, Interval(ge=-MAX_EDIT_VALUE, le=MAX_EDIT_VALUE)]
Pixel = Annotated[Whole, Interval(ge=1 - 2**31, le=2**31 - 1)]
Coordinate = Annotated[Finite, Interval(ge=-MAX_COORDINATE, le=MAX_COORDINATE)]
Side = Annotated[Finite, Interval(ge=1, le=MAX_COORDINATE)]
StoredFrame = Annotated[Frame, ReadAs(tuple[Coordinate, Coordinate, Side, Coordinate], Frame._make)]
StoredBox = Annotated[Box, ReadAs(tuple[Pixel, Pixel, Pixel, Pixel], Box._make)]


class UnusableError(ValueError):
    """An input of a fill cannot be used; the message is its `subject` and the `reason`."""

    subject = ""

    def __init__(self, reason: str) -> None:
        super().__init__(f"{self.subject} {reason}")
        self.reason = reason


class RecipeError(UnusableError):
    """A recipe cannot be used."""

    subject = "the recipe"


class AttachmentError(UnusableError):
    """An attachment cannot be used."""

    subject = "the recipe's attachment"


class OtherModelError(RecipeError):
    """A recipe is of another model."""


@dataclass(frozen=True)
class ModelIdentity:
    """A model and the shape of its codes."""

    name: str
    weights_sha256: str
    generator_sha256: str
    resolution: int  # px
    num_ws: int
    w_dim: int


def _codes(text: str) -> CodesF32:
    """Decode flat codes; their shape depends on the model."""
    codes = np.frombuffer(base64.b64decode(text, validate=True), "<f4").astype(np.float32)
    if not (np.abs(codes) <= MAX_CODE).all():  # False for NaN too
        raise ValueError(f"holds numbers that are not within -{MAX_CODE:g}..{MAX_CODE:g}")
    return codes


@dataclass(frozen=True)
class MixingNote:
    """How styles were mixed in; `ws_out` includes the effect.

    After several mixings, `amount` is the total share of the others, so that earlier versions can
    read it. Which share is whose is not noted.
    """

    levels: Annotated[Several[Text], Len(1, 3)]
    amount: Share


@dataclass(frozen=True)
class Blending:
    """All `BlendSettings`, so that other defaults do not change the candidate."""

    colour_match: Flag
    gradient: Flag
    feather_px: Finite
    grain: Flag
    detail: Flag = False  # recipes without it were made without it


@dataclass(frozen=True)
class Group:
    """One separate hole."""

    frame: StoredFrame
    box: StoredBox  # of its hole, document px
    ws_out: Annotated[CodesF32, ReadAs(Text, _codes)] | None = None  # before edits; flat when read
    whole: Flag = False  # filled also outside the frame


@dataclass(frozen=True)
class Recipe:
    """The parameters that recreate a candidate."""

    model: Text
    weights_sha256: Text
    generator_sha256: Text
    seed: Seed
    truncation_psi: Share
    edits: Mapping[Text, EditValue]
    mixing: MixingNote | None
    document: tuple[Pixel, Pixel]  # width, height, px
    box: StoredBox  # of the entire hole, document px
    blending: Annotated[BlendSettings, ReadAs(Blending, lambda read: BlendSettings(**vars(read)))]
    groups: Annotated[Several[Group], Len(1, MAX_GROUPS)]
    method: Method = "model"


@dataclass(frozen=True, kw_only=True)
class RecipeFile(Recipe):
    """A stored recipe; unknown keys are ignored."""

    format: Literal[1, 2]
    software: Text = ""  # version of the writer
    mixing: MixingNote | None = None


def write_recipe(recipe: Recipe) -> str:
    """Return JSON. Codes that make it too large are omitted, the last first."""
    groups = list(recipe.groups)
    for last in range(len(groups), -1, -1):
        text = json.dumps(_plain(replace(recipe, groups=tuple(groups))), separators=(",", ":"))
        if len(text) <= MAX_RECIPE_BYTES:
            return text
        groups[last - 1] = replace(groups[last - 1], ws_out=None)
    raise ValueError("a recipe without codes is larger than 64 KiB")


def _plain(recipe: Recipe) -> dict[str, Any]:
    mixing = recipe.mixing
    return {
        "format": 2 if recipe.method == "smooth" else 1,
        "software": __version__,
        "method": recipe.method,
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
                "whole": group.whole,
                "ws_out": None
                if group.ws_out is None
                else base64.b64encode(group.ws_out.astype("<f4").tobytes()).decode(),
            }
            for group in recipe.groups
        ],
    }


def read_recipe(text: str) -> Recipe:
    """Read and check a recipe.

    Raises:
        RecipeError: It is too large, not JSON, of another format, or has an invalid value.
    """
    num_bytes = len(text.encode("utf-8", "replace"))
    if num_bytes > MAX_RECIPE_BYTES:
        raise RecipeError(f"has {num_bytes} bytes; a recipe has at most {MAX_RECIPE_BYTES}")
    try:
        data = json.loads(text, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise RecipeError(f"is not JSON ({error})") from None
    if not isinstance(data, dict) or data.get("format") not in (1, 2):
        raise RecipeError("is not a recipe of format 1 or 2")
    try:
        return validated(RecipeFile, data, "a recipe")
    except ValueError as error:
        raise RecipeError(f"is not a recipe: {error}") from None


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is not a number")


def codes_of(recipe: Recipe, model: ModelIdentity) -> Codes:
    """Return the codes of every group in the model's shape; empty if any are missing.

    Raises:
        RecipeError: The shape is wrong, or the recipe is mixed and lacks codes.
    """
    flat = [group.ws_out for group in recipe.groups if group.ws_out is not None]
    if len(flat) < len(recipe.groups):
        if recipe.mixing is not None:
            raise RecipeError("is mixed but has no codes; it cannot be made again")
        return ()
    for codes in flat:
        if codes.size != model.num_ws * model.w_dim:
            raise RecipeError(
                f"has {codes.size} numbers in ws_out; {model.name} has {model.num_ws * model.w_dim}"
            )
    return tuple(codes.reshape(model.num_ws, model.w_dim) for codes in flat)


def write_attachment(sources: Sequence[ModelInput]) -> bytes:
    """Return what the encoder saw as PNG, left to right: RGB erased image, alpha 255 - hole."""
    rgba = np.concatenate([np.dstack([s.erased, 255 - s.hole]) for s in sources], axis=1)
    buffer = io.BytesIO()
    Image.fromarray(rgba).save(buffer, "PNG", compress_level=3)
    return buffer.getvalue()


def read_attachment(data: bytes, resolution: int, count: int) -> list[ModelInput]:
    """Decode an attachment of `count` groups, whose size is checked first.

    Raises:
        AttachmentError: It is not a PNG of the right size.
    """
    try:
        with Image.open(io.BytesIO(data), formats=["PNG"]) as opened:
            if opened.mode != "RGBA" or opened.size != (resolution * count, resolution):
                raise AttachmentError(
                    f"is {opened.mode} of {opened.width} x {opened.height} px, "
                    f"must be RGBA of {resolution * count} x {resolution} px",
                )
            rgba = np.asarray(opened)
    except AttachmentError:
        raise
    except (*_DECODING, Image.DecompressionBombError) as error:
        raise AttachmentError(f"is not a readable PNG ({error})") from None
    hole = np.where(rgba[..., 3] < 255, 255, 0).astype(np.uint8)
    image = np.where(hole[..., None] > 0, 0, rgba[..., :3]).astype(np.uint8)
    return [
        ModelInput(
            np.ascontiguousarray(image[:, k * resolution : (k + 1) * resolution]),
            np.ascontiguousarray(hole[:, k * resolution : (k + 1) * resolution]),
        )
        for k in range(count)
    ]
