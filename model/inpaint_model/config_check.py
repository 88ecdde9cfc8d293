"""Is a configuration from a file what its dataclass declares?

Dataclasses do not check their fields. A configuration that we wrote is right; one from a stranger's
bundle may hold text for numbers, or sizes that no machine has memory for.
"""

from __future__ import annotations

import math
import types
from dataclasses import fields, is_dataclass
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

MAX_COUNT = 65_536  # of anything: channels, styles, samples of a group
MAX_LAYERS = 64  # of anything that repeats
LAYERS = {"num_mapping_layers", "units"}


def check_fields(config: object) -> None:
    """ValueError unless every field has its declared type, and numbers are within reach."""
    hints = get_type_hints(type(config))
    assert is_dataclass(config)
    for field in fields(config):
        value = getattr(config, field.name)
        if is_dataclass(value):
            check_fields(value)
        elif not _is(value, hints[field.name]):
            raise ValueError(f"{type(config).__name__}: {field.name} has an impossible value")
        elif not _within(value, MAX_LAYERS if field.name in LAYERS else MAX_COUNT):
            raise ValueError(f"{type(config).__name__}: {field.name} is out of reach")


def _is(value: object, hint: Any) -> bool:
    """Whether a value is of a type as the configurations use them."""
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is Literal:
        return value in arguments and type(value) in {type(choice) for choice in arguments}
    if origin in (Union, types.UnionType):
        return any(_is(value, choice) for choice in arguments)
    if origin is tuple:
        if not isinstance(value, tuple):
            return False
        if arguments[-1] is Ellipsis:
            return all(_is(item, arguments[0]) for item in value)
        return len(value) == len(arguments) and all(map(_is, value, arguments))
    if hint is float:
        return type(value) in (int, float)
    return type(value) is hint


def _within(value: object, limit: int) -> bool:
    if isinstance(value, tuple):
        return all(_within(item, limit) for item in value)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return math.isfinite(value) and 0 <= value <= limit
    return True
