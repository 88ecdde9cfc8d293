"""Fit directions for all attributes, check them and write a report."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from inpaint_model.cli import image_options
from inpaint_model.cli.directions import check
from inpaint_model.cli.directions.options import evenly, positive
from inpaint_model.data import devices
from inpaint_model.training.ranges import SEEDS, whole

if TYPE_CHECKING:
    from collections.abc import Sequence

    from inpaint_model.directions.attributes import Attribute
    from inpaint_model.directions.context import DirectionContext
    from inpaint_model.directions.effects import Subject
    from inpaint_model.directions.samples import Samples
    from inpaint_model.document.arrays import ImageU8

FLAT = 1e-6  # scores with a smaller range cannot be fitted to


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    check.add_own_arguments(parser)
    image_options.add_sources(
        parser,
        "--fit-images",
        "images to fill for finding the directions, different from --images (default: images of "
        "the generator)",
    )
    for option, default, meaning in (
        ("--fit-count", 192, "number of images to move"),
        ("--moves", 16, "number of random moves per image, each also in reverse"),
        ("--refine-count", 32, "number of images on which the result is refined, three times"),
        ("--fit-samples", 1000, "number of samples that measure the distribution of scores"),
    ):
        parser.add_argument(
            option,
            type=positive,
            default=default,
            metavar="N",
            help=f"{meaning} (default {default})",
        )
    parser.add_argument(  # former name
        "--again",
        dest="refine_count",
        type=positive,
        default=argparse.SUPPRESS,
        help=argparse.SUPPRESS,
    )
    parser.add_argument(
        "--fit-seed",
        type=whole(0, SEEDS),
        default=0,
        help="seed of the first sample for fitting (default 0)",
    )


def run(args: argparse.Namespace) -> int:
    """Run the command."""
    from inpaint_model.bundle.direction_store import add_directions
    from inpaint_model.directions.context import known_attributes, open_context
    from inpaint_model.directions.perturbation_fits import Plan, fit_by_perturbation, measures
    from inpaint_model.directions.samples import draw

    if both := set(args.fit_images or []).intersection(args.images or []):
        raise ValueError(
            f"--fit-images and --images both contain {min(both)}; fit and check must use "
            "different images"
        )
    args.device = devices.measuring_device(args.device)
    context = open_context(args.bundle, args.device)
    attributes = known_attributes(context.info, args.scorer, args.validation_scorer, args.device)
    if not attributes:
        raise ValueError("there are no attributes for this alignment; give one with --scorer")
    samples = draw(context.generator, measures(attributes), args.fit_samples, seed=args.fit_seed)
    attributes = _varying(attributes, samples)
    plan = Plan(args.moves, refine_count=args.refine_count, seed=args.fit_seed)
    calibration = context.subjects(args.fit_seed + args.fit_samples)
    images = _images(context, args)
    found = list(fit_by_perturbation(context, attributes, samples, images, calibration, plan))
    if not found:
        raise ValueError("no attribute can be changed alone in this generator")
    for name in {a.name for a in attributes} - {direction.name for direction, _ in found}:
        print(f"{name}: no move changes it without changing the others")
    add_directions(context.info.folder, found)
    args.names = []
    return check.run(args)


def _varying(attributes: tuple[Attribute, ...], samples: Samples) -> tuple[Attribute, ...]:
    import numpy as np

    from inpaint_model.directions.perturbation_fits import judged

    kept = []
    for attribute in attributes:
        names = (attribute.name, judged(attribute.name))
        if min(float(np.ptp(samples.scores[name])) for name in names) < FLAT:
            print(f"{attribute.name}: skipped, the same for every sample")
        else:
            kept.append(attribute)
    return tuple(kept)


def _images(context: DirectionContext, args: argparse.Namespace) -> list[Subject]:
    """Return fills of `--fit-images` or generated images; samples if the bundle cannot fill."""
    from inpaint_model.directions.subjects import imagined, mostly_erased, sampled
    from inpaint_model.inference.inpainter import load_bundle

    seed = args.fit_seed + 2 * args.fit_samples  # not used by the samples
    if context.info.kind != "inpainter":
        return sampled(context.generator, args.fit_count, seed)
    inpainter = load_bundle(context.info.folder, args.device)
    if args.fit_images is None:
        images: Sequence[ImageU8] = imagined(context.generator, args.fit_count, seed)
    else:
        images = evenly(args.fit_images, inpainter.resolution, args.fit_count)
    return mostly_erased(inpainter, images, seed + args.fit_count)
