"""Edits, variants and levels as the text that GIMP keeps, shows and passes to scripts.

Edits: "smile=1.5, age=-1". Variants: such lists separated by semicolons. Levels: "structure,
colors". A frame: "X, Y, SIDE, ANGLE".
"""

from __future__ import annotations

from collections.abc import Iterable

from inpaint_client import Edits, Frame, InputError, StyleLevel

from ..translation import _


def parse_edits(text: str) -> Edits:
    """The edits in `text`, none if it is blank; the last of a repeated name counts.

    Raises:
        InputError: a part is not NAME=VALUE.
    """
    values: dict[str, float] = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        name, equals, value = (piece.strip() for piece in part.partition("="))
        try:
            values[name] = float(value)
        except ValueError:
            equals = ""
        if not (name and equals):
            raise InputError(
                _("“{part}” is not an edit.").format(part=part),
                _("Write edits as NAME=VALUE, separated by commas, for example yaw=1.5."),
            )
    return values


def format_edits(edits: Edits) -> str:
    """The text that `parse_edits` reads back; edits of value 0 are left out."""
    return ", ".join(f"{name}={value:g}" for name, value in edits.items() if value)


def parse_variants(text: str) -> tuple[Edits, ...]:
    """The variants in `text`: lists of edits separated by semicolons."""
    return tuple(edits for part in text.split(";") if (edits := parse_edits(part)))


def describe_edits(edits: Edits) -> str:
    """For a layer's name: "smile +1.5, age -1"."""
    return ", ".join(f"{name} {value:+g}" for name, value in edits.items() if value)


def parse_levels(text: str) -> tuple[StyleLevel, ...]:
    """The levels in `text`, in their own order; none if it is blank.

    Raises:
        InputError: a part is not the name of a level.
    """
    known = {name.lower(): level for name, level in StyleLevel.__members__.items()}
    names = list(filter(None, (part.strip().lower() for part in text.split(","))))
    for name in names:
        if name not in known:
            raise InputError(
                _("“{part}” is not a level.").format(part=name),
                _("Write levels as a list of structure, features and colors."),
            )
    return tuple(sorted({known[name] for name in names}))


def format_levels(levels: Iterable[StyleLevel]) -> str:
    """The text that `parse_levels` reads back."""
    return ", ".join(level.name.lower() for level in levels)


def parse_frame(text: str) -> Frame:
    """The frame in "X, Y, SIDE" or "X, Y, SIDE, ANGLE", document pixels and degrees."""
    try:
        numbers = [float(part) for part in text.split(",")]
        if len(numbers) in (3, 4) and numbers[2] > 0:
            return Frame(*numbers)
    except ValueError:
        pass
    raise InputError(
        _("“{part}” is not a frame.").format(part=text),
        _("Write the square's center, side and angle as X, Y, SIDE, ANGLE in pixels and degrees."),
    )
