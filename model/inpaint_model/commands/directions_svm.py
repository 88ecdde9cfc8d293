"""`inpaint-model directions svm`: InterFaceGAN."""

from __future__ import annotations

import argparse

from inpaint_model.commands.directions_options import add_layers, add_sampling, add_scorers


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--attributes", default="all", metavar="NAMES", help="comma-separated (default all)"
    )
    parser.add_argument(
        "--extremes",
        type=float,
        default=0.02,
        metavar="SHARE",
        help="share of the samples taken at each end of the scores (default 0.02)",
    )
    parser.add_argument(
        "--remove",
        default="",
        metavar="NAMES",
        help="attributes that the directions shall leave alone, or all",
    )
    add_layers(parser)
    add_scorers(parser)
    add_sampling(parser, samples=20_000)


def run(args: argparse.Namespace) -> int:
    if not 0 < args.extremes <= 0.5:
        raise ValueError("--extremes must lie above 0 and not above 0.5")

    from inpaint_model.direction_store import add_directions
    from inpaint_model.editing.attributes import chosen
    from inpaint_model.editing.fitting import fit_extremes, without
    from inpaint_model.editing.layers import parse_layers
    from inpaint_model.editing.samples import draw
    from inpaint_model.editing.workbench import known_attributes, open_workbench

    bench = open_workbench(args.bundle, args.device)
    known = known_attributes(bench.info, args.scorer, args.judge, args.device)
    if not known:
        raise ValueError(
            f"the alignment of {bench.info.name} is {bench.info.card.alignment!r}, for which there "
            "are no attributes; give one with --scorer"
        )
    wanted = chosen(args.attributes, known)
    removed = chosen(args.remove, known) if args.remove else ()
    layers = parse_layers(args.layers, bench.generator.config.num_ws)
    needed = {a.name: a.score for a in (*wanted, *removed)}
    samples = draw(
        bench.generator, needed, args.samples, seed=args.seed, truncation_psi=args.truncation
    )
    fits = {name: fit_extremes(samples.w, samples.scores[name], args.extremes) for name in needed}
    subjects = bench.subjects(args.seed + args.samples)
    found = []
    for attribute in wanted:
        name, fit = attribute.name, fits[attribute.name]
        spared = [a.name for a in removed if a.name != name and a.name not in attribute.includes]
        vector = without(fit.vector, [fits[other].vector for other in spared])
        source = (
            f"linear SVM on {args.extremes:.3g} of {args.samples} samples at each end, "
            f"{fit.accuracy:.0%} of those held out right"
        )
        if spared:
            source += f"; without {', '.join(spared)}"
        draft = bench.draft(name, attribute.group, layers, source, name)
        spread = float(samples.scores[name].std())
        found.append(bench.finish(draft, vector, samples.w, subjects, attribute.score, spread))
        print(f"{name}: {source}")
    add_directions(bench.info.folder, found)
    print(f"{len(found)} directions stored; `inpaint-model directions check` decides on them")
    return 0
