r"""Repeat Table 1 of the paper: all methods trained alike around one generator.

    python -m benchmarks.table1 --generator RUN/bundle --images faces.zip:val \
        --metrics-dir metrics --out runs/table1 [--preset compact-64] [--kimg 20] [--seeds 3] \
        -- --data faces.zip:train --real-fraction 0.7 ...

The options after `--` are for `train inpainter`; all methods get them. Writes table1.md with the
scores, the costs and which of the paper's orderings hold, and table1.png with the same holes filled
by all methods. When started again, it continues. To share the work between machines, copy the
reports of finished runs (VARIANT-SEED/report/report.json) and costs.json to the other machine.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from itertools import permutations
from pathlib import Path
from typing import NamedTuple

import torch
from inpaint_model.networks.config import TITLES, Arch

from benchmarks import trainings
from benchmarks.gaps import Gap, gap_of
from benchmarks.method_costs import Costs, costs_of
from benchmarks.method_sheet import draw_sheet
from benchmarks.trainings import Measure, Run, Scores

SETS = ("all", "easy", "hard")
# Losses that are part of a method, besides those that all share. HFGI and HyperStyle train their
# first pass separately, and HFGI trains its alignment with distorted images; CoModGAN trains
# against the discriminator alone.
METHODS: Mapping[Arch, Sequence[object]] = {
    "psp": (),
    "hfgi": ("--lambda-codes", 1, "--lambda-edit", 0.3),
    "hyperstyle": ("--lambda-codes", 1),
    "comodgan": ("--lambda-rg", 0),
    "invertfill": (),
    "divinversion-two-stage": (),
    "hierarchical": (),
}
# FID and LPIPS on all, easy and hard masks, as the paper prints them.
PAPER: Mapping[Arch, Sequence[tuple[float, float]]] = {
    "psp": ((8.23, 0.272), (3.15, 0.164), (9.63, 0.374)),
    "hfgi": ((7.66, 0.214), (2.24, 0.152), (8.87, 0.352)),
    "hyperstyle": ((7.46, 0.208), (3.08, 0.159), (8.67, 0.337)),
    "comodgan": ((7.35, 0.151), (4.68, 0.170), (7.13, 0.230)),
    "invertfill": ((7.45, 0.152), (1.13, 0.123), (9.58, 0.235)),
    "divinversion-two-stage": ((5.92, 0.153), (2.26, 0.145), (6.23, 0.223)),
    "hierarchical": ((4.85, 0.144), (1.87, 0.135), (5.72, 0.209)),
}
NUMBERS = (
    ("KID768", "kid768_x1000", 2),
    ("FID768", "fid768", 3),
    ("FID", "fid", 2),
    ("LPIPS", "lpips", 3),
    ("VGG distance", "vgg", 3),
    ("identity distance", "identity", 3),
    ("diversity", "diversity_relative", 2),
)
MEASURES = tuple(
    Measure(f"{title}, {mask_set}", number, mask_set, digits)
    for mask_set in SETS
    for title, number, digits in NUMBERS
)
BY_KEY = {(measure.number, measure.mask_set): measure for measure in MEASURES}


class Claim(NamedTuple):
    """A sentence of the paper about Table 1: each of `better` beats each of `worse`."""

    sentence: str
    mask_set: str
    better: Sequence[Arch]
    worse: Sequence[Arch]


INVERSION: Sequence[Arch] = ("psp", "hfgi", "hyperstyle")
DETERMINISTIC: Sequence[Arch] = (*INVERSION, "invertfill")
OTHERS: Sequence[Arch] = tuple(arch for arch in METHODS if arch != "hierarchical")
CLAIMS = (
    Claim(
        "GAN inversion (pSp, HFGI, HyperStyle) is worse than all other methods",
        "all",
        ("comodgan", "invertfill", "divinversion-two-stage", "hierarchical"),
        INVERSION,
    ),
    Claim(
        "CoModGAN and InvertFill are worse than the hierarchical model",
        "all",
        ("hierarchical",),
        ("comodgan", "invertfill"),
    ),
    Claim(
        "The hierarchical model is better than DivInversion, its closest competitor",
        "all",
        ("hierarchical",),
        ("divinversion-two-stage",),
    ),
    Claim(
        "DivInversion is closer to the hierarchical model than the others are",
        "all",
        ("divinversion-two-stage",),
        ("psp", "hfgi", "hyperstyle", "comodgan", "invertfill"),
    ),
    Claim(
        "InvertFill is the best on easy masks",
        "easy",
        ("invertfill",),
        tuple(arch for arch in METHODS if arch != "invertfill"),
    ),
    Claim(
        "The hierarchical model is the second best on easy masks",
        "easy",
        ("hierarchical",),
        tuple(arch for arch in OTHERS if arch != "invertfill"),
    ),
    Claim(
        "Deterministic methods fall behind on difficult masks",
        "hard",
        ("comodgan", "divinversion-two-stage", "hierarchical"),
        DETERMINISTIC,
    ),
    Claim(
        "The hierarchical model is the best on difficult masks", "hard", ("hierarchical",), OTHERS
    ),
)

Results = Mapping[str, Sequence[Scores]]


def gap(results: Results, better: Arch, worse: Arch, measure: Measure) -> Gap:
    """Return by how much a method is better than another."""
    pairs = zip(results[worse], results[better], strict=True)
    return gap_of([there[measure] - here[measure] for there, here in pairs])


def scores_table(results: Results, mask_set: str) -> str:
    """Format the scores on a mask set, with the paper's beside them."""
    measures = [BY_KEY[number, mask_set] for _, number, _ in NUMBERS]
    measures = [m for m in measures if all(m in run for runs in results.values() for run in runs)]
    paper = [(arch, PAPER[arch][SETS.index(mask_set)]) for arch in METHODS]
    titles = [measure.title.partition(",")[0] for measure in measures]
    lines = [
        "| method | " + " | ".join(titles) + " | FID in the paper | LPIPS in the paper |",
        "|---" * (len(measures) + 3) + "|",
    ]
    for arch, (fid, lpips) in paper:
        cells = [
            trainings.mean_and_spread([run[measure] for run in results[arch]], measure)
            for measure in measures
        ]
        lines.append(f"| {TITLES[arch]} | " + " | ".join(cells) + f" | {fid:.2f} | {lpips:.3f} |")
    return "\n".join(lines)


