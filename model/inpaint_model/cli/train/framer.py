"""Train the network that finds the frame around a hole, and add it to a bundle.

  inpaint-model train framer --bundle runs/fill/bundle --data faces.zip:train --out runs/framer
  inpaint-model train framer --bundle runs/fill/bundle --out runs/framer

No labels are needed: images in the generator's alignment (without --data, samples of the generator)
are pasted onto synthetic backgrounds. When started again with the same --out, training continues.
"""

from __future__ import annotations

import argparse
from dataclasses import asdict
from typing import TYPE_CHECKING

from inpaint_model.cli.train import training_run
from inpaint_model.cli.train.training_run import describe
from inpaint_model.training.ranges import whole

if TYPE_CHECKING:
    from torch import Tensor

    from inpaint_model.bundle.manifest import BundleInfo


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    from inpaint_model.training.options import add_options
    from inpaint_model.training.settings import FramerTraining

    training_run.add_part_arguments(parser, "framer")
    training_run.add_data_arguments(
        parser, required=False, use="to paste into scenes (default: samples of the generator)"
    )
    parser.add_argument(
        "--samples",
        type=whole(1),
        default=2000,
        metavar="N",
        help="number of samples to draw without --data (default: 2000)",
    )
    add_options(parser, FramerTraining)


def run(args: argparse.Namespace) -> int:
    """Run the command."""
    import torch

    from inpaint_model.bundle.manifest import read_bundle
    from inpaint_model.bundle.writer import add_framer
    from inpaint_model.training.deadline import Deadline
    from inpaint_model.training.framer.loop import FRAMER, IMAGE_PX, train_framer
    from inpaint_model.training.framer.scenes import Images
    from inpaint_model.training.options import options_from
    from inpaint_model.training.run_folder import RunFolder
    from inpaint_model.training.settings import FramerTraining

    options = options_from(args, FramerTraining)
    deadline = Deadline(options.max_minutes)  # includes loading
    info = read_bundle(args.bundle)
    plan = asdict(options) | training_run.data_plan(args)
    plan |= {"bundle": args.bundle, "framer": FRAMER.to_dict()}
    if args.dry_run:
        print(describe(plan))
        return 0
    if args.threads:
        torch.set_num_threads(args.threads)
    if args.data:
        aligned, weights = training_run.load_data(args, IMAGE_PX)
        images = Images(aligned.pixels, weights)
    else:
        images = Images(_samples(info, args.samples, IMAGE_PX, options.seed))
        print(f"{len(images)} aligned images")
    folder = RunFolder(args.out)
    folder.write_options(plan)
    with training_run.remedies(options.batch_size), training_run.ended_by_signals(deadline):
        framer = train_framer(options, FRAMER, images, folder, deadline=deadline)
    if deadline.stopped:  # to be continued: do not replace the bundle's framer yet
        return 0
    add_framer(args.bundle, framer)
    print(f"{args.bundle} can now find frames")
    return 0


def _samples(info: BundleInfo, count: int, side: int, seed: int) -> Tensor:
    """Return samples, uint8 [N, 3, side, side]."""
    import torch
    import torch.nn.functional as F
    from tqdm import tqdm

    from inpaint_model.bundle.weights import load_generator

    generator = load_generator(info)
    random = torch.Generator().manual_seed(seed)
    images = []
    with torch.inference_mode():
        for start in tqdm(range(0, count, 16), "sampling", disable=None):
            z = torch.randn(min(16, count - start), generator.config.z_dim, generator=random)
            labels = torch.zeros(len(z), generator.config.c_dim) if generator.config.c_dim else None
            drawn = generator.synthesis(generator.mapping(z, labels, truncation_psi=0.9))
            sized = F.interpolate(drawn, (side, side), mode="bicubic", antialias=True)
            images.append(((sized.clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8))
    return torch.cat(images)
