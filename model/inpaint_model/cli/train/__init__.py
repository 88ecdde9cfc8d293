"""`inpaint-model train generator|inpainter|framer|refinement|detail|naturalness`."""

from __future__ import annotations

import argparse

from inpaint_model.cli.parts import add_parts, run

__all__ = ["add_arguments", "run"]

PARTS = {
    "generator": "train a StyleGAN2 generator on images",
    "inpainter": "train the networks that fill holes with a generator; needs no images",
    "refinement": "train the network that refines fills, and add it to a bundle",
    "framer": "train the network that finds the frame around a hole, and add it to a bundle",
    "detail": "train the network that adds detail to enlarged fills, and add it to a bundle",
    "naturalness": "fit what judges how natural fills look, and add it to a bundle",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the parts."""
    add_parts(parser, "train", PARTS, "what to train")
