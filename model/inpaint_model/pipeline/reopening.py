"""Reopen the session of a recipe."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from inpaint_model.document import geometry
from inpaint_model.document.document_image import DocumentImage
from inpaint_model.document.geometry import Box, Frame, Mode
from inpaint_model.document.grouping import Choice, Part
from inpaint_model.document.hole import Hole
from inpaint_model.document.notices import RefusalError
from inpaint_model.document.placement import place, sharing_memory
from inpaint_model.pipeline.recipe import (
    Group,
    ModelIdentity,
    OtherModelError,
    Recipe,
    codes_of,
    read_attachment,
)
from inpaint_model.pipeline.session import SMOOTH, Candidate, FillSession


def reopened(
    recipe: Recipe,
    attachment: bytes,
    model: ModelIdentity,
    image: DocumentImage | None = None,
    hole: Hole | None = None,
) -> FillSession:
    """Return a session whose candidate 0 is the recipe's, with the encoder's original input.

    Without image and hole, it is fitted to what the encoder saw of the first group.

    Raises:
        AttachmentError: It cannot be used.
        OtherModelError: The recipe is of another model.
        RecipeError: The recipe's codes do not fit the model.
        ValueError: The hole does not match the recipe.
    """
    if recipe.weights_sha256 != model.weights_sha256:
        raise OtherModelError(f"was made with the model {recipe.model!r}, not with this one")
    resolution = model.resolution
    sources = read_attachment(attachment, resolution, len(recipe.groups))
    if image is None or hole is None:
        image, hole = DocumentImage(sources[0].erased), Hole(sources[0].hole)
        whole = Frame(resolution / 2, resolution / 2, resolution)
        recipe = replace(recipe, groups=(replace(recipe.groups[0], frame=whole),))
        sources = sources[:1]
    placements = [
        replace(
            place(
                image,
                part,
                group.frame,
                resolution,
                mode=_mode(group, image, resolution),
                selection=hole,
                whole=group.whole,
            ),
            source=source,
        )
        for part, group, source in zip(_parts(hole, recipe), recipe.groups, sources, strict=True)
    ]
    session = FillSession(model, image, hole, sharing_memory(placements), recipe.blending)
    session.candidates[0] = (
        SMOOTH
        if recipe.method == "smooth"
        else Candidate(
            recipe.seed, recipe.truncation_psi, recipe.edits, recipe.mixing, codes_of(recipe, model)
        )
    )
    return session


def _mode(group: Group, image: DocumentImage, resolution: int) -> Mode:
    """Return whether a frame shows a face or is just the square around its hole."""
    square = geometry.box_frame(group.box, *image.document_size, resolution)
    return "box" if np.allclose(group.frame, square) else "explicit"


def _parts(hole: Hole, recipe: Recipe) -> list[Hole]:
    """Divide the hole into the recipe's groups, as the fill did."""
    if len(recipe.groups) == 1:
        return [hole]
    used: list[Group] = []

    def choose(box: Box) -> Choice:
        if len(used) == len(recipe.groups):
            raise RefusalError("OTHER_SELECTION", count=len(recipe.groups))
        used.append(recipe.groups[len(used)])
        return Choice(used[-1].frame, "auto", 1.0)

    def are_together(left: Sequence[Part]) -> bool:
        """Scratches and dust that the fill took together are in the last group."""
        is_last = len(used) == len(recipe.groups) - 1
        return is_last and geometry.union([part.box for part in left]) == recipe.groups[-1].box

    found = hole.groups(choose, are_together)
    if len(found) < len(recipe.groups):
        raise RefusalError("OTHER_SELECTION", count=len(recipe.groups))
    return [group for group, _ in found]
