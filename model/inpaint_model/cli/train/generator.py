"""Train a StyleGAN2 generator.

  inpaint-model train generator --data faces.zip:train --preset compact-256 --out runs/faces
  inpaint-model train generator --data faces.zip:train --from runs/faces/bundle --out runs/more
  inpaint-model train generator --data faces.zip:train more.zip:train --weights weights.csv ...
  inpaint-model train generator --data faces.zip:train --feature-networks lite0.pt --out runs/lite
  inpaint-model train generator --data labeled.zip --cond --preset compact-256 --out runs/classes
  torchrun --nproc-per-node 4 -m inpaint_model.cli.main train generator ...

When started again with the same --out, training continues.
"""

from __future__ import annotations

import argparse
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING

from inpaint_model.cli.train import training_run
from inpaint_model.cli.train.training_run import describe
from inpaint_model.training.ranges import whole

if TYPE_CHECKING:
    from inpaint_model.networks.discriminator import Discriminator
    from inpaint_model.networks.generator import Generator


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    from inpaint_model.training.options import add_options
    from inpaint_model.training.settings import GeneratorTraining

    training_run.add_data_arguments(parser, required=True, use="to train on")
    training_run.add_common_arguments(parser)
    parser.add_argument(
        "--preset", default="compact-256", help="preset of network sizes (default: compact-256)"
    )
    parser.add_argument(
        "--from",
        dest="start",
        type=Path,
        metavar="BUNDLE|CHECKPOINT",
        help="generator to start from, with the same resolution",
    )
    parser.add_argument(
        "--grow-from",
        type=Path,
        metavar="BUNDLE",
        help="generator to start from, with half the resolution",
    )
    parser.add_argument(
        "--reduce",
        type=whole(1, 1024),
        default=1,
        metavar="N",
        help="train at the preset's resolution / N; grow the result with --grow-from (default: 1)",
    )
    parser.add_argument(
        "--features",
        type=Path,
        metavar="FILE",
        help="TorchScript network for comparing images with --vae-weight",
    )
    parser.add_argument(
        "--cond",
        action="store_true",
        help="train with the classes in the dataset.json next to the images",
    )
    training_run.add_feature_network_argument(parser)
    parser.add_argument(
        "--with-discriminator",
        action="store_true",
        help="with --feature-networks: train against the StyleGAN2 discriminator as well",
    )
    add_options(parser, GeneratorTraining)


