"""Levels of styles, for mixing and edits.

Styles 0 to 2 control pose and shape, 3 to 6 facial features, the others colors and texture.
"""

from __future__ import annotations

from collections.abc import Mapping

COARSE, MIDDLE, FINE = slice(0, 3), slice(3, 7), slice(7, None)
LEVELS: Mapping[str, slice] = {"structure": COARSE, "features": MIDDLE, "colors": FINE}
_FORMER = {"colours": "colors"}  # spelling of earlier versions


def parse_styles(text: str, num_ws: int) -> tuple[int, ...]:
    """Return the sorted styles of a text such as `all` or `structure,5,8-9`.

    Raises:
        ValueError: The text is malformed or names a style that does not exist.
    """
    styles: set[int] = set()
    for written in text.replace(" ", "").split(","):
        part = _FORMER.get(written, written)
        if part == "all" or part in LEVELS:
            styles |= set(range(num_ws)[LEVELS.get(part, slice(None))])
            continue
        first, _, last = part.partition("-")
        if not first.isdecimal() or not (last or first).isdecimal():
            names = ", ".join([*LEVELS, "all"])
            raise ValueError(f"layers {text!r}: give {names}, or numbers such as 0-3,7")
        styles |= set(range(int(first), int(last or first) + 1))
    if not styles or max(styles) >= num_ws:
        raise ValueError(f"layers {text!r}: this generator has the styles 0 to {num_ws - 1}")
    return tuple(sorted(styles))
