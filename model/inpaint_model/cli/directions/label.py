"""Mark samples on a page in the browser, then fit a direction to the marks."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from inpaint_model.cli.directions.options import add_layers, add_sampling, positive
from inpaint_model.data import devices

if TYPE_CHECKING:
    from inpaint_model.directions.context import DirectionContext

MIN_ACCURACY = 0.75  # in cross-validation; below, the direction is not offered


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("name", metavar="NAME", help="name of the direction, for example beard")
    step = parser.add_mutually_exclusive_group(required=True)
    step.add_argument(
        "--page", type=Path, metavar="FILE.html", help="write a page for marking samples"
    )
    step.add_argument(
        "--marks", type=Path, metavar="FILE.json", help="fit to the marks saved by the page"
    )
    parser.add_argument(
        "--count", type=positive, default=120, help="number of samples on the page (default 120)"
    )
    parser.add_argument(
        "--group", default="own", help="group of the direction in user interfaces (default own)"
    )
    add_layers(parser)
    add_sampling(parser, samples=10_000)


def run(args: argparse.Namespace) -> int:
    """Run the command."""
    from inpaint_model.directions.context import open_context

    args.device = devices.measuring_device(args.device)
    context = open_context(args.bundle, args.device)
    return _write_page(context, args) if args.page else _fit(context, args)


def _write_page(context: DirectionContext, args: argparse.Namespace) -> int:
    from inpaint_model.data.image_tensors import to_uint8
    from inpaint_model.directions import samples
    from inpaint_model.directions.labeling_page import contact_page
    from inpaint_model.inference.inpainter import seed_sequence

    w = samples.codes(context.generator, args.count, args.seed, args.truncation)
    images = [
        image
        for part in samples.images(context.generator, w, 8, "samples")
        for image in to_uint8(part)
    ]
    seeds = seed_sequence(args.seed, args.count)
    sha256 = context.info.generator_sha256
    args.page.write_text(contact_page(args.name, sha256, args.truncation, seeds, images), "utf-8")
    print(f"open {args.page} in a browser, mark samples, save, and pass the file to --marks")
    return 0


def _fit(context: DirectionContext, args: argparse.Namespace) -> int:
    from dataclasses import replace

    import numpy as np
    import torch

    from inpaint_model.bundle.direction_store import add_directions
    from inpaint_model.directions.fitting import fit_marks
    from inpaint_model.directions.labeling_page import read_marks
    from inpaint_model.directions.samples import codes
    from inpaint_model.networks.style_levels import parse_styles

    marks = read_marks(args.marks)
    if marks.generator_sha256 != context.info.generator_sha256:
        raise ValueError(
            f"{args.marks} marks samples of another generator ({marks.generator_sha256[:12]}; this "
            f"one is {context.info.generator_sha256[:12]})"
        )
    layers = parse_styles(args.layers, context.generator.config.num_ws)
    psi = marks.truncation_psi
    marked = torch.cat(
        [codes(context.generator, 1, seed, psi) for seed in (*marks.more, *marks.less)]
        or [torch.zeros(0, context.generator.config.w_dim)]
    )
    more = np.arange(len(marked)) < len(marks.more)
    w = codes(context.generator, args.samples, args.seed, psi).cpu().double().numpy()
    fit = fit_marks(w, marked.cpu().double().numpy(), more)
    source = f"{len(marked)} marked samples, {fit.accuracy:.0%} accuracy in cross-validation"
    draft = context.draft(args.name, args.group, layers, source)
    offered = fit.accuracy >= MIN_ACCURACY
    draft = replace(draft, offered=offered, effects={"accuracy": round(fit.accuracy, 3)})
    found = context.finish(draft, fit.vector, w, context.subjects(args.seed + args.samples))
    add_directions(context.info.folder, [found])
    print(f"{args.name}: {source}; " + ("offered" if offered else "not offered: mark more samples"))
    return 0
