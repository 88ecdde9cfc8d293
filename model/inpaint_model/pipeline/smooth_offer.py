"""Decide when to offer a smooth fill too."""

from __future__ import annotations

from collections.abc import Iterable

from inpaint_model.document.placement import Placement

SMALL = 0.1
"""Largest ratio of a hole's larger side to the frame's at which smooth fills are mostly better."""
THIN = 0.045
"""The same limit for the width of lines of any length."""


def is_worth_smoothing(placements: Iterable[Placement]) -> bool:
    """Return whether a smooth fill is likely to be better than the model's in every group.

    It is where no frame was found, and in small or thin holes, which are blemishes or scratches
    rather than parts of a face (measured in docs/decisions/0038 and 0040).
    """
    return all(
        place.mode == "box"
        or place.reach <= SMALL
        or place.hole.is_thin(round(THIN * place.frame.side))
        for place in placements
    )
