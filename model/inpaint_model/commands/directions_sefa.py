"""`inpaint-model directions sefa`: closed-form factorisation."""

from __future__ import annotations

import argparse

from inpaint_model.commands import directions_components


def add_arguments(parser: argparse.ArgumentParser) -> None:
    directions_components.add_arguments(parser, samples=2_000)


def run(args: argparse.Namespace) -> int:
    from inpaint_model.directions.unsupervised import sefa

    return directions_components.store(
        args,
        "sefa",
        "SeFa, closed form",
        lambda generator, layers, _: sefa(generator, layers, args.count),
    )
