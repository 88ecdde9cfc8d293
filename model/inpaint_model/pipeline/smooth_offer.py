"""When a smooth fill is offered beside the model's candidates."""

from __future__ import annotations

from collections.abc import Iterable

from inpaint_model.document.placement import Placement

SMALL = 0.1
"""Larger side of a hole over the frame's, up to which a smooth fill is mostly the better one."""
THIN = 0.045
"""Width of a line over the frame's side, up to which the same holds, however long it is."""


def is_worth_smoothing(placements: Iterable[Placement]) -> bool:
    """Return whether a smooth fill is likely to be better than the model's, in every group.

    It is where the model is out of its depth: no frame was found, so that what the model knows is
    not there; or the hole is small or nowhere wide, so that it is a blemish or a scratch
    rather than a part of a face (measured in docs/decisions/0038 and 0040).
    """
    return all(
        place.mode == "box"
        or place.reach <= SMALL
        or place.hole.is_thin(round(THIN * place.frame.side))
        for place in placements
    )
