"""`inpaint-model`: importing, looking at, training and judging models.

Each sub-command is a module of `inpaint_model.cli` with `add_arguments(parser)` and
`run(args) -> int`. Only the one asked for is imported, and it imports torch when it runs, so
every `--help` answers at once.
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
    """A sub-command: its name, its module, and what it does in a line."""

    name: str
    module: str
    help: str


COMMANDS = (
    Command("import", "inpaint_model.cli.import_", "make a bundle of a published checkpoint"),
    Command("info", "inpaint_model.cli.info", "say what a bundle or a checkpoint holds"),
    Command("train", "inpaint_model.cli.train", "train a generator, an inpainter or a framer"),
    Command("sample", "inpaint_model.cli.sample", "draw a grid of a generator's images"),
    Command("directions", "inpaint_model.cli.directions", "find and check a bundle's edits"),
    Command("evaluate", "inpaint_model.cli.evaluate", "measure how good a model's fills are"),
    Command(
        "nearest",
        "inpaint_model.cli.nearest",
        "show the training images closest to a generator's",
    ),
)
FORMER_COMMANDS = {"neighbours": "nearest"}  # names that earlier versions gave them


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command line.

    Returns 0 (done), 1 (out of memory), 2 (bad usage, bad input or a full disk) or 130 (Ctrl-C);
    one line says what is wrong.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):  # a name that a terminal cannot show ends nothing
            stream.reconfigure(errors="backslashreplace")
    arguments = list(sys.argv[1:] if argv is None else argv)
    if arguments and arguments[0] in FORMER_COMMANDS:
        arguments[0] = FORMER_COMMANDS[arguments[0]]
    try:
        _check_folder()
        args = _parser(arguments[0] if arguments else None).parse_args(arguments)
        status: int = args.run(args)
    except BrokenPipeError:  # who reads the output has gone; nor can what is left be flushed
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
    """Raise ValueError in a folder that has been removed, where torch's libraries do not load."""
    try:
        Path.cwd()
    except FileNotFoundError:
        raise ValueError("the current folder has been removed; change to another one") from None


class _Parser(argparse.ArgumentParser):
    """Tells bad usage in a line, like all that is wrong; the parsers of commands are such, too."""

    def error(self, message: str) -> NoReturn:
        """Raise what `main` prints.

        Raises:
            ValueError: always.
        """
        raise ValueError(f"{message} (`{self.prog} --help` lists all options)")


def _parser(chosen: str | None) -> argparse.ArgumentParser:
    """Return the parser of all commands; only `chosen` knows its arguments."""
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
