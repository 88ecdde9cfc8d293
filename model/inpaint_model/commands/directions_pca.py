"""`inpaint-model directions pca`: GANSpace."""

from __future__ import annotations

import argparse

from inpaint_model.commands import directions_components


def add_arguments(parser: argparse.ArgumentParser) -> None:
    directions_components.add_arguments(parser, samples=50_000)


def run(args: argparse.Namespace) -> int:
    from inpaint_model.directions.unsupervised import pca

    source = f"principal component of {args.samples} codes (GANSpace)"
    return directions_components.store(args, "pca", source, lambda _, __, w: pca(w, args.count)[0])
