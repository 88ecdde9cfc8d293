"""`inpaint-model evaluate`: compare fills and samples with baselines."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from inpaint_model.cli import image_options
from inpaint_model.data import devices
from inpaint_model.training.ranges import real, whole

if TYPE_CHECKING:
    from inpaint_model.data.dataset import ImageSet
    from inpaint_model.evaluation.mask_sets import MaskSet
    from inpaint_model.evaluation.other_methods import Results
    from inpaint_model.evaluation.run import Plan

SETS = ("easy", "hard", "all", "tenths", "whole", "half", "skin")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument(
        "bundle",
        metavar="BUNDLE",
        nargs="?",
        help="folder of a bundle, or name of a bundled model; a generator is evaluated on its own "
        "samples; without a bundle only the baselines are evaluated",
    )
    image_options.add_sources(
        parser, "--images", "original images, which the model was not trained on", True
    )
    image_options.add_replacements(parser, "--images")
    parser.add_argument("--out", required=True, type=Path, metavar="DIR", help="folder to write")
    parser.add_argument(
        "--metrics-dir",
        type=Path,
        nargs="+",
        default=[],
        metavar="DIR",
        help="folders with weight files of evaluation networks (docs/research/evaluation.md lists "
        "their names); each file is taken from the first folder that has it; without them only "
        "PSNR and SSIM are measured",
    )
    parser.add_argument(
        "--sets",
        default="easy,hard,all,tenths,whole",
        metavar="NAMES",
        help=f"mask sets, comma-separated: {', '.join(SETS)} (default: %(default)s)",
    )
    parser.add_argument(
        "--masks",
        metavar="ZIP|DIR[:PREFIX]",
        help="your own masks instead of --sets: white where the hole is, named like the images",
    )
    parser.add_argument(
        "--fills",
        nargs="+",
        action="extend",
        default=[],
        metavar="NAME=DIR",
        help="also score the results of other methods, named like the images, in the folders that "
        "--export uses for masks (DIR/hard-0, ...) or, for a single mask set, in DIR",
    )
    parser.add_argument(
        "--export",
        type=Path,
        metavar="DIR",
        help="only write the images and masks as PNG files, as input for other methods",
    )
    parser.add_argument(
        "--seeds",
        type=whole(1, 10_000),
        default=3,
        metavar="N",
        help="number of mask seeds, 0 to N - 1 (default 3)",
    )
    parser.add_argument(
        "--samples",
        type=whole(1),
        metavar="N",
        help="number of generator samples to evaluate (default: the number of images)",
    )
    parser.add_argument("--limit", type=whole(1), metavar="N", help="use only the first N images")
    parser.add_argument(
        "--no-baselines", action="store_true", help="skip Telea, Navier-Stokes and mean color"
    )
    parser.add_argument(
        "--diversity",
        type=whole(),
        default=24,
        metavar="N",
        help="images per set for which 4 candidates are compared; 0 for none (default 24)",
    )
    parser.add_argument(
        "--truncation",
        type=real(),
        default=1.0,
        metavar="PSI",
        help="truncation psi of fills and samples; 1 is full variety (default 1)",
    )
    parser.add_argument(
        "--fit-codes",
        type=whole(0, 1000),
        default=0,
        metavar="STEPS",
        help="first fit the codes of each fill to the known pixels, in this many steps of gradient "
        "descent (default 0: no fit; 12 are enough)",
    )
    parser.add_argument(
        "--resolution",
        type=whole(1, 4096),
        default=256,
        help="resolution in px if there is no bundle (default 256)",
    )
    parser.add_argument(
        "--cache",
        type=Path,
        metavar="DIR",
        help="folder for caching measurements (default: OUT/cache); models that share it measure "
        "the baselines only once",
    )
    parser.add_argument("--device", default="cpu", help=f"{devices.HELP} (default cpu)")
    parser.add_argument(
        "--dtype", choices=("fp32", "bf16", "fp16"), help="precision (default: best for the device)"
    )


def run(args: argparse.Namespace) -> int:
    """Evaluate, write the reports, and print the tables."""
    sets = _sets(args.sets)
    if args.seeds < 1 or (args.limit is not None and args.limit < 2):
        raise ValueError("--seeds must be at least 1 and --limit at least 2")
    if args.samples is not None and args.samples < 2:
        raise ValueError("--samples must be at least 2")
    if args.samples is not None and args.bundle is None:
        raise ValueError("--samples needs a bundle with a generator; give BUNDLE")
    _check_files(args)

    from inpaint_model.data.dataset import load_images
    from inpaint_model.evaluation import other_methods, page, report
    from inpaint_model.evaluation.mask_sets import OWN
    from inpaint_model.evaluation.measure import EvaluationContext
    from inpaint_model.evaluation.metrics.feature_networks import load_evaluation_networks
    from inpaint_model.evaluation.run import mask_sets
    from inpaint_model.evaluation.run import run as evaluate

    args.device = devices.measuring_device(args.device)
    plan, resolution, about = _subject(args, sets)
    judges = load_evaluation_networks(args.metrics_dir, args.device)
    images = load_images(args.images, resolution, replacements=args.replace, limit=args.limit)
    sources = image_options.file_names(args.images)
    if args.replace:
        sources += f" with copies from {image_options.file_names([args.replace])}"
    if len(images) < 2:
        raise ValueError(f"{sources}: found fewer than 2 images; give at least 2 to compare sets")
    if args.masks is not None:
        own = other_methods.read_masks(args.masks, images.names, resolution)
        plan = replace(plan, sets=[OWN], own_masks=own)
    if args.export is not None:
        chosen = mask_sets(plan, len(images), resolution, args.out)
        other_methods.export(images.pixels, images.names, chosen, args.export)
        print(f"written: {args.export / 'images'}, {args.export / 'masks'}")
        return 0
    if args.fills:
        plan = replace(plan, results=partial(_results, args.fills, images, plan))
    context = EvaluationContext(images.pixels, judges, args.cache or args.out / "cache")
    about |= {
        "images": f"{len(images)} of {sources} at {resolution} px, sha256 {context.sha256}",
        "left out": f"{len(images.skipped)} unreadable images",
        "judges": ", ".join(network.name for network in judges.inception) or "none",
        "truncation": f"{args.truncation:g}",
    }
    if plan.samples is not None:
        about["samples"] = f"{plan.count or len(images)} of the generator for each mask seed"
    about |= {f"judge {name}": f"sha256 {digest}" for name, digest in judges.sha256.items()}
    result = evaluate(context, plan, about, args.out)
    text = report.to_text(result)
    args.out.mkdir(parents=True, exist_ok=True)
    for name, content in (
        ("report.json", report.to_json(result)),
        ("report.html", page.to_html(result)),
        ("table.md", report.to_markdown(result)),
    ):
        (args.out / name).write_text(content, encoding="utf-8")
    written = "report.json, table.md"
    if result.samples is not None:
        report.sheet_of(result.samples).save(args.out / "samples.png")
        written += ", samples.png"
    print(text)
    print(f"written: {args.out / 'report.html'}, {written}")
    return 0


def _results(
    arguments: Sequence[str], images: ImageSet, plan: Plan, masks: MaskSet
) -> list[Results]:
    """Return the results of other methods for a mask set."""
    from inpaint_model.evaluation.other_methods import read_results

    single = len(plan.sets) * len(plan.seeds) == 1
    return [
        read_results(argument, images.pixels, images.names, masks, single) for argument in arguments
    ]


def _check_files(args: argparse.Namespace) -> None:
    """Check the options for files that are exchanged with other methods.

    Raises:
        ValueError: Names are missing, taken or repeated.
    """
    from inpaint_model.evaluation.methods import BASELINES, Model, Samples

    taken = {method.name for method in BASELINES} | {Model.name, Samples.name}
    for argument in args.fills:
        name, _, folder = argument.partition("=")
        if not name or not folder:
            raise ValueError(f"--fills {argument}: give NAME=DIR")
        if name in taken:
            raise ValueError(f"--fills {argument}: the name {name} is taken; choose another one")
        taken.add(name)


def _sets(text: str) -> list[str]:
    names = [name.strip() for name in text.split(",") if name.strip()]
    unknown = [name for name in names if name not in SETS]
    if unknown or not names:
        raise ValueError(f"--sets {text}: no set {unknown}; choose from {', '.join(SETS)}")
    return names


def _subject(args: argparse.Namespace, sets: list[str]) -> tuple[Plan, int, dict[str, str]]:
    """Return the plan, the resolution, and the model's description."""
    from inpaint_model.bundle.manifest import find_bundle, read_bundle
    from inpaint_model.bundle.weights import load_generator
    from inpaint_model.evaluation.methods import Model, Samples
    from inpaint_model.evaluation.run import Plan
    from inpaint_model.inference.inpainter import load_bundle

    seeds, baselines = range(args.seeds), not args.no_baselines
    if args.bundle is None:
        plan = Plan(sets, seeds, baselines=baselines or not args.fills)
        return plan, args.resolution, {"model": "none"}
    info = read_bundle(find_bundle(args.bundle))
    generator = load_generator(info).to(args.device)
    samples = Samples(generator, info.generator_sha256, args.truncation)
    about = {
        "model": f"{info.card.title or info.name} ({info.kind}), "
        f"trained on {info.card.trained_kimg:g} thousand images",
        "weights": f"sha256 {info.weights_sha256}",
    }
    resolution = info.generator_config.resolution
    if info.kind == "generator":
        if args.fills or args.masks is not None or args.export is not None:
            raise ValueError(
                f"{args.bundle} is a generator, which fills no holes: leave out --fills, --masks "
                "and --export, or give an inpainter or no bundle"
            )
        plan = Plan(["whole"], seeds, samples=samples, count=args.samples, baselines=False)
        return plan, resolution, about
    inpainter = load_bundle(args.bundle, args.device, args.dtype)
    if args.fit_codes:
        if not inpainter.config.abilities.editable:
            raise ValueError(f"the codes of {args.bundle} cannot be fitted: leave out --fit-codes")
        about["codes"] = f"fitted to the known pixels in {args.fit_codes} steps"
    model = Model(inpainter, args.truncation, args.fit_codes)
    plan = Plan(
        sets,
        seeds,
        model=model,
        samples=samples,
        count=args.samples,
        baselines=baselines,
        diversity=args.diversity,
    )
    return plan, resolution, about
