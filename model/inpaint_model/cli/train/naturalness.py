"""Fit what judges how natural a model's fills look, and add it to a bundle.

  inpaint-model train naturalness --bundle runs/fill/bundle --data faces.zip:train

It learns to tell images of faces in FFHQ's alignment from fills in them. Daemons then report how
natural each candidate looks, and editors show the most natural one first. Fit it last: it judges
only the fills of this model. It takes about ten minutes on a CPU.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from inpaint_model.cli.train import training_run
from inpaint_model.cli.train.training_run import describe
from inpaint_model.data import devices
from inpaint_model.training.ranges import whole

if TYPE_CHECKING:
    from torch import Tensor

PSI = 0.8  # truncation of the fills, as in products


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("--bundle", type=Path, required=True, help="bundle that it is added to")
    training_run.add_data_arguments(parser, required=True, use="in which holes are filled")
    parser.add_argument(
        "--images",
        type=whole(10, 10**6),
        default=2000,
        metavar="N",
        help="number of images to fill (default: 2000)",
    )
    parser.add_argument(
        "--seed", type=whole(0, 2**31), default=0, metavar="N", help="random seed (default: 0)"
    )
    parser.add_argument(
        "--threads", type=whole(1, 1024), metavar="N", help="number of CPU threads to use"
    )
    parser.add_argument("--device", default="auto", help=f"{devices.HELP} (default: auto)")
    parser.add_argument("--dry-run", action="store_true", help="print the options without fitting")


def run(args: argparse.Namespace) -> int:
    """Run the command."""
    from inpaint_model.bundle.manifest import read_bundle
    from inpaint_model.bundle.writer import add_naturalness
    from inpaint_model.data.image_tensors import from_unit, to_uint8
    from inpaint_model.data.sampler import Sampler
    from inpaint_model.inference.inpainter import load_bundle
    from inpaint_model.training.naturalness import fit, pairs_of

    info = read_bundle(args.bundle)
    if info.card.alignment != "ffhq":
        raise ValueError(
            f"{args.bundle} is of images with the alignment {info.card.alignment!r}; naturalness "
            "can be judged only of faces in the alignment 'ffhq'"
        )
    if args.dry_run:
        keys = ("bundle", "images", "seed")
        print(describe(training_run.data_plan(args) | {key: getattr(args, key) for key in keys}))
        return 0
    device, _ = training_run.start_device(args)
    images, weights = training_run.load_data(args, info.generator_config.resolution)
    inpainter = load_bundle(args.bundle, device)

    def fill(image: Tensor, hole: Tensor, seed: int) -> Tensor:
        encoding = inpainter.encode(to_uint8(image)[0], hole[0, 0].byte().numpy())
        return from_unit(inpainter.render(encoding, inpainter.sample(encoding, [seed], PSI)))

    sampler = Sampler(len(images), args.seed, weights)
    fitted = fit(pairs_of(images, sampler, args.images, args.seed, fill))
    add_naturalness(args.bundle, fitted.head, round(fitted.right, 3))
    print(
        f"{args.bundle} now judges how natural its fills look: {fitted.right:.1%} of the images "
        "that it had not seen scored higher than their fills"
    )
    return 0
