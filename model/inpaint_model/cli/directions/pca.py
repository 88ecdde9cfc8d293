"""Find the principal components of the codes (GANSpace)."""

from __future__ import annotations

import argparse

from inpaint_model.cli.directions import components


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    components.add_arguments(parser, samples=50_000)


def run(args: argparse.Namespace) -> int:
    """Run the command."""
    from inpaint_model.directions.unsupervised import pca

    source = f"principal component of {args.samples} codes (GANSpace)"
    return components.store(args, "pca", source, lambda _, __, w: pca(w, args.count)[0])
