"""`inpaint-model import`: convert a checkpoint to a bundle."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument(
        "source",
        type=Path,
        metavar="SRC",
        help="StyleGAN2 checkpoint (.pkl, .pt or .safetensors) in the layout of "
        "stylegan2-ada-pytorch and stylegan3, or of rosinality's stylegan2-pytorch and the pSp "
        "family; code in it is never executed",
    )
    parser.add_argument(
        "--out", type=Path, required=True, metavar="BUNDLE", help="folder to create"
    )
    parser.add_argument("--name", help="name of the model in requests (default: the folder's name)")
    parser.add_argument("--title", default="", help="name of the model in user interfaces")
    parser.add_argument("--license", default="unknown", help="license of the weights")
    parser.add_argument(  # former spelling
        "--licence", dest="license", default=argparse.SUPPRESS, help=argparse.SUPPRESS
    )
    parser.add_argument(
        "--alignment", default="ffhq", help="alignment of its training images (default: ffhq)"
    )
    parser.add_argument("--replace", action="store_true", help="replace an existing bundle")


def run(args: argparse.Namespace) -> int:
    """Run the command."""
    out: Path = args.out
    _check_free(out, args.replace)

    from inpaint_model.bundle.manifest import Card
    from inpaint_model.bundle.writer import save_bundle
    from inpaint_model.cli.describe import size_line
    from inpaint_model.importing import import_checkpoint

    checkpoint = import_checkpoint(args.source)
    source = checkpoint.source
    name = args.name or out.resolve().name
    card = Card(
        name=name,
        title=args.title,
        alignment=args.alignment,
        licence=args.license,
        provenance=f"imported from {source.path.name} ({source.format}, sha256 {source.sha256})",
    )
    save_bundle(out, checkpoint.generator, card, discriminator=checkpoint.discriminator)
    for note in source.notes:
        print(f"note: {note}", file=sys.stderr)
    print(f"{out}: {size_line(checkpoint.generator.config)}")
    return 0


def _check_free(out: Path, replace: bool) -> None:
    if not out.exists() or (out.is_dir() and not any(out.iterdir())):
        return
    if not (out / "model.yaml").is_file():
        raise ValueError(f"{out} exists and is not a bundle; choose another --out")
    if not replace:
        raise ValueError(f"{out} exists; give --replace to replace it, or choose another --out")
