"""Measure the effects of directions, and offer those that pass."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from inpaint_model.cli import image_options
from inpaint_model.cli.directions.options import add_device, add_scorers, evenly, positive
from inpaint_model.data import devices

if TYPE_CHECKING:
    from inpaint_model.bundle.directions import Direction
    from inpaint_model.bundle.manifest import BundleInfo
    from inpaint_model.directions.checking import Checked, Instruments
    from inpaint_model.directions.context import DirectionContext
    from inpaint_model.directions.effects import Subject

FIRST_SEED = 2**31  # not used for fits
SHOWN = 8  # generated images to choose rows from


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help="directions to check (default: all)"
    )
    add_own_arguments(parser)


def add_own_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options that `directions auto` shares."""
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder to write")
    image_options.add_sources(
        parser,
        "--images",
        "images to fill in one half, the hair or the face, for bundles that can fill (default: "
        "edit samples of the generator)",
    )
    parser.add_argument(
        "--count", type=positive, default=50, help="number of images to edit (default 50)"
    )
    parser.add_argument(
        "--samples",
        type=positive,
        default=1000,
        help="number of samples that measure the distribution of scores (default 1000)",
    )
    parser.add_argument(
        "--no-store", action="store_true", help="only write the report; do not change the bundle"
    )
    parser.add_argument(
        "--identity",
        type=Path,
        metavar="FILE.onnx",
        help="face recognition network (RGB [1, 3, 112, 112], ImageNet normalization) that "
        "measures the change of identity (default: not measured)",
    )
    parser.add_argument(
        "--page",
        type=Path,
        metavar="FILE.md",
        help="page to write a table and grids of generated images to, between its marker lines",
    )
    add_scorers(parser)
    add_device(parser)


def run(args: argparse.Namespace) -> int:
    """Run the command."""
    from inpaint_model.bundle.direction_store import load_vectors, write_directions
    from inpaint_model.directions.checking import check
    from inpaint_model.directions.context import open_context
    from inpaint_model.directions.report import file_name, rows_of, steps_image

    args.device = devices.measuring_device(args.device)
    context = open_context(args.bundle, args.device)
    vectors = load_vectors(context.info)
    wanted = _wanted(context.info, args.names)
    instruments = _instruments(context, args)
    subjects = _subjects(context, args)
    args.out.mkdir(parents=True, exist_ok=True)
    checked = []
    for direction in wanted:
        one = check(direction, vectors[direction.name], instruments, subjects)
        checked.append(one)
        print(_line(one.entry), flush=True)
        rows = rows_of(one.response, direction.attribute)
        image = steps_image(subjects, rows, one.step, one.response.values)
        image.save(args.out / f"{file_name(direction.name)}.png")
    report = {
        "bundle": context.info.name,
        "generator_sha256": context.info.generator_sha256,
        "images": args.images or "samples",
        "identity": args.identity.name if args.identity else "not measured (no --identity)",
        "spreads": instruments.std_devs,
        "directions": [one.entry for one in checked],
    }
    (args.out / "directions.json").write_text(json.dumps(report, indent=2), "utf-8")
    if args.identity is None:
        print("change of identity: not measured; give a face recognition network with --identity")
    if not args.no_store:
        by_name = {one.direction.name: one.direction for one in checked}
        kept = [by_name.get(direction.name, direction) for direction in context.info.directions]
        write_directions(context.info, kept, vectors)
    if args.page is not None:
        _write_page(context, args, checked, instruments)
    return 0


def _wanted(info: BundleInfo, names: Sequence[str]) -> list[Direction]:
    known = {direction.name: direction for direction in info.directions}
    unknown = [name for name in names if name not in known]
    if unknown or not known:
        raise ValueError(
            f"no direction {unknown[0]!r}; there are: {', '.join(known) or 'none'}"
            if unknown
            else f"{info.folder} has no directions"
        )
    return [known[name] for name in names or known]


def _instruments(context: DirectionContext, args: argparse.Namespace) -> Instruments:
    import torch

    from inpaint_model.directions.checking import Instruments
    from inpaint_model.directions.context import known_attributes
    from inpaint_model.directions.identity import FACES, likeness
    from inpaint_model.directions.samples import codes, draw, images

    attributes = known_attributes(context.info, args.scorer, args.validation_scorer, args.device)
    if not attributes:
        raise ValueError("there are no attributes for this alignment; give one with --scorer")
    if args.identity is not None and context.info.card.alignment != "ffhq":
        raise ValueError("--identity needs a model with FFHQ alignment")
    measure = None
    if args.identity is not None:
        w = codes(context.generator, FACES, FIRST_SEED, 0.8)
        faces = torch.cat(list(images(context.generator, w, FACES)))
        measure = likeness(args.identity, faces)
    judges = {attribute.name: attribute.judge for attribute in attributes}
    samples = draw(context.generator, judges, args.samples, seed=FIRST_SEED, truncation_psi=0.8)
    std_devs = {name: max(float(values.std()), 1e-6) for name, values in samples.scores.items()}
    return Instruments(attributes, std_devs, measure)


def _subjects(context: DirectionContext, args: argparse.Namespace) -> list[Subject]:
    from inpaint_model.directions.subjects import photographs, sampled

    if args.images is None:
        return sampled(context.generator, args.count, FIRST_SEED + args.samples)
    from inpaint_model.inference.inpainter import load_bundle

    inpainter = load_bundle(context.info.folder, args.device)
    return photographs(inpainter, evenly(args.images, inpainter.resolution, args.count))


def _write_page(
    context: DirectionContext,
    args: argparse.Namespace,
    checked: Sequence[Checked],
    instruments: Instruments,
) -> None:
    from inpaint_model.directions.gallery import write_page
    from inpaint_model.directions.subjects import imagined, photographs, sampled
    from inpaint_model.inference.inpainter import load_bundle

    if context.info.kind == "inpainter":
        inpainter = load_bundle(context.info.folder, args.device)
        images = imagined(context.generator, SHOWN, FIRST_SEED)
        subjects = photographs(inpainter, images, FIRST_SEED + SHOWN)
    else:
        subjects = sampled(context.generator, SHOWN, FIRST_SEED)
    judges = {attribute.name: attribute.judge for attribute in instruments.attributes}
    write_page(args.page, checked, subjects, judges)


def _line(figures: dict[str, Any]) -> str:
    state = "offered" if figures["offered"] else "not offered"
    reasons = "; ".join(figures["reasons"])
    return f"{figures['name']}: {state}" + (f" ({reasons})" if reasons else "")
