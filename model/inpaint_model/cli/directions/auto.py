"""`inpaint-model directions auto`: every attribute, from moves to the report, in one command."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from inpaint_model.cli import picture_options
from inpaint_model.cli.directions import check
from inpaint_model.cli.directions.options import evenly, positive
from inpaint_model.data import devices
from inpaint_model.training.ranges import SEEDS, whole

if TYPE_CHECKING:
    from inpaint_model.directions.attributes import Attribute
    from inpaint_model.directions.context import Workbench
    from inpaint_model.directions.effects import Subject
    from inpaint_model.directions.samples import Samples

FLAT = 1e-6  # a score that varies less has nothing to be fitted to


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `directions auto`."""
    check.add_own_arguments(parser)
    picture_options.add_sources(
        parser,
        "--fit-images",
        "pictures whose fills are moved to find the directions, others than --images, without "
        "which pictures of the generator are filled",
    )
    for option, default, meaning in (
        ("--fit-count", 192, "pictures to be moved"),
        ("--moves", 16, "random moves of each picture, and as many back"),
        ("--again", 32, "pictures on which what was found is tried, twice, and corrected"),
        ("--fit-samples", 1000, "samples that tell how wide a score is spread"),
    ):
        parser.add_argument(
            option, type=positive, default=default, metavar="N", help=f"{meaning} ({default})"
        )
    parser.add_argument(
        "--fit-seed", type=whole(0, SEEDS), default=0, help="of the first sample (default 0)"
    )


def run(args: argparse.Namespace) -> int:
    """Run the command; return its exit status."""
    from inpaint_model.bundle.direction_store import add_directions
    from inpaint_model.directions.context import known_attributes, open_workbench
    from inpaint_model.directions.measured_fits import Plan, fit_measured, measures
    from inpaint_model.directions.samples import draw

    if both := set(args.fit_images or []).intersection(args.images or []):
        raise ValueError(
            f"--fit-images and --images both name {min(both)}: a fit must not see its judges"
        )
    args.device = devices.measuring_device(args.device)
    bench = open_workbench(args.bundle, args.device)
    attributes = known_attributes(bench.info, args.scorer, args.judge, args.device)
    if not attributes:
        raise ValueError("nothing can be measured in this alignment; give a --scorer")
    samples = draw(bench.generator, measures(attributes), args.fit_samples, seed=args.fit_seed)
    attributes = _varying(attributes, samples)
    plan = Plan(args.moves, again=args.again, seed=args.fit_seed)
    calibration = bench.subjects(args.fit_seed + args.fit_samples)
    pictures = _pictures(bench, args)
    found = list(fit_measured(bench, attributes, samples, pictures, calibration, plan))
    if not found:
        raise ValueError("nothing that is measured can be moved in this generator")
    for name in {a.name for a in attributes} - {direction.name for direction, _ in found}:
        print(f"{name}: no move changes it and leaves the others alone")
    add_directions(bench.info.folder, found)
    args.names = []
    return check.run(args)


def _varying(attributes: tuple[Attribute, ...], samples: Samples) -> tuple[Attribute, ...]:
    """Without those that the samples do not differ in."""
    import numpy as np

    from inpaint_model.directions.measured_fits import judged

    kept = []
    for attribute in attributes:
        names = (attribute.name, judged(attribute.name))
        if min(float(np.ptp(samples.scores[name])) for name in names) < FLAT:
            print(f"{attribute.name}: left out, the same for every sample")
        else:
            kept.append(attribute)
    return tuple(kept)


def _pictures(bench: Workbench, args: argparse.Namespace) -> list[Subject]:
    """Fills of `--fit-images` or of generated pictures; samples of what cannot fill."""
    from inpaint_model.directions.subjects import imagined, photographs, sampled
    from inpaint_model.inference.inpainter import load_bundle

    seed = args.fit_seed + 2 * args.fit_samples  # beside those of the samples
    if bench.info.kind != "inpainter":
        return sampled(bench.generator, args.fit_count, seed)
    inpainter = load_bundle(bench.info.folder, args.device)
    if args.fit_images is None:
        return imagined(inpainter, bench.generator, args.fit_count, seed)
    return photographs(
        inpainter, evenly(args.fit_images, inpainter.resolution, args.fit_count), seed
    )
