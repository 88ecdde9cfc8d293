"""Commands with parts: `train generator` is in train/generator.py."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from importlib import import_module
from keyword import iskeyword


def add_parts(
    parser: argparse.ArgumentParser,
    command: str,
    parts: Mapping[str, str],
    title: str,
    common: Callable[[argparse.ArgumentParser], object] = lambda parser: None,
) -> None:
    """Add `parts` (name -> help), with `common` arguments and their own."""
    subparsers = parser.add_subparsers(title=title, metavar="PART", required=True)
    for part, meaning in parts.items():
        module = import_module(f"inpaint_model.cli.{command}.{part}{'_' * iskeyword(part)}")
        own = subparsers.add_parser(part, help=meaning, description=module.__doc__)
        own.formatter_class = argparse.RawDescriptionHelpFormatter
        common(own)
        module.add_arguments(own)
        own.set_defaults(run_part=module.run)


def run(args: argparse.Namespace) -> int:
    """Run the chosen part."""
    status: int = args.run_part(args)
    return status
