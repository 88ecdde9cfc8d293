"""Display names of directions and groups: "hair_color" is "Hair color"."""

from __future__ import annotations

from ..translation import _


def spoken(name: str) -> str:
    """Return the display name, translated if the catalog has it; models may have any names."""
    return _(name.replace("_", " ").replace("-", " ").strip().capitalize())
