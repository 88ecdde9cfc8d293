"""Argument types for numbers in a range."""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable

LARGEST = 2**31 - 1
SEEDS = 2**32 - 1


def whole(least: int = 0, most: int = LARGEST) -> Callable[[str], int]:
    """Return an argument type for whole numbers from `least` to `most`."""

    def read(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            value = least - 1
        if not least <= value <= most:
            raise argparse.ArgumentTypeError(
                f"{text!r} is not a whole number from {least} to {most}"
            )
        return value

    return read


def real(least: float = 0.0, most: float = math.inf) -> Callable[[str], float]:
    """Return an argument type for finite numbers from `least` to `most`."""

    def read(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not math.isfinite(value) or not least <= value <= most:
            allowed = f"from {least:g} to {most:g}" if most < math.inf else f"of at least {least:g}"
            raise argparse.ArgumentTypeError(f"{text!r} is not a number {allowed}")
        return value

    return read
