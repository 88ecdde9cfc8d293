"""Fit directions to attribute scores of samples (InterFaceGAN)."""

from __future__ import annotations

import argparse

from inpaint_model.cli.directions.options import add_layers, add_sampling, add_scorers
from inpaint_model.data import devices
from inpaint_model.training.ranges import real

FLAT = 1e-9  # scores with a smaller range cannot be fitted to


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument(
        "--attributes",
        default="all",
        metavar="NAMES",
        help="attributes to fit, comma-separated (default all)",
    )
    parser.add_argument(
        "--extremes",
        type=real(0, 0.5),
        default=0.02,
        metavar="FRACTION",
        help="fraction of the samples used at each end of the scores (default 0.02)",
    )
    parser.add_argument(
        "--remove",
        default="",
        metavar="NAMES",
        help="attributes that the directions should not change, comma-separated, or all "
        "(default: none)",
    )
    add_layers(parser)
    add_scorers(parser)
    add_sampling(parser, samples=20_000)


def run(args: argparse.Namespace) -> int:
    """Run the command."""
    if not 0 < args.extremes <= 0.5:
        raise ValueError("--extremes must be above 0 and at most 0.5")

    import numpy as np

    from inpaint_model.bundle.direction_store import add_directions
    from inpaint_model.directions.attributes import chosen
    from inpaint_model.directions.context import known_attributes, open_context
    from inpaint_model.directions.fitting import fit_attributes
    from inpaint_model.directions.samples import draw
    from inpaint_model.networks.style_levels import parse_styles

    args.device = devices.measuring_device(args.device)
    context = open_context(args.bundle, args.device)
    known = known_attributes(context.info, args.scorer, args.validation_scorer, args.device)
    if not known:
        raise ValueError(
            f"the alignment of {context.info.name} is {context.info.card.alignment!r}, for which "
            "there are no attributes; give one with --scorer"
        )
    wanted = chosen(args.attributes, known)
    removed = chosen(args.remove, known) if args.remove else ()
    layers = parse_styles(args.layers, context.generator.config.num_ws)
    needed = {attribute.name: attribute.score for attribute in (*wanted, *removed)}
    samples = draw(
        context.generator, needed, args.samples, seed=args.seed, truncation_psi=args.truncation
    )
    flat = [name for name, values in samples.scores.items() if float(np.ptp(values)) < FLAT]
    for name in flat:
        print(f"{name}: skipped, the same for every sample")
    wanted = tuple(a for a in wanted if a.name not in flat)
    removed = tuple(a for a in removed if a.name not in flat)
    subjects = context.subjects(args.seed + args.samples)
    found = []
    for direction, vector in fit_attributes(
        context, wanted, removed, samples, subjects, args.extremes, layers
    ):
        found.append((direction, vector))
        styles = f"styles {direction.layers[0]} to {direction.layers[-1]}"
        print(f"{direction.name}: {styles}; {direction.source}", flush=True)
    if not found:
        raise ValueError("no score differs between samples, so no direction can be fitted")
    add_directions(context.info.folder, found)
    print(f"{len(found)} directions stored; run `inpaint-model directions check` to offer them")
    return 0