def run(args: argparse.Namespace) -> int:
    """Run the command."""
    import torch

    from inpaint_model.bundle.manifest import Card
    from inpaint_model.data.labels import read_classes
    from inpaint_model.networks.config import to_dict
    from inpaint_model.training import distributed
    from inpaint_model.training.autoencoding import VariationalEncoder, find_encoder
    from inpaint_model.training.deadline import Deadline
    from inpaint_model.training.generator_loop import train_generator
    from inpaint_model.training.options import options_from
    from inpaint_model.training.perceptual_loss import PerceptualLoss, load_torchscript
    from inpaint_model.training.run_folder import RunFolder
    from inpaint_model.training.settings import GeneratorTraining

    options = options_from(args, GeneratorTraining)
    deadline = Deadline(options.max_minutes)  # includes loading
    if args.features and not options.vae_weight:
        raise ValueError("--features needs --vae-weight: give --vae-weight as well, for example 2")
    if args.with_discriminator and not args.feature_networks:
        raise ValueError("--with-discriminator needs --feature-networks: give both")
    if args.cond and args.feature_networks and not args.with_discriminator:
        raise ValueError(
            "--cond needs a discriminator that uses labels, which projected discriminators do "
            "not: give --with-discriminator too"
        )
    classes = read_classes(args.data) if args.cond else None
    c_dim = classes.count if classes is not None else 0
    G, D = _networks(args, options.seed, c_dim)
    start, nimg = args.start or args.grow_from, 0
    if start and (start / "model.yaml").exists():
        from inpaint_model.bundle.manifest import read_bundle

        info = read_bundle(start)
        if info.kind == "generator":  # an inpainter's trained_kimg counts its own training
            nimg = int(info.card.trained_kimg * 1000)
    R = G.config.resolution
    P = training_run.projected_discriminator(args, R, options.bf16, [start])
    plan = asdict(options) | training_run.data_plan(args)
    plan |= {"start": start, "generator": to_dict(G.config)}
    plan |= {"feature_networks": args.feature_networks, "cond": args.cond}
    if args.dry_run:
        print(describe(plan))
        return 0
    device, world = training_run.start_device(args)
    images, weights = training_run.load_data(args, G.config.resolution)
    if classes is not None:
        images = classes.given_to(images)
        print(f"the images have {classes.count} classes")
    E, perceptual = None, None
    if options.vae_weight:
        with torch.random.fork_rng():
            torch.manual_seed(options.seed)
            E = VariationalEncoder(G.config.z_dim)
        if start and not find_encoder(E, start):
            print(f"no encoder found next to {start}: training a new one")
        if args.features:
            dtype = torch.bfloat16 if options.bf16 else torch.float32
            features = load_torchscript(args.features, dtype)
            perceptual = PerceptualLoss(features, options.perceptual_side or None)
    folder = RunFolder(args.out)
    if world.is_main:
        folder.write_options(plan)
    with training_run.remedies(options.batch_size), training_run.ended_by_signals(deadline):
        train_generator(
            options,
            G,
            D if P is None or args.with_discriminator else None,
            images,
            folder,
            P=P,
            E=E,
            perceptual=perceptual,
            weights=weights,
            card=Card(
                name=args.name or args.out.name,
                alignment=training_run.alignment_of(start),
                licence=args.license,
                provenance=args.provenance,
            ),
            device=device,
            world=world,
            start_nimg=nimg,
            pretrained=start is not None,
            deadline=deadline,
        )
    distributed.stop(world)
    return 0


def _networks(args: argparse.Namespace, seed: int, c_dim: int) -> tuple[Generator, Discriminator]:
    """Return new networks, those of --from, or grown ones."""
    import torch

    from inpaint_model.importing import import_checkpoint
    from inpaint_model.networks.discriminator import Discriminator
    from inpaint_model.networks.generator import Generator
    from inpaint_model.networks.presets import preset, reduced
    from inpaint_model.training.growing import grow_discriminator, grow_generator

    sizes = reduced(preset(args.preset), args.reduce)
    discriminator = replace(sizes.discriminator, c_dim=c_dim)
    discriminator = replace(discriminator, cmap_dim=discriminator.channels[0] if c_dim else 0)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        G, D = Generator(replace(sizes.generator, c_dim=c_dim)), Discriminator(discriminator)
        if args.start:
            checkpoint = import_checkpoint(args.start)
            G = checkpoint.generator
            _check_classes(args.start, G.config.c_dim, c_dim)
            R, channels = G.config.resolution, G.config.channels
            cmap_dim = channels[0] if c_dim else 0
            discriminator = replace(
                discriminator, resolution=R, channels=channels, cmap_dim=cmap_dim
            )
            D = checkpoint.discriminator or Discriminator(discriminator)
        elif args.grow_from:
            checkpoint = import_checkpoint(args.grow_from)
            _check_classes(args.grow_from, checkpoint.generator.config.c_dim, c_dim)
            grow_generator(G, checkpoint.generator)
            if checkpoint.discriminator is not None:
                grow_discriminator(D, checkpoint.discriminator)
    return G, D


def _check_classes(start: Path, theirs: int, ours: int) -> None:
    if theirs and not ours:
        raise ValueError(
            f"{start} is a generator with {theirs} classes: give --cond and images with labels"
        )
    if ours and not theirs:
        raise ValueError(f"{start} is a generator without classes: leave out --cond")
    if ours != theirs:
        raise ValueError(
            f"{start} is a generator with {theirs} classes and the images have {ours}: give "
            "images with the same number of classes"
        )
