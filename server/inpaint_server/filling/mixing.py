"""Style mixing: the codes of another candidate, or of another picture, laid over a candidate's.

The levels are the paper's of the generator: coarse styles are structure, the middle ones features,
the fine ones colours.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from inpaint_model import Inpainter
from inpaint_model.document.arrays import CodesF32
from inpaint_model.document.document_image import DocumentPicture
from inpaint_model.document.geometry import Frame
from inpaint_model.document.model_view import look
from inpaint_model.networks.style_levels import LEVELS

from ..errors import InvalidRequest, WrongModel
from ..models.registry import Entry
from .orders import MixingOrder
from .recipes import Recipe, read_recipe

Codes = tuple[CodesF32, ...]  # one [num_ws, w_dim] a group of holes


def mixed(codes: Codes, others: Codes, order: MixingOrder) -> Codes:
    """Return the order's styles of `others` laid over `codes`, group by group."""
    results = []
    for k, own in enumerate(codes):
        result = own.copy()
        for level in order.levels:
            styles = LEVELS[level]
            result[styles] += order.amount * (others[k % len(others)][styles] - result[styles])
        results.append(result)
    return tuple(results)


def other_codes(
    inpainter: Inpainter, entry: Entry, frames: Iterable[Frame], order: MixingOrder
) -> Codes:
    """Return what is mixed in. `frames`: of the candidate; a picture is seen through them."""
    if isinstance(order.other, str):
        return _codes_of_candidate(order.other, entry)
    return tuple(_codes_of_picture(inpainter, order.other, frame) for frame in frames)


def _codes_of_candidate(text: str, entry: Entry) -> Codes:
    other = read_recipe(text, "mixing.recipe")
    if other.weights_sha256 != entry.info.weights_sha256:
        raise WrongModel(
            f"mixing.recipe was made with the model {other.model!r}, this candidate with "
            f"{entry.name!r}; only candidates of one model can be mixed"
        )
    codes = recipe_codes(other, entry, "mixing.recipe")
    if not codes:
        raise InvalidRequest("mixing.recipe", "has no codes (ws_out) to mix")
    return codes


def _codes_of_picture(inpainter: Inpainter, picture: DocumentPicture, frame: Frame) -> CodesF32:
    seen = look(picture, None, frame, inpainter.resolution)
    if seen.hole.all():
        raise InvalidRequest(
            "mixing.picture", "shows nothing in the candidate's frame; move it over the hole"
        )
    return inpainter.invert(seen.erased, seen.hole)


def recipe_codes(recipe: Recipe, entry: Entry, field: str) -> Codes:
    """Return the codes of every group, in the model's shape; none if the recipe lacks any."""
    codes: Sequence[CodesF32] = [g.ws_out for g in recipe.groups if g.ws_out is not None]
    if len(codes) < len(recipe.groups):
        if recipe.mixing is not None:
            raise InvalidRequest(field, "is mixed but has no codes; it cannot be made again")
        return ()
    shape = entry.info.num_ws, entry.info.w_dim
    for flat in codes:
        if flat.size != shape[0] * shape[1]:
            raise InvalidRequest(
                field, f"has {flat.size} numbers in ws_out; {entry.name} has {shape[0] * shape[1]}"
            )
    return tuple(flat.reshape(shape) for flat in codes)
