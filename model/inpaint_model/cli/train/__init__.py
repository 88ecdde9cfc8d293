"""`inpaint-model train generator|inpainter|framer`."""

from __future__ import annotations

import argparse

from inpaint_model.cli.parts import add_parts, run

__all__ = ["add_arguments", "run"]

PARTS = {
    "generator": "StyleGAN2, from a folder of images or on from a checkpoint",
    "inpainter": "encoder, mixing and skip encoder around a generator; needs no images",
    "framer": "the network that finds the frame around a selection; added to a bundle",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the parts of `train`, with their options."""
    add_parts(parser, "train", PARTS, "what to train")
