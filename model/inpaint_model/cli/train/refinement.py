"""Train the network that refines fills, for example their eyes, and add it to a bundle.

  inpaint-model train refinement --bundle runs/fill/bundle --data faces.zip:train \
      --feature-networks efficientnet.pt --out runs/refinement

It learns from fills of the bundle's model in images in its alignment. Train it last: it fits only
this model. In models of faces in FFHQ's alignment it changes only eyes and mouth. Without
--feature-networks fills stay soft. When started again with the same --out, training continues.
"""

from __future__ import annotations

import argparse
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING

from inpaint_model.cli.train import training_run
from inpaint_model.cli.train.training_run import describe
from inpaint_model.data import devices

if TYPE_CHECKING:
    from inpaint_model.networks.refinement_network import RefinementNetwork
    from inpaint_model.training.refinement.examples import RefinementExamples


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    from inpaint_model.training.options import add_options
    from inpaint_model.training.settings import RefinementTraining

    training_run.add_part_arguments(parser, "refinement network")
    training_run.add_data_arguments(parser, required=True, use="in which holes are filled")
    parser.add_argument(
        "--init",
        type=Path,
        metavar="BUNDLE",
        help="start from the refinement network of this bundle (default: random weights)",
    )
    training_run.add_feature_network_argument(parser)
    parser.add_argument("--device", default="auto", help=f"{devices.HELP} (default: auto)")
    add_options(parser, RefinementTraining)


def run(args: argparse.Namespace) -> int:
    """Run the command."""
    from inpaint_model.bundle.manifest import read_bundle
    from inpaint_model.bundle.weights import load_model, load_refinement
    from inpaint_model.bundle.writer import add_refinement
    from inpaint_model.data.sampler import Sampler
    from inpaint_model.inference.freeze import freeze_for_inference
    from inpaint_model.networks.refinement_network import RefinementConfig
    from inpaint_model.training.deadline import Deadline
    from inpaint_model.training.options import options_from
    from inpaint_model.training.refinement.examples import FACE, RefinementInputs
    from inpaint_model.training.refinement.loop import Judges, train_refinement
    from inpaint_model.training.run_folder import RunFolder
    from inpaint_model.training.settings import RefinementTraining

    options = options_from(args, RefinementTraining)
    init = load_refinement(read_bundle(args.init)) if args.init else None
    if args.init and init is None:
        raise ValueError(
            f"{args.init} has no refinement network; leave out --init to train a new one"
        )
    deadline = Deadline(options.max_minutes)  # includes loading
    info = read_bundle(args.bundle)
    config = RefinementConfig(places=FACE if info.card.alignment == "ffhq" else ())
    if init is not None:
        config = replace(init.config, places=config.places)
    resolution = info.generator_config.resolution
    options = replace(options, crop=min(options.crop, resolution))
    step = 1 << (len(config.widths) - 1)
    if options.crop % step:
        raise ValueError(f"--crop {options.crop} must be a multiple of {step} px")
    plan = asdict(options) | training_run.data_plan(args)
    plan |= {key: getattr(args, key) for key in ("bundle", "init", "feature_networks")}
    plan["refinement"] = config.to_dict()
    if args.dry_run:
        print(describe(plan))
        return 0
    device, _ = training_run.start_device(args)
    whole, close = (
        training_run.projected_discriminator(args, options.crop, options.bf16, mixing=mixing)
        for mixing in (0, 1)
    )
    images, weights = training_run.load_data(args, resolution)
    model = freeze_for_inference(load_model(info), device, "bf16" if options.bf16 else "fp32")
    inputs = RefinementInputs(
        model,
        images,
        Sampler(len(images), options.seed, weights),
        options.crop,
        options.seed,
        device,
        config.places,
    )
    folder = RunFolder(args.out)
    folder.write_options(plan)

    def draw(network: RefinementNetwork, examples: RefinementExamples, kimg: float) -> None:
        from inpaint_model.training.refinement.sheet import sheet_of

        sheet_of(network, examples).save(args.out / f"refinement{round(kimg):06d}.png")

    judges = None if whole is None or close is None else Judges(whole, close)
    with training_run.remedies(options.batch_size), training_run.ended_by_signals(deadline):
        network = train_refinement(
            options, config, inputs, folder,
            start=init, judges=judges, on_snapshot=draw, deadline=deadline,
        )  # fmt: skip
    if deadline.stopped:  # to be continued: do not replace the bundle's network yet
        return 0
    add_refinement(args.bundle, network)
    print(f"{args.bundle} now refines its fills")
    return 0
