"""`inpaint-model`: import, inspect, train and evaluate models.

Each sub-command is a module with `add_arguments(parser)` and `run(args)`, which returns the exit
status. Only the chosen one is imported, and only its `run` imports torch, so that `--help` is fast.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from io import TextIOWrapper
from pathlib import Path
from typing import NamedTuple, NoReturn


class Command(NamedTuple):
    """A sub-command."""

    name: str
    module: str
    help: str


COMMANDS = (
    Command("import", "inpaint_model.cli.import_", "convert a published checkpoint to a bundle"),
    Command("info", "inpaint_model.cli.info", "show the contents of a bundle or checkpoint"),
    Command(
        "train",
        "inpaint_model.cli.train",
        "train a generator, an inpainter, or what is added to one",
    ),
    Command("sample", "inpaint_model.cli.sample", "render a grid of a generator's images"),
    Command("directions", "inpaint_model.cli.directions", "find and check a bundle's directions"),
    Command("evaluate", "inpaint_model.cli.evaluate", "measure the quality of a model's fills"),
    Command(
        "nearest",
        "inpaint_model.cli.nearest",
        "show the training images closest to a generator's samples",
    ),
)
FORMER_COMMANDS = {"neighbours": "nearest"}


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command line, with errors in one line.

    Returns:
        Exit status: 0 (success), 1 (out of memory), 2 (bad usage, bad input or a full disk) or 130
        (Ctrl-C).
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):  # printing a name must not fail in any terminal
            stream.reconfigure(errors="backslashreplace")
    arguments = list(sys.argv[1:] if argv is None else argv)
    if arguments and arguments[0] in FORMER_COMMANDS:
        arguments[0] = FORMER_COMMANDS[arguments[0]]
    try:
        _check_folder()
        args = _parser(arguments[0] if arguments else None).parse_args(arguments)
        status: int = args.run(args)
    except BrokenPipeError:  # the reader has gone; discard what is buffered
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except (ValueError, OSError) as error:
        print(f"inpaint-model: {_one_line(error)}", file=sys.stderr)
        return 2
    except MemoryError as error:
        print(f"inpaint-model: {_one_line(error)}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return status


def _check_folder() -> None:
    """Raise ValueError if the current folder was deleted; torch cannot be loaded there."""
    try:
        Path.cwd()
    except FileNotFoundError:
        raise ValueError("the current folder was deleted; change to another one") from None


class _Parser(argparse.ArgumentParser):
    """Reports bad usage in one line, also for sub-commands."""

    def error(self, message: str) -> NoReturn:
        """Raise what `main` prints."""
        raise ValueError(f"{message} (`{self.prog} --help` lists all options)")


def _parser(chosen: str | None) -> argparse.ArgumentParser:
    """Return the parser, with arguments of the `chosen` command only."""
    parser = _Parser(prog="inpaint-model", description=__doc__.partition("\n")[0])
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for command in COMMANDS:
        own = commands.add_parser(command.name, help=command.help, description=command.help)
        if command.name == chosen:
            module = import_module(command.module)
            module.add_arguments(own)
            own.set_defaults(run=module.run)
    return parser


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__


if __name__ == "__main__":
    sys.exit(main())
