"""Table 2 of the paper again: five archs, several seeds, one common generator.

    python -m benchmarks.ablation --generator RUN/bundle --images faces.zip:val \\
        --metrics-dir metrics --out runs/ablation [--preset compact-64] [--kimg 20] [--seeds 3]

Trains every arch with every seed, `--jobs` at a time, judges them, and writes table.md: mean and
spread over seeds, and whether the paper's three orderings hold. Started again, it goes on where it
was. Trainings share the holes and pictures of their seed, so that archs are compared on the same
ones.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import torch
from inpaint_model.cli import main as inpaint_model
from inpaint_model.config import ARCHS, Arch


class Measure(NamedTuple):
    """One number of `inpaint-model evaluate`; lower is better."""

    title: str
    number: str
    mask_set: str
    digits: int


MEASURES = (
    Measure("KID, easy", "kid768_x1000", "easy", 2),
    Measure("KID, hard", "kid768_x1000", "hard", 2),
    Measure("KID, all", "kid768_x1000", "all", 2),
    Measure("VGG distance, all", "vgg", "all", 3),
)
DECISIVE = MEASURES[2:]  # for the orderings

Scores = dict[Measure, float]


class Ordering(NamedTuple):
    """One claim of the paper: the first arch is better than the second."""

    claim: str
    better: Arch
    worse: Arch


ORDERINGS = (
    Ordering("hierarchical better than flat on W+", "hierarchical-w", "divinversion-first"),
    Ordering(
        "hierarchical two-stage better than plain two-stage",
        "hierarchical-two-stage",
        "divinversion-two-stage",
    ),
    Ordering("single stage better than two-stage", "hierarchical", "hierarchical-two-stage"),
)


class Run(NamedTuple):
    """One training: an arch with a seed."""

    arch: Arch
    seed: int

    def folder(self, out: Path) -> Path:
        return out / f"{self.arch}-{self.seed}"


def train(args: argparse.Namespace, run: Run) -> None:
    """Train `run` to its end, or on to it."""
    command = ["train", "inpainter", "--generator", args.generator, "--preset", args.preset]
    command += ["--arch", run.arch, "--seed", run.seed, "--out", run.folder(args.out)]
    command += ["--total-kimg", args.kimg, "--batch-size", args.batch_size, "--lr", args.lr]
    command += ["--device", args.device, *args.train]
    if args.device == "cpu":
        command += ["--threads", _threads(args)]
    inpaint_model_or_exit(run, command)


def judge(args: argparse.Namespace, run: Run) -> Scores:
    """The measures of a finished run."""
    torch.set_num_threads(_threads(args))
    report = run.folder(args.out) / "report" / "report.json"
    if not report.exists():
        command = ["evaluate", run.folder(args.out) / "bundle", "--images", args.images]
        command += ["--out", report.parent, "--metrics-dir", args.metrics_dir]
        sets = dict.fromkeys(measure.mask_set for measure in MEASURES)
        command += ["--sets", ",".join(sets), "--seeds", 1, "--diversity", 0, "--no-baselines"]
        command += ["--cache", args.out / "cache", "--device", args.device]
        inpaint_model_or_exit(run, command)
    return scores_of(json.loads(report.read_text("utf-8")))


def inpaint_model_or_exit(run: Run, command: Sequence[object]) -> None:
    if inpaint_model([str(part) for part in command]) != 0:
        raise SystemExit(f"{run.arch}, seed {run.seed}: see the message above")


def _threads(args: argparse.Namespace) -> int:
    jobs: int = args.jobs
    return max(1, (os.cpu_count() or 1) // jobs)


def scores_of(report: dict[str, Any]) -> Scores:
    """The model's measures, from a report of `inpaint-model evaluate`."""
    rows = {row["set"]: row["numbers"] for row in report["rows"] if row["method"] == "model"}
    return {measure: rows[measure.mask_set][measure.number] for measure in MEASURES}


def table(results: dict[Arch, list[Scores]]) -> str:
    """Markdown: a row an arch, mean and standard deviation over seeds; then the orderings."""
    lines = ["| arch | " + " | ".join(measure.title for measure in MEASURES) + " |"]
    lines.append("|---" * (len(MEASURES) + 1) + "|")
    for arch, scores in results.items():
        cells = [
            _mean_and_spread([run[measure] for run in scores], measure) for measure in MEASURES
        ]
        lines.append(f"| {arch} | " + " | ".join(cells) + " |")
    lines += ["", "KID is 1000 x kid768; ± is the standard deviation over seeds.", ""]
    for claim, better, worse in ORDERINGS:
        for measure in DECISIVE:
            pairs = zip(results[better], results[worse], strict=True)
            gaps = [there[measure] - here[measure] for here, there in pairs]
            wins = sum(gap > 0 for gap in gaps)
            by = _mean_and_spread(gaps, measure)
            lines.append(f"- {claim}, {measure.title}: {wins} of {len(gaps)} seeds, by {by}")
    return "\n".join(lines) + "\n"


def _mean_and_spread(values: Sequence[float], measure: Measure) -> str:
    spread = statistics.stdev(values) if len(values) > 1 else 0.0
    return f"{statistics.mean(values):.{measure.digits}f} ± {spread:.{measure.digits}f}"


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--generator", type=Path, required=True)
    parser.add_argument("--images", required=True)
    parser.add_argument("--metrics-dir", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--jobs", type=int, default=1, help="trainings at a time (default 1)")
    parser.add_argument("--preset", default="compact-64")
    parser.add_argument("--kimg", type=float, default=20)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--lr", type=float, default=1e-3)
    parser.add_argument("--device", default="cpu")
    parser.add_argument(
        "train", nargs="*", help="further arguments for `train inpainter`, after --"
    )
    args = parser.parse_args(arguments)
    # Seed by seed: what is finished early compares all archs.
    runs = [Run(arch, seed) for seed in range(args.seeds) for arch in ARCHS]
    with ProcessPoolExecutor(args.jobs) as pool:
        list(pool.map(partial(train, args), runs))
        judged = list(pool.map(partial(judge, args), runs))
    results: dict[Arch, list[Scores]] = {arch: [] for arch in ARCHS}
    for run, scores in zip(runs, judged, strict=True):
        results[run.arch].append(scores)
    text = table(results)
    (args.out / "table.md").write_text(text, "utf-8")
    print(text)


if __name__ == "__main__":
    main()
