"""Options that parts of `inpaint-model directions` share."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING

from inpaint_model.data import devices
from inpaint_model.training.ranges import SEEDS, real, whole

if TYPE_CHECKING:
    from inpaint_model.document.arrays import ImageU8


def add_sampling(parser: argparse.ArgumentParser, samples: int) -> None:
    """Add the options for sampling."""
    parser.add_argument(
        "--samples",
        type=positive,
        default=samples,
        help="number of samples (default %(default)s)",
    )
    parser.add_argument(
        "--seed", type=whole(0, SEEDS), default=0, help="seed of the first sample (default 0)"
    )
    parser.add_argument(
        "--truncation",
        type=real(),
        default=1.0,
        metavar="PSI",
        help="truncation psi of the samples (default 1)",
    )
    add_device(parser)


def add_device(parser: argparse.ArgumentParser) -> None:
    """Add --device."""
    parser.add_argument("--device", default="cpu", help=f"{devices.HELP} (default cpu)")


def add_layers(parser: argparse.ArgumentParser) -> None:
    """Add --layers, the styles that a direction edits."""
    parser.add_argument(
        "--layers",
        default="all",
        help="styles to edit: all, structure, features, colors, or numbers such as 0-3,7 (default "
        "all)",
    )


def add_scorers(parser: argparse.ArgumentParser) -> None:
    """Add the options for networks that score images."""
    parser.add_argument(
        "--scorer",
        action="append",
        default=[],
        metavar="NAME=FILE[:K]",
        help="additional attribute, scored by output K of a TorchScript or ONNX network that takes "
        "RGB [N, 3, H, W] in -1..1; may be repeated",
    )
    parser.add_argument(
        "--validation-scorer",
        action="append",
        default=[],
        metavar="NAME=FILE[:K]",
        help="another network for the same attribute, for checking directions; may be repeated",
    )
    parser.add_argument(  # former name
        "--judge", dest="validation_scorer", action="append", default=[], help=argparse.SUPPRESS
    )


positive = whole(1)
"""Parses an integer above 0."""


def evenly(sources: Sequence[str], resolution: int, count: int) -> list[ImageU8]:
    """Load `count` images [R, R, 3], evenly spaced in order of name."""
    from inpaint_model.data.dataset import load_images

    pixels = load_images(sources, resolution, limit=count, spread=True).pixels
    return [image.contiguous().numpy() for image in pixels.permute(0, 2, 3, 1)]
