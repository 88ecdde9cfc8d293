"""Train a StyleGAN2 generator.

  inpaint-model train generator --data faces.zip:train --preset compact-256 --out runs/faces
  inpaint-model train generator --data faces.zip:train --from runs/faces/bundle --out runs/more
  inpaint-model train generator --data faces.zip:train more.zip:train --weights weights.csv ...
  inpaint-model train generator --data faces.zip:train --feature-networks lite0.pt --out runs/faces
  torchrun --nproc-per-node 4 -m inpaint_model.cli train generator ...

Started again with the same --out, a run continues where it was.
"""

from __future__ import annotations

import argparse
from dataclasses import asdict, replace
from pathlib import Path

from inpaint_model.commands import training_run
from inpaint_model.commands.training_run import describe


def add_arguments(parser: argparse.ArgumentParser) -> None:
    from inpaint_model.training.options import add_options
    from inpaint_model.training.settings import GeneratorTraining

    training_run.add_data_arguments(parser, required=True, use="to learn from")
    training_run.add_common_arguments(parser)
    parser.add_argument("--preset", default="compact-256", help="sizes (default: compact-256)")
    parser.add_argument(
        "--from", dest="start", type=Path, metavar="BUNDLE|CHECKPOINT", help="train on from this"
    )
    parser.add_argument(
        "--grow-from", type=Path, metavar="BUNDLE", help="start from a generator of half the size"
    )
    parser.add_argument(
        "--reduce",
        type=int,
        default=1,
        metavar="N",
        help="train at the preset's resolution / N; grow the result with --grow-from (default: 1)",
    )
    parser.add_argument(
        "--features",
        type=Path,
        metavar="FILE",
        help="TorchScript network by which --autoencoder-weight compares pictures",
    )
    training_run.add_feature_network_argument(parser)
    parser.add_argument(
        "--with-discriminator",
        action="store_true",
        help="with --feature-networks: play against the StyleGAN2 discriminator as well",
    )
    add_options(parser, GeneratorTraining)


def run(args: argparse.Namespace) -> int:
    import torch

    from inpaint_model.bundle import Card
    from inpaint_model.config import preset, reduced, to_dict
    from inpaint_model.discriminator import Discriminator
    from inpaint_model.generator import Generator
    from inpaint_model.importing import import_checkpoint
    from inpaint_model.perceptual import PerceptualLoss, load_torchscript
    from inpaint_model.training import distributed
    from inpaint_model.training.autoencoding import VariationalEncoder, find_encoder
    from inpaint_model.training.deadline import Deadline
    from inpaint_model.training.generator_loop import train_generator
    from inpaint_model.training.growing import grow_discriminator, grow_generator
    from inpaint_model.training.options import options_from
    from inpaint_model.training.run_folder import RunFolder
    from inpaint_model.training.settings import GeneratorTraining

    options = options_from(args, GeneratorTraining)
    deadline = Deadline(options.max_minutes)  # loading counts
    if args.features and not options.autoencoder_weight:
        raise ValueError(
            "--features compares reconstructions: give --autoencoder-weight as well, 2 say"
        )
    if args.with_discriminator and not args.feature_networks:
        raise ValueError("--with-discriminator adds to --feature-networks: give those as well")
    sizes = reduced(preset(args.preset), args.reduce)
    start = args.start or args.grow_from
    nimg = 0
    with torch.random.fork_rng():
        torch.manual_seed(options.seed)
        G = Generator(sizes.generator)
        D: Discriminator | None = Discriminator(sizes.discriminator)
        if args.start:
            checkpoint = import_checkpoint(args.start)
            G = checkpoint.generator
            small = replace(sizes.discriminator, resolution=G.config.resolution)
            D = checkpoint.discriminator or Discriminator(
                replace(small, channels=G.config.channels, c_dim=G.config.c_dim)
            )
        elif args.grow_from:
            checkpoint = import_checkpoint(args.grow_from)
            grow_generator(G, checkpoint.generator)
            if D is not None and checkpoint.discriminator is not None:
                grow_discriminator(D, checkpoint.discriminator)
    if G.config.c_dim:
        raise ValueError(f"{start}: conditional generators can be used, but not trained on")
    if start and (start / "model.yaml").exists():
        from inpaint_model.bundle import read_bundle

        info = read_bundle(start)
        if info.kind == "generator":  # that of an inpainter counts the inpainter's images
            nimg = int(info.card.trained_kimg * 1000)
    R = G.config.resolution
    P = training_run.projected_discriminator(args, R, options.seed, options.bf16, [start])
    if P is not None and not args.with_discriminator:
        D = None
    plan = asdict(options) | training_run.data_plan(args)
    plan |= {"start": start, "generator": to_dict(G.config)}
    plan["feature_networks"] = args.feature_networks
    if args.dry_run:
        print(describe(plan))
        return 0
    device, world = training_run.start_device(args)
    pictures, weights = training_run.load_data(args, G.config.resolution)
    E, perceptual = None, None
    if options.autoencoder_weight:
        with torch.random.fork_rng():
            torch.manual_seed(options.seed)
            E = VariationalEncoder(G.config.z_dim)
        if start and not find_encoder(E, start):
            print(f"no encoder lies beside {start}: a new one is trained")
        if args.features:
            dtype = torch.bfloat16 if options.bf16 else torch.float32
            features = load_torchscript(args.features, dtype)
            perceptual = PerceptualLoss(features, options.perceptual_side or None)
    folder = RunFolder(args.out)
    if world.is_main:
        folder.write_options(plan)
    with training_run.remedies(options.batch_size), training_run.ended_by_sigterm(deadline):
        train_generator(
            options,
            G,
            D,
            pictures,
            folder,
            P=P,
            E=E,
            perceptual=perceptual,
            weights=weights,
            card=Card(
                name=args.name or args.out.name, licence=args.licence, provenance=args.provenance
            ),
            device=device,
            world=world,
            start_nimg=nimg,
            deadline=deadline,
        )
    distributed.stop(world)
    return 0
