"""Notices about a fill: codes with values, for clients to translate, and their English text."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

PATTERNS: dict[str, str] = {
    "UNKNOWN_CONTENT": (
        "No face was found near the selection, so the square around the selection is used."
    ),
    "BESIDE_THE_KNOWN": (
        "Most of the selection lies outside the face that was found, so the square "
        "around the selection is used."
    ),
    "NO_FRAMER": "This model cannot find faces, so the square around the selection is used.",
    "SMOOTH_BEYOND": (
        "The selection extends beyond the area that the model can fill. The rest is "
        "filled smoothly, without the model."
    ),
    "ONLY_INSIDE": (
        "The selection extends beyond the frame. Only the part inside the frame is filled."
    ),
    "ENLARGED": "Filled at {resolution} px and enlarged {times} times.",
    "NOTHING_SELECTED": "The selection is empty. Select the region to fill.",
    "TOO_MANY_REGIONS": (
        "The selection consists of more than {limit} regions that are far apart. Fill "
        "them in several steps."
    ),
    "FRAME_BESIDE_SELECTION": (
        "The frame does not overlap the selection. Move the frame over the selection."
    ),
    "FRAME_SIZE": (
        "A frame with a side of {side} px cannot be used. Choose a side from {smallest} "
        "to {largest} px."
    ),
    "NOTHING_AROUND": (
        "A smooth fill needs some image around the selection, but the selection leaves "
        "none. Select a smaller region."
    ),
    "OTHER_SELECTION": (
        "The selection does not match the {count} regions of the earlier fill. Fill again."
    ),
    "ONE_CANDIDATE": (
        "The model “{model}” makes one fill for each selection. Request one candidate, or choose "
        "another model."
    ),
    "NO_EDITS": (
        "Fills of the model “{model}” cannot be edited or mixed. Choose another model and fill "
        "again."
    ),
    "NO_DIRECTIONS": (
        "The model “{model}” has no directions for edits. Remove the edits or choose another model."
    ),
}
"""English text by code. Codes keep their meaning and the names of their placeholders."""


@dataclass(frozen=True)
class Notice:
    """A code and the values of its placeholders."""

    code: str
    values: Mapping[str, str] = field(default_factory=dict)

    @property
    def text(self) -> str:
        """The English sentence."""
        return PATTERNS[self.code].format(**self.values)


class RefusalError(ValueError):
    """A request that cannot be filled; `notice` names the reason."""

    def __init__(self, code: str, **values: object) -> None:
        self.notice = Notice(code, {name: str(value) for name, value in values.items()})
        super().__init__(self.notice.text)
