"""Parse and format edits, variants, levels and frames, which are text in GIMP's arguments.

Edits: "smile=1.5, age=-1". Variants: lists of edits separated by semicolons. Levels: "structure,
colors". Frame: "X, Y, SIDE, ANGLE".
"""

from __future__ import annotations

from collections.abc import Iterable

from inpaint_client import Edits, Frame, InputError, StyleLevel

from ..translation import _, number
from .model_names import spoken


def parse_edits(text: str) -> Edits:
    """Return the edits in `text`; if a name is repeated, its last value counts.

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
    """Return text for `parse_edits`, without edits of value 0."""
    return ", ".join(f"{name}={value:g}" for name, value in edits.items() if value)


def parse_variants(text: str) -> tuple[Edits, ...]:
    """Return the variants in `text`: lists of edits separated by semicolons."""
    return tuple(edits for part in text.split(";") if (edits := parse_edits(part)))


def describe_edits(edits: Edits) -> str:
    """Return edits for a layer's name, for example "Smile +1.5, Hair color -1"."""
    return ", ".join(spoken_edits(edits))


def spoken_edits(edits: Edits) -> list[str]:
    """Return edits in words, for example "Smile +1.5" and "Hair color -1"."""
    return [f"{spoken(name)} {number(f'{value:+g}')}" for name, value in edits.items() if value]


def parse_levels(text: str) -> tuple[StyleLevel, ...]:
    """Return the levels in `text`, sorted.

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
    """Return text for `parse_levels`."""
    return ", ".join(level.name.lower() for level in levels)


def parse_frame(text: str) -> Frame:
    """Return the frame in "X, Y, SIDE" or "X, Y, SIDE, ANGLE", in document px and degrees.

    Raises:
        InputError: the text is not a frame.
    """
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
