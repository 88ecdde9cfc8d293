"""Find the directions that change given styles most, by closed-form factorization (SeFa)."""

from __future__ import annotations

import argparse

from inpaint_model.cli.directions import components


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    components.add_arguments(parser, samples=2_000)


def run(args: argparse.Namespace) -> int:
    """Run the command."""
    from inpaint_model.directions.unsupervised import sefa

    return components.store(
        args,
        "sefa",
        "SeFa, closed form",
        lambda generator, layers, _: sefa(generator, layers, args.count),
    )
