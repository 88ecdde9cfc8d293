"""`inpaint-model train generator|inpainter|framer`."""

from __future__ import annotations

import argparse
from importlib import import_module

PARTS = {
    "generator": "StyleGAN2, from a folder of pictures or on from a checkpoint",
    "inpainter": "encoder, mixing and skip encoder around a generator; needs no pictures",
    "framer": "the network that finds the frame around a selection; added to a bundle",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parts = parser.add_subparsers(title="what to train", metavar="PART", required=True)
    for part, meaning in PARTS.items():
        module = import_module(f"inpaint_model.commands.train_{part}")
        own = parts.add_parser(part, help=meaning, description=module.__doc__)
        own.formatter_class = argparse.RawDescriptionHelpFormatter
        module.add_arguments(own)
        own.set_defaults(run_part=module.run)


def run(args: argparse.Namespace) -> int:
    status: int = args.run_part(args)
    return status
