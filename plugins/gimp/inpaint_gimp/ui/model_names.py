"""Names of directions and groups as people read them: "hair_color" is "Hair color"."""

from __future__ import annotations

from ..translation import _


def spoken(name: str) -> str:
    """The name in words; translated where the catalog knows it (models may bring any)."""
    return _(name.replace("_", " ").replace("-", " ").strip().capitalize())
