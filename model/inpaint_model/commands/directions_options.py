"""Options that several `inpaint-model directions` actions share."""

from __future__ import annotations

import argparse


def add_sampling(parser: argparse.ArgumentParser, samples: int) -> None:
    parser.add_argument("--samples", type=positive, default=samples, help="(default %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of the first sample (default 0)")
    parser.add_argument(
        "--truncation", type=float, default=1.0, metavar="PSI", help="of the samples (default 1)"
    )
    add_device(parser)


def add_device(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--device", default="cpu", help="cpu or cuda:N (default cpu)")


AUTO = "auto"


def add_layers(parser: argparse.ArgumentParser, *more: str) -> None:
    names = ", ".join(("all", "structure", "features", "colours", *more))
    parser.add_argument(
        "--layers", default="all", help=f"styles to act on: {names}, or such as 0-3,7 (default all)"
    )


def add_scorers(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--scorer",
        action="append",
        default=[],
        metavar="NAME=FILE[:K]",
        help="a further attribute: output K of a TorchScript or ONNX network that takes RGB "
        "[N, 3, H, W] in -1..1; may be repeated",
    )
    parser.add_argument(
        "--judge",
        action="append",
        default=[],
        metavar="NAME=FILE[:K]",
        help="another network for the same attribute, which directions are checked with",
    )


def positive(text: str) -> int:
    """A whole number above 0."""
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text} must be at least 1")
    return value
