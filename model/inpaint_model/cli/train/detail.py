"""Train the network that adds detail to enlarged fills, and add it to a bundle.

  inpaint-model train detail --bundle runs/fill/bundle --data photographs.zip:train \
      --feature-networks efficientnet.pt --out runs/detail

It learns from parts of any sharp images, such as those of the generator, in which holes are filled
softly. The fill of a model is then enlarged to two or four times its resolution where the document
is finer. Without --feature-networks its detail stays soft. When started again with the same --out,
training continues.
"""

from __future__ import annotations

import argparse
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from inpaint_model.cli.train import training_run
from inpaint_model.cli.train.training_run import describe
from inpaint_model.data import devices
from inpaint_model.training.ranges import whole

if TYPE_CHECKING:
    from inpaint_model.networks.detail_network import DetailNetwork
    from inpaint_model.training.detail.examples import DetailExamples


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    from inpaint_model.training.options import add_options
    from inpaint_model.training.settings import DetailTraining

    training_run.add_part_arguments(parser, "detail network")
    training_run.add_data_arguments(parser, required=True, use="whose detail is learned")
    parser.add_argument(
        "--side",
        type=whole(32),
        default=256,
        metavar="PX",
        help="read images at this size; smaller ones are enlarged and have no detail "
        "(default: 256)",
    )
    parser.add_argument(
        "--init",
        type=Path,
        metavar="BUNDLE",
        help="start from the detail network of this bundle (default: random weights)",
    )
    training_run.add_feature_network_argument(parser)
    parser.add_argument("--device", default="auto", help=f"{devices.HELP} (default: auto)")
    add_options(parser, DetailTraining)


def run(args: argparse.Namespace) -> int:
    """Run the command."""
    from inpaint_model.bundle.manifest import read_bundle
    from inpaint_model.bundle.weights import load_detail
    from inpaint_model.bundle.writer import add_detail
    from inpaint_model.networks.detail_network import DetailConfig
    from inpaint_model.training.deadline import Deadline
    from inpaint_model.training.detail.loop import train_detail
    from inpaint_model.training.options import options_from
    from inpaint_model.training.run_folder import RunFolder
    from inpaint_model.training.settings import DetailTraining

    options = options_from(args, DetailTraining)
    init = load_detail(read_bundle(args.init)) if args.init else None
    if args.init and init is None:
        raise ValueError(f"{args.init} has no detail network; leave out --init to train a new one")
    config = DetailConfig() if init is None else init.config
    deadline = Deadline(options.max_minutes)  # includes loading
    if args.side < options.crop:
        raise ValueError(
            f"parts of {options.crop} px do not fit: give --side {options.crop} or more"
        )
    read_bundle(args.bundle)
    plan = asdict(options) | training_run.data_plan(args)
    plan |= {key: getattr(args, key) for key in ("bundle", "side", "init", "feature_networks")}
    plan["detail"] = config.to_dict()
    if args.dry_run:
        print(describe(plan))
        return 0
    device, _ = training_run.start_device(args)
    P = training_run.projected_discriminator(args, options.crop, options.bf16)
    images, weights = training_run.load_data(args, args.side)
    folder = RunFolder(args.out)
    folder.write_options(plan)

    def draw(network: DetailNetwork, examples: DetailExamples, kimg: float) -> None:
        from inpaint_model.training.detail.sheet import sheet_of

        sheet_of(network, examples).save(args.out / f"detail{round(kimg):06d}.png")

    with training_run.remedies(options.batch_size), training_run.ended_by_signals(deadline):
        network = train_detail(
            options, config, images, folder,
            start=init, P=P, weights=weights, device=device, on_snapshot=draw, deadline=deadline,
        )  # fmt: skip
    if deadline.stopped:  # to be continued: do not replace the bundle's network yet
        return 0
    add_detail(args.bundle, network)
    print(f"{args.bundle} can now add detail to its fills")
    return 0
