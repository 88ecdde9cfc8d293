"""Notices about a fill: codes with values, for clients to translate, and their English text."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

PATTERNS: dict[str, str] = {
    "UNKNOWN_CONTENT": (
        "This does not look like what the model knows; the square around the selection is used."
    ),
    "BESIDE_THE_KNOWN": (
        "The selection lies mostly beside what the model knows; the square around it is used."
    ),
    "NO_FRAMER": "This model cannot find frames; the square around the selection is used.",
    "SMOOTH_BEYOND": (
        "The selection reaches beyond what the model knows; the rest is filled smoothly, "
        "without it."
    ),
    "ONLY_INSIDE": "The selection is larger than the frame; only the part inside is filled.",
    "ENLARGED": "Filled at {resolution} px, enlarged {times} times.",
    "NOTHING_SELECTED": "The selection is empty. Select the region to fill.",
    "TOO_MANY_REGIONS": (
        "The selection falls into more than {limit} regions far apart. Fill them in several steps."
    ),
    "FRAME_BESIDE_SELECTION": "The frame does not meet the selection. Move the frame over it.",
    "FRAME_SIZE": (
        "A frame with a side of {side} px cannot be used; choose {smallest} to {largest} px."
    ),
    "NOTHING_AROUND": (
        "Nothing is left around the selection for a smooth fill to continue; select less."
    ),
    "OTHER_SELECTION": (
        "The selection does not fall into the {count} regions of the earlier fill. Fill again."
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
    """A selection or request that cannot be filled; `notice` names the reason."""

    def __init__(self, code: str, **values: object) -> None:
        self.notice = Notice(code, {name: str(value) for name, value in values.items()})
        super().__init__(self.notice.text)
