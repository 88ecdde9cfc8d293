"""Files beside the repository that may not be copied into it: published networks, photographs."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

SHARED = Path(__file__).resolve().parents[3] / "shared"


def missing(names: Iterable[str]) -> list[str]:
    """Those of `names`, below ../shared, that are not there."""
    return [name for name in names if not (SHARED / name).exists()]
