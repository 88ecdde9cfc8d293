"""`inpaint-model directions ...`: find, import, check and name the edits of a bundle."""

from __future__ import annotations

import argparse

from inpaint_model.cli.parts import add_parts, run

__all__ = ["add_arguments", "run"]

PARTS = {
    "auto": "fit, check and report every attribute: svm and check in one",
    "svm": "fit directions to attribute scores of samples (InterFaceGAN)",
    "sefa": "what changes the styles of given layers most (closed form)",
    "pca": "principal components of the codes (GANSpace)",
    "import": "take directions from a published file, or from another bundle",
    "label": "mark samples on a page in the browser, then fit to the marks",
    "check": "measure what directions do, and offer those that pass",
    "list": "show, rename or remove directions",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the parts of `directions`, with their options."""
    add_parts(parser, "directions", PARTS, "what to do", add_bundle)


def add_bundle(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("bundle", metavar="BUNDLE", help="a bundle's folder or a model's name")
