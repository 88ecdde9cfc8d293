"""`inpaint-model directions`: find, import, check and name directions."""

from __future__ import annotations

import argparse

from inpaint_model.cli import parts
from inpaint_model.cli.parts import add_parts

__all__ = ["add_arguments", "run"]

PARTS = {
    "auto": "fit directions for all attributes, check them and write a report",
    "svm": "fit directions to attribute scores of samples (InterFaceGAN)",
    "sefa": "find the directions that change given styles most (SeFa)",
    "pca": "find the principal components of the codes (GANSpace)",
    "import": "import directions from a published file or another bundle",
    "label": "mark samples on a page in the browser, then fit a direction to the marks",
    "check": "measure the effects of directions, and offer those that pass",
    "list": "show, rename or remove directions",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the parts."""
    add_parts(parser, "directions", PARTS, "what to do", add_bundle)


def run(args: argparse.Namespace) -> int:
    """Run the chosen part, if the bundle's model can be edited at all."""
    from inpaint_model.bundle.direction_store import check_editable
    from inpaint_model.bundle.manifest import find_bundle, read_bundle

    check_editable(read_bundle(find_bundle(args.bundle)))
    return parts.run(args)


def add_bundle(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "bundle", metavar="BUNDLE", help="folder of a bundle, or name of a bundled model"
    )
