"""What `directions pca` and `directions sefa` share."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import TYPE_CHECKING

from inpaint_model.cli.directions.options import add_layers, add_sampling, positive
from inpaint_model.data import devices

if TYPE_CHECKING:
    from inpaint_model.bundle.directions import Layers
    from inpaint_model.document.arrays import Float64Array
    from inpaint_model.networks.generator import Generator


def add_arguments(parser: argparse.ArgumentParser, samples: int) -> None:
    """Add the options of both."""
    parser.add_argument(
        "--count", type=positive, default=8, help="number of directions (default 8)"
    )
    add_layers(parser)
    add_sampling(parser, samples)


def store(
    args: argparse.Namespace,
    method: str,
    source: str,
    find: Callable[[Generator, Layers, Float64Array], Float64Array],
) -> int:
    """Store the rows that `find` returns for a generator, layers and codes [N, w_dim].

    Their meaning is unknown, so they are named by method and number.
    """
    from inpaint_model.bundle.direction_store import add_directions
    from inpaint_model.directions.context import open_context
    from inpaint_model.directions.samples import codes
    from inpaint_model.networks.style_levels import parse_styles

    args.device = devices.measuring_device(args.device)
    context = open_context(args.bundle, args.device)
    layers = parse_styles(args.layers, context.generator.config.num_ws)
    w = codes(context.generator, args.samples, args.seed, args.truncation).cpu().double().numpy()
    subjects = context.subjects(args.seed + args.samples)
    names = f"{method} {args.layers} component"
    found = [
        context.finish(
            context.draft(f"{names} {k}", "components", layers, source), vector, w, subjects
        )
        for k, vector in enumerate(find(context.generator, layers, w))
    ]
    add_directions(context.info.folder, found)
    print(f"{len(found)} components stored; view them with `inpaint-model directions check`")
    return 0
