"""Training options, declared once as dataclass fields that also define the command line."""

from __future__ import annotations

import argparse
from dataclasses import field, fields
from typing import Any, TypeVar, get_type_hints

from inpaint_model.training.ranges import real, whole

T = TypeVar("T")
Options = TypeVar("Options")


def option(default: T, meaning: str, least: int = 0, former: str = "") -> T:
    """Return a field of an options class.

    `meaning` is a sentence with the unit, for `--help`; `former` a name that the command line still
    accepts.
    """
    return field(default=default, metadata={"help": meaning, "least": least, "former": former})


def add_options(parser: argparse.ArgumentParser, cls: type[Any]) -> None:
    """Add a flag for each field: `r1_gamma` as --r1-gamma, a bool as --mirror and --no-mirror."""
    hints = get_type_hints(cls)
    for entry in fields(cls):
        flag = "--" + entry.name.replace("_", "-")
        meaning = entry.metadata["help"].replace("%", "%%")
        if hints[entry.name] is bool:
            parser.add_argument(
                flag, action=argparse.BooleanOptionalAction, default=entry.default, help=meaning
            )
            continue
        least = entry.metadata["least"]
        kind = int if hints[entry.name] in (int, int | None) else float
        default = "automatic" if entry.default is None else f"{entry.default:g}"
        parser.add_argument(
            flag,
            type=whole(least) if kind is int else real(least),
            default=entry.default,
            metavar="N" if kind is int else "X",
            help=f"{meaning} (default: {default})",
        )
        if former := entry.metadata["former"]:
            parser.add_argument(
                "--" + former.replace("_", "-"),
                dest=entry.name,
                type=whole(least) if kind is int else real(least),
                default=argparse.SUPPRESS,
                help=argparse.SUPPRESS,
            )


def options_from(args: argparse.Namespace, cls: type[Options]) -> Options:
    """Return the options of a parsed command line."""
    return cls(**{entry.name: getattr(args, entry.name) for entry in fields(cls)})  # type: ignore[arg-type]
