r"""Train the networks that fill holes with a generator. It generates the training images itself.

  inpaint-model train inpainter --generator runs/faces/bundle --preset compact-256 --out runs/fill
  inpaint-model train inpainter --generator ffhq256.pkl --preset paper-256 \
      --vgg16 vgg16.safetensors --out runs/paper
  inpaint-model train inpainter --generator runs/lite/bundle --out runs/lite-fill \
      --feature-networks lite0.pt --lambda-projected 0.1 --lambda-adversarial 0 --features vgg19.pt

When started again with the same --out, training continues.
"""

from __future__ import annotations

import argparse
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from inpaint_model.cli.train import training_run
from inpaint_model.cli.train.training_run import describe
from inpaint_model.networks.config import ARCHS

if TYPE_CHECKING:
    import torch

    from inpaint_model.networks.discriminator import Discriminator
    from inpaint_model.training.perceptual_loss import Features


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    from inpaint_model.training.options import add_options
    from inpaint_model.training.settings import InpainterTraining

    parser.add_argument(
        "--generator",
        type=Path,
        required=True,
        metavar="BUNDLE|CHECKPOINT",
        help="generator to fill with; it is not trained",
    )
    training_run.add_common_arguments(parser)
    parser.add_argument(
        "--preset", default="compact-256", help="preset of network sizes (default: compact-256)"
    )
    parser.add_argument(
        "--arch",
        default="hierarchical",
        choices=ARCHS,
        help="network architecture, a row of the paper's tables (default: hierarchical)",
    )
    parser.add_argument(
        "--init",
        type=Path,
        metavar="BUNDLE",
        help="inpainter to start from, at most as large as the new one; its generator is not used",
    )
    training_run.add_feature_network_argument(parser)
    backbone = parser.add_mutually_exclusive_group()
    backbone.add_argument(
        "--vgg16", type=Path, metavar="FILE", help="VGG16 weights for the paper's perceptual loss"
    )
    backbone.add_argument(
        "--features", type=Path, metavar="FILE", help="TorchScript network for the perceptual loss"
    )
    training_run.add_data_arguments(parser, required=False, use="for --real-fraction")
    add_options(parser, InpainterTraining)


def run(args: argparse.Namespace) -> int:
    """Run the command."""
    import torch

    from inpaint_model.baselines.archs import make_model
    from inpaint_model.bundle.manifest import Card, read_bundle
    from inpaint_model.bundle.weights import load_model
    from inpaint_model.data.labels import read_classes
    from inpaint_model.importing import import_checkpoint
    from inpaint_model.networks.config import to_dict
    from inpaint_model.networks.presets import inpainting_config, preset
    from inpaint_model.training import distributed
    from inpaint_model.training.deadline import Deadline
    from inpaint_model.training.growing import grow_inpainter
    from inpaint_model.training.inpainter_loop import train_inpainter
    from inpaint_model.training.options import options_from
    from inpaint_model.training.perceptual_loss import PerceptualLoss
    from inpaint_model.training.run_folder import RunFolder
    from inpaint_model.training.settings import InpainterTraining

    options = options_from(args, InpainterTraining)
    deadline = Deadline(options.max_minutes)  # includes loading
    checkpoint = import_checkpoint(args.generator)
    _check_adversaries(args, checkpoint.discriminator)
    config = inpainting_config(preset(args.preset), args.arch, checkpoint.generator.config)
    with torch.random.fork_rng():
        torch.manual_seed(options.seed)
        model = make_model(config, checkpoint.generator)
    nimg = 0
    if args.init:  # without its generator, which may differ from --generator
        info = read_bundle(args.init)
        fresh = grow_inpainter(model, load_model(info))
        print(f"started from {args.init}; {len(fresh)} tensors are newly initialized")
        nimg = int(info.card.trained_kimg * 1000)
    model.estimate_w_statistics()
    plan = asdict(options) | training_run.data_plan(args)
    plan |= {"generator": args.generator, "arch": args.arch, "init": args.init}
    plan["feature_networks"] = args.feature_networks
    if args.dry_run:
        print(describe(plan | {"config": to_dict(config)}))
        return 0
    device, world = training_run.start_device(args)
    P = training_run.projected_discriminator(
        args, config.generator.resolution, options.bf16, [args.init, args.generator]
    )
    folder = RunFolder(args.out)
    if world.is_main:
        folder.write_options(plan)
    features = _features(args, checkpoint.discriminator, device)
    perceptual = PerceptualLoss(features, options.perceptual_side or None)
    images, weights = None, None
    if args.data:
        images, weights = training_run.load_data(args, config.generator.resolution)
        D = checkpoint.discriminator
        if D is not None and D.config.c_dim and options.lambda_adversarial:
            images = read_classes(args.data).given_to(images)
    with training_run.remedies(options.batch_size), training_run.ended_by_signals(deadline):
        train_inpainter(
            options,
            model,
            checkpoint.discriminator,
            perceptual,
            folder,
            P=P,
            images=images,
            weights=weights,
            card=Card(
                name=args.name or args.out.name,
                alignment=training_run.alignment_of(args.generator),
                licence=args.license,
                provenance=args.provenance,
            ),
            device=device,
            world=world,
            start_nimg=nimg,
            directions_from=[path for path in (args.generator, args.init) if path],
            deadline=deadline,
        )
    distributed.stop(world)
    return 0


def _check_adversaries(args: argparse.Namespace, D: Discriminator | None) -> None:
    """Raise ValueError if a loss lacks its network."""
    if bool(args.lambda_projected) != bool(args.feature_networks):
        raise ValueError(
            "--lambda-projected and --feature-networks belong together: give both or neither"
        )
    if D is None and args.lambda_adversarial:
        raise ValueError(
            f"{args.generator} holds no StyleGAN2 discriminator, which the adversarial loss "
            "needs; give a training checkpoint that holds one, or --lambda-adversarial 0 "
            "and --feature-networks with --lambda-projected"
        )
    if D is None and not args.vgg16 and not args.features:
        raise ValueError(
            f"the perceptual loss needs a discriminator, and {args.generator} holds none: "
            "give --features or --vgg16"
        )


def _features(args: argparse.Namespace, D: Discriminator | None, device: torch.device) -> Features:
    import torch

    from inpaint_model.training.perceptual_loss import (
        discriminator_features,
        load_torchscript,
        load_vgg16,
    )

    dtype = torch.bfloat16 if args.bf16 else torch.float32
    if args.vgg16:
        return load_vgg16(args.vgg16, dtype).to(device)
    if args.features:
        return load_torchscript(args.features, dtype)
    assert D is not None  # checked above
    return discriminator_features(D.to(device), dtype)
