"""Import directions from a published file, or from another bundle of the same generator."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from inpaint_model.cli.directions.options import add_layers, add_sampling
from inpaint_model.data import devices

if TYPE_CHECKING:
    from torch import Tensor

    from inpaint_model.bundle.directions import Direction
    from inpaint_model.bundle.manifest import BundleInfo


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument(
        "source", type=Path, metavar="FILE|BUNDLE", help=".npy, .npz or .pt file, or a bundle"
    )
    parser.add_argument("--name", help="name of the direction (default: the file's name)")
    parser.add_argument(
        "--group",
        default="imported",
        help="group of the direction in user interfaces (default imported)",
    )
    parser.add_argument(
        "--attribute",
        default="",
        metavar="NAME",
        help="attribute that the direction should change, for checking it (default: none)",
    )
    parser.add_argument("--license", default="unknown", help="license of the direction")
    parser.add_argument(  # former spelling
        "--licence", dest="license", default=argparse.SUPPRESS, help=argparse.SUPPRESS
    )
    parser.add_argument(
        "--foreign",
        action="store_true",
        help="import directions that may belong to another generator, marked as foreign: they are "
        "offered only once a check shows that they work in this one",
    )
    add_layers(parser)
    add_sampling(parser, samples=2_000)


def run(args: argparse.Namespace) -> int:
    """Run the command."""
    from inpaint_model.bundle.direction_store import add_directions
    from inpaint_model.bundle.manifest import find_bundle, read_bundle

    info = read_bundle(find_bundle(args.bundle))
    is_bundle = (args.source / "model.yaml").exists()
    found = _of_bundle(args.source, info) if is_bundle else _of_file(args)
    add_directions(info.folder, found)
    print(f"stored: {', '.join(direction.name for direction, _ in found)}")
    return 0


def _of_bundle(source: Path, info: BundleInfo) -> list[tuple[Direction, Tensor]]:
    from inpaint_model.bundle.direction_store import load_vectors
    from inpaint_model.bundle.manifest import read_bundle

    other = read_bundle(source)
    if other.generator_sha256 != info.generator_sha256:
        raise ValueError(
            f"the directions of {source} belong to another generator "
            f"({other.generator_sha256[:12]}; this one is {info.generator_sha256[:12]})"
        )
    vectors = load_vectors(other)
    if not vectors:
        raise ValueError(f"{source} has no directions")
    return [(direction, vectors[direction.name]) for direction in other.directions]


def _of_file(args: argparse.Namespace) -> list[tuple[Direction, Tensor]]:
    from dataclasses import replace

    from inpaint_model.directions.context import open_context
    from inpaint_model.directions.published import read_published
    from inpaint_model.directions.samples import codes
    from inpaint_model.networks.style_levels import parse_styles

    args.device = devices.measuring_device(args.device)
    context = open_context(args.bundle, args.device)
    config = context.generator.config
    layers = parse_styles(args.layers, config.num_ws)
    published = read_published(args.source, config.num_ws, config.w_dim)
    if not args.foreign:
        raise ValueError(
            f"{args.source} does not say which generator it belongs to, and directions do not work "
            "in another generator; give --foreign to import it and let the check decide"
        )
    w = codes(context.generator, args.samples, args.seed, args.truncation).cpu().double().numpy()
    subjects = context.subjects(args.seed + args.samples)
    found = []
    for entry in published:
        name = args.name or entry.name
        if args.name and len(published) > 1:
            name = f"{args.name} {entry.name}"
        draft = context.draft(name, args.group, layers, args.source.name, args.attribute)
        draft = replace(draft, foreign=True, licence=args.license)
        found.append(context.finish(draft, entry.vector, w, subjects))
    return found