def claims_table(results: Results) -> str:
    """Say for each claim how many of its comparisons hold, in KID and in VGG distance."""
    lines = ["| The paper says | masks | in KID768 | in VGG distance |", "|---|---|---|---|"]
    for claim in CLAIMS:
        cells = []
        for number in ("kid768_x1000", "vgg"):
            measure = BY_KEY[number, claim.mask_set]
            gaps = [
                gap(results, better, worse, measure)
                for better in claim.better
                for worse in claim.worse
            ]
            cells.append(_verdict(gaps, measure.digits))
        lines.append(f"| {claim.sentence} | {claim.mask_set} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _verdict(gaps: Sequence[Gap], digits: int) -> str:
    holds, fails = (sum(g.sign == sign for g in gaps) for sign in (1, -1))
    word = "not decided"
    if holds == len(gaps):
        word = "**supported**"
    elif fails == len(gaps):
        word = "**the opposite**"
    elif fails:
        word = "not supported"
    if len(gaps) == 1:
        return f"{word}: by {gaps[0].text(digits)}"
    return f"{word}: {holds} of {len(gaps)} comparisons hold, {fails} are reversed"


def orderings_table(results: Results) -> str:
    """Compare every pair of methods in the order of the paper's FID."""
    lines = [
        "| masks | pairs | hold here, in KID768 | reversed | not decided |",
        "|---|---|---|---|---|",
    ]
    for k, mask_set in enumerate(SETS):
        measure = BY_KEY["kid768_x1000", mask_set]
        pairs = [(a, b) for a, b in permutations(METHODS, 2) if PAPER[a][k][0] < PAPER[b][k][0]]
        signs = [gap(results, a, b, measure).sign for a, b in pairs]
        counts = [signs.count(sign) for sign in (1, -1, 0)]
        lines.append(f"| {mask_set} | {len(pairs)} | " + " | ".join(map(str, counts)) + " |")
    return "\n".join(lines)


def costs_table(costs: Mapping[Arch, Costs]) -> str:
    """Format time and size."""
    lines = [
        "| method | parameters, trained | in all | one candidate, ms | four candidates, ms |",
        "|---|---|---|---|---|",
    ]
    for arch, cost in costs.items():
        four = "one fill only" if cost.four_ms is None else f"{cost.four_ms:.0f}"
        millions = [f"{count / 1e6:.2f} M" for count in (cost.trained, cost.parameters)]
        lines.append(
            f"| {TITLES[arch]} | " + " | ".join(millions) + f" | {cost.one_ms:.0f} | {four} |"
        )
    return "\n".join(lines)


def page(results: Results, costs: Mapping[Arch, Costs], args: argparse.Namespace) -> str:
    """Return table1.md."""
    sections = {
        "Scores": "\n\n".join(
            f"**{mask_set}**\n\n{scores_table(results, mask_set)}" for mask_set in SETS
        )
        + f"\n\n{_spread(args.seeds)} Lower is better except for diversity. KID is 1000 x kid768.",
        "What the paper says": f"{claims_table(results)}\n\nA comparison is decided if the 95 % "
        "interval of its difference over the seeds does not contain 0. It takes two seeds or more.",
        "The order of Table 1": orderings_table(results),
        "Costs": costs_table(costs),
    }
    return "\n\n".join(f"## {title}\n\n{text}" for title, text in sections.items()) + "\n"


def _spread(seeds: int) -> str:
    return "One seed." if seeds == 1 else f"Mean and standard deviation over {seeds} seeds."


def main(arguments: list[str] | None = None) -> None:
    """Train, measure and compare the methods."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    trainings.add_arguments(parser)
    args = parser.parse_args(arguments)
    variants: dict[str, list[object]] = {
        arch: ["--arch", arch, *own] for arch, own in METHODS.items()
    }
    results = trainings.results_of(args, variants, MEASURES)
    bundles = {arch: Run(arch, (), 0).folder(args.out) / "bundle" for arch in METHODS}
    costs = _costs(bundles, args.out / "costs.json", args.device)
    text = page(results, costs, args)
    (args.out / "table1.md").write_text(text, "utf-8")
    print(text)
    if all(bundle.exists() for bundle in bundles.values()):
        sheet = draw_sheet(bundles, args.images, args.out / "cache", args.device)
        sheet.save(args.out / "table1.png")
    else:
        print("no sheet of fills: some models of the first seed were evaluated on another machine")


def _costs(bundles: Mapping[Arch, Path], kept: Path, device: str) -> dict[Arch, Costs]:
    """Measure the costs, unless they are in a file; write that file."""
    if not kept.exists():
        torch.set_num_threads(max(torch.get_num_threads(), 1))
        measured = {arch: costs_of(bundle, device)._asdict() for arch, bundle in bundles.items()}
        kept.write_text(json.dumps(measured, indent=1), "utf-8")
    return {arch: Costs(**cost) for arch, cost in json.loads(kept.read_text("utf-8")).items()}


if __name__ == "__main__":
    main()
