"""Options that several `inpaint-model directions` actions share."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING

from inpaint_model.data import devices
from inpaint_model.training.ranges import SEEDS, real, whole

if TYPE_CHECKING:
    from inpaint_model.document.arrays import ImageU8


def add_sampling(parser: argparse.ArgumentParser, samples: int) -> None:
    """Add how many images are sampled, and how."""
    parser.add_argument("--samples", type=positive, default=samples, help="(default %(default)s)")
    parser.add_argument(
        "--seed", type=whole(0, SEEDS), default=0, help="of the first sample (default 0)"
    )
    parser.add_argument(
        "--truncation", type=real(), default=1.0, metavar="PSI", help="of the samples (default 1)"
    )
    add_device(parser)


def add_device(parser: argparse.ArgumentParser) -> None:
    """Add where networks run."""
    parser.add_argument("--device", default="cpu", help=f"{devices.HELP} (default cpu)")


def add_layers(parser: argparse.ArgumentParser) -> None:
    """Add which styles a direction acts on."""
    parser.add_argument(
        "--layers",
        default="all",
        help="styles to act on: all, structure, features, colors, or such as 0-3,7 (default all)",
    )


def add_scorers(parser: argparse.ArgumentParser) -> None:
    """Add the networks that score images."""
    parser.add_argument(
        "--scorer",
        action="append",
        default=[],
        metavar="NAME=FILE[:K]",
        help="a further attribute: output K of a TorchScript or ONNX network that takes RGB "
        "[N, 3, H, W] in -1..1; may be repeated",
    )
    parser.add_argument(
        "--validation-scorer",
        action="append",
        default=[],
        metavar="NAME=FILE[:K]",
        help="another network for the same attribute, with which directions are checked",
    )
    parser.add_argument(  # as earlier versions called it
        "--judge", dest="validation_scorer", action="append", default=[], help=argparse.SUPPRESS
    )


positive = whole(1)
"""Reads a whole number above 0."""


def evenly(sources: Sequence[str], resolution: int, count: int) -> list[ImageU8]:
    """`count` images [R, R, 3] of folders and zips, in equal distances over their names."""
    from inpaint_model.data.dataset import load_images

    pixels = load_images(sources, resolution, limit=count, spread=True).pixels
    return [image.contiguous().numpy() for image in pixels.permute(0, 2, 3, 1)]
