"""`inpaint-model directions ...`: find, import, check and name the edits of a bundle."""

from __future__ import annotations

import argparse
from importlib import import_module

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
    parts = parser.add_subparsers(title="what to do", metavar="ACTION", required=True)
    for part, meaning in PARTS.items():
        module = import_module(f"inpaint_model.commands.directions_{part}")
        own = parts.add_parser(part, help=meaning, description=meaning)
        own.add_argument("bundle", metavar="BUNDLE", help="a bundle's folder or a model's name")
        module.add_arguments(own)
        own.set_defaults(run_part=module.run)


def run(args: argparse.Namespace) -> int:
    status: int = args.run_part(args)
    return status
