"""Files outside the repository that must not be copied into it: networks and photographs."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

SHARED = Path(__file__).resolve().parents[3] / "shared"


def missing(names: Iterable[str]) -> list[str]:
    """Return those of `names` that do not exist in ../shared."""
    return [name for name in names if not (SHARED / name).exists()]
