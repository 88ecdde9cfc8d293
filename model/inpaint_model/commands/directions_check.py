"""`inpaint-model directions check`: what directions do, measured."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from inpaint_model.commands.directions_options import add_device, add_scorers, positive

if TYPE_CHECKING:
    from torch import Tensor

    from inpaint_model.bundle import BundleInfo
    from inpaint_model.directions import Direction
    from inpaint_model.editing.attributes import Attribute
    from inpaint_model.editing.effects import Subject
    from inpaint_model.editing.workbench import Workbench

FIRST_SEED = 2**31  # samples that no fit has seen


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("names", nargs="*", metavar="NAME", help="(default: all directions)")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder to write")
    parser.add_argument(
        "--images",
        metavar="ZIP|DIR[:PREFIX]",
        help="pictures to fill in half of the face and in the hair (bundles that fill holes); "
        "without them the generator's own samples are edited",
    )
    parser.add_argument("--count", type=positive, default=50, help="pictures (default 50)")
    parser.add_argument(
        "--samples", type=positive, default=1000, help="that tell how wide a score is spread"
    )
    parser.add_argument(
        "--no-store", action="store_true", help="write the report only; leave the bundle as it is"
    )
    add_scorers(parser)
    add_device(parser)


def run(args: argparse.Namespace) -> int:
    from inpaint_model.direction_store import load_vectors, write_directions
    from inpaint_model.editing.report import file_name, rows_of, steps_picture
    from inpaint_model.editing.samples import draw
    from inpaint_model.editing.workbench import known_attributes, open_workbench

    bench = open_workbench(args.bundle, args.device)
    vectors = load_vectors(bench.info)
    wanted = _wanted(bench.info, args.names)
    attributes = known_attributes(bench.info, args.scorer, args.judge, args.device)
    if not attributes:
        raise ValueError("nothing can be measured in this alignment; give a --scorer")
    judges = {attribute.name: attribute.judge for attribute in attributes}
    samples = draw(bench.generator, judges, args.samples, seed=FIRST_SEED, truncation_psi=0.8)
    spreads = {name: max(float(values.std()), 1e-6) for name, values in samples.scores.items()}
    subjects = _subjects(bench, args)
    args.out.mkdir(parents=True, exist_ok=True)
    checked: dict[str, Direction] = {}
    entries: list[dict[str, Any]] = []
    for direction in wanted:
        vector = vectors[direction.name]
        result, response, step = _check(direction, vector, attributes, subjects, spreads)
        checked[direction.name], figures = result
        entries.append(figures)
        print(_line(figures))
        rows = rows_of(response, direction.attribute)
        picture = steps_picture(subjects, rows, step, response.values)
        picture.save(args.out / f"{file_name(direction.name)}.png")
    report = {
        "bundle": bench.info.name,
        "generator_sha256": bench.info.generator_sha256,
        "pictures": args.images or "samples",
        "spreads": spreads,
        "directions": entries,
    }
    (args.out / "directions.json").write_text(json.dumps(report, indent=2), "utf-8")
    if not args.no_store:
        kept = [checked.get(direction.name, direction) for direction in bench.info.directions]
        write_directions(bench.info, kept, vectors)
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


def _subjects(bench: Workbench, args: argparse.Namespace) -> list[Subject]:
    """Fills of `--images`, half a face and hair in turn; or samples."""
    from inpaint_model.editing.subjects import filled, hair_hole, half_hole, sampled

    if args.images is None:
        return sampled(bench.generator, args.count, FIRST_SEED + args.samples)
    from inpaint_model.data import load_pictures
    from inpaint_model.inpainter import load_bundle

    inpainter = load_bundle(bench.info.folder, args.device)
    R = inpainter.resolution
    pixels = load_pictures(args.images, R, limit=args.count).pixels.permute(0, 2, 3, 1)
    pictures = [picture.contiguous().numpy() for picture in pixels]
    holes = [hair_hole(R) if k % 2 else half_hole(R, k // 2) for k in range(len(pictures))]
    return filled(inpainter, pictures, holes)


def _check(
    direction: Direction,
    vector: Tensor,
    attributes: Sequence[Attribute],
    subjects: Sequence[Subject],
    spreads: dict[str, float],
) -> tuple[tuple[Direction, dict[str, Any]], Any, Tensor]:
    """The direction with its effects and its report, the response, and the step of one unit."""
    from dataclasses import replace

    from inpaint_model.editing.effects import judge, respond, step_of, values_of
    from inpaint_model.editing.report import entry

    scores = {attribute.name: attribute.judge for attribute in attributes}
    step = step_of(direction, vector, len(subjects[0].ws))
    response = respond(subjects, step, values_of(direction), scores)
    own = next((a for a in attributes if a.name == direction.attribute), None)
    if own is None:  # nothing to judge it by: what a person decided stands
        return (direction, entry(direction, response, None)), response, step
    verdict = judge(response, own.name, spreads, own.includes)
    effects = {**direction.effects, **verdict.effects()}
    direction = replace(direction, effects=effects, offered=verdict.passed)
    return (direction, entry(direction, response, verdict)), response, step


def _line(figures: dict[str, Any]) -> str:
    state = "offered" if figures["offered"] else "not offered"
    reasons = "; ".join(figures["reasons"])
    return f"{figures['name']}: {state}" + (f" ({reasons})" if reasons else "")
