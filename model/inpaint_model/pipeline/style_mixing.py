"""Style mixing: a candidate takes styles of another candidate or of an image.

The paper's levels are structure (coarse styles), features (middle) and colors (fine).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from inpaint_model.document.arrays import CodesF32
from inpaint_model.document.document_image import DocumentImage
from inpaint_model.document.geometry import Frame
from inpaint_model.document.model_view import extract_model_view
from inpaint_model.inference.inpainter import Inpainter
from inpaint_model.networks.style_levels import LEVELS
from inpaint_model.pipeline.recipe import (
    Codes,
    MixingNote,
    ModelIdentity,
    OtherModelError,
    Recipe,
    RecipeError,
    UnusableError,
    codes_of,
)


class UnseenImageError(UnusableError):
    """An image to mix lies outside the frame."""

    subject = "the image to mix"


@dataclass(frozen=True)
class Mixing:
    """Which styles to take, and from where."""

    other: Recipe | DocumentImage  # an image has a position in the document
    levels: tuple[str, ...]  # names of LEVELS, at least one
    amount: float = 1.0  # 0 = no mixing, 1 = only the other's styles


def mixed(codes: Codes, others: Codes, mixing: Mixing) -> Codes:
    """Mix styles of `others` into `codes`, group by group."""
    results = []
    for k, own in enumerate(codes):
        result = own.copy()
        for level in mixing.levels:
            styles = LEVELS[level]
            result[styles] += mixing.amount * (others[k % len(others)][styles] - result[styles])
        results.append(result)
    return tuple(results)


def noted(mixing: Mixing, before: MixingNote | None = None) -> MixingNote:
    """Return the note of a mixing, also for a candidate that was mixed `before`.

    After several, each level has the total share of all others; the note has the largest one.
    """
    shares = dict.fromkeys(before.levels, before.amount) if before else {}
    for level in mixing.levels:
        share = shares.get(level, 0.0)
        shares[level] = share + mixing.amount * (1 - share)
    return MixingNote(tuple(level for level in LEVELS if level in shares), max(shares.values()))


def codes_to_mix(
    inpainter: Inpainter, model: ModelIdentity, frames: Iterable[Frame], mixing: Mixing
) -> Codes:
    """Return the codes to mix in; an image is seen through the frames.

    Raises:
        OtherModelError: The recipe is of another model.
        RecipeError: It has no codes.
        UnseenImageError: The image does not overlap a frame.
    """
    if isinstance(mixing.other, DocumentImage):
        return tuple(_inverted(inpainter, mixing.other, frame) for frame in frames)
    if mixing.other.weights_sha256 != model.weights_sha256:
        raise OtherModelError(
            f"was made with the model {mixing.other.model!r}, this candidate with {model.name!r}. "
            "Choose a candidate of the same model."
        )
    if mixing.other.method == "smooth":
        raise RecipeError("is of a smooth fill, which has no styles to mix")
    codes = codes_of(mixing.other, model)
    if not codes:
        raise RecipeError("has no codes (ws_out) to mix")
    return codes


def _inverted(inpainter: Inpainter, image: DocumentImage, frame: Frame) -> CodesF32:
    seen = extract_model_view(image, None, frame, inpainter.resolution)
    if seen.hole.all():
        raise UnseenImageError("is empty within the candidate's frame. Move it over the hole.")
    return inpainter.invert(seen.erased, seen.hole)
