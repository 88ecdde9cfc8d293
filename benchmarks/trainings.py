"""Train and evaluate several variants of the inpainter around one generator, for comparisons.

Each variant is trained with each seed, `--jobs` at a time, and evaluated with `inpaint-model
evaluate`. When started again, it continues; a run whose report exists is not trained again, so
reports may come from other machines. Trainings with the same seed use the same holes and images,
so that the comparison is fair.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any, NamedTuple

import torch
from inpaint_model.bundle.manifest import read_bundle
from inpaint_model.cli.main import main as inpaint_model


class Measure(NamedTuple):
    """A number in the report of `inpaint-model evaluate`."""

    title: str
    number: str
    mask_set: str
    digits: int


Scores = dict[Measure, float]


class Run(NamedTuple):
    """A training: a variant, its arguments for `train inpainter`, and a seed."""

    variant: str
    arguments: Sequence[object]
    seed: int

    def folder(self, out: Path) -> Path:
        """Return the folder of the run in `out`."""
        return out / f"{self.variant}-{self.seed}"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options that all comparisons share."""
    parser.add_argument("--generator", type=Path, required=True, help="bundle of the generator")
    parser.add_argument("--images", required=True, nargs="+", help="images to evaluate on")
    parser.add_argument(
        "--metrics-dir", type=Path, required=True, help="folder with evaluation networks"
    )
    parser.add_argument("--out", type=Path, required=True, help="folder for runs and results")
    parser.add_argument(
        "--jobs", type=int, default=1, help="number of parallel trainings (default 1)"
    )
    parser.add_argument(
        "--preset", default="compact-64", help="preset of network sizes (default compact-64)"
    )
    parser.add_argument(
        "--kimg", type=float, default=20, help="length in thousands of images (default 20)"
    )
    parser.add_argument(
        "--seeds", type=int, default=3, help="number of seeds per variant (default 3)"
    )
    parser.add_argument("--batch-size", type=int, default=16, help="batch size (default 16)")
    parser.add_argument("--lr", type=float, default=1e-3, help="learning rate (default 0.001)")
    parser.add_argument("--device", default="cpu", help="device for training (default cpu)")
    parser.add_argument(
        "train", nargs="*", help="additional arguments for `train inpainter`, after --"
    )


def results_of(
    args: argparse.Namespace, variants: Mapping[str, Sequence[object]], measures: Sequence[Measure]
) -> dict[str, list[Scores]]:
    """Train and evaluate every variant (name -> arguments) with every seed."""
    # Seed by seed, so that an unfinished comparison still covers all variants.
    runs = [Run(name, own, seed) for seed in range(args.seeds) for name, own in variants.items()]
    # Spawned, since a forked process would inherit the threads' locks and memory of the libraries.
    with ProcessPoolExecutor(args.jobs, mp_context=get_context("spawn")) as pool:
        judged = list(pool.map(partial(_train_and_judge, args, measures), runs))
    results: dict[str, list[Scores]] = {name: [] for name in variants}
    for run, scores in zip(runs, judged, strict=True):
        results[run.variant].append(scores)
    return results


def _train_and_judge(args: argparse.Namespace, measures: Sequence[Measure], run: Run) -> Scores:
    _train(args, run)
    return _judge(args, measures, run)


def _train(args: argparse.Namespace, run: Run) -> None:
    """Start or continue a training, unless it has been evaluated."""
    if _report(args, run).exists():
        return
    command = ["train", "inpainter", "--generator", args.generator, "--preset", args.preset]
    command += ["--seed", run.seed, "--out", run.folder(args.out), *run.arguments]
    command += ["--total-kimg", args.kimg, "--batch-size", args.batch_size, "--lr", args.lr]
    command += ["--device", args.device, *args.train]
    if args.device == "cpu":
        command += ["--threads", _threads(args)]
    _inpaint_model_or_exit(run, command)
    trained = read_bundle(run.folder(args.out) / "bundle").card.trained_kimg
    if trained < args.kimg:  # a signal ended it; judged now, it would count as finished
        raise SystemExit(f"{run.variant}, seed {run.seed}: stopped after {trained:g} kimg")


def _judge(args: argparse.Namespace, measures: Sequence[Measure], run: Run) -> Scores:
    """Evaluate a finished training."""
    torch.set_num_threads(_threads(args))
    report = _report(args, run)
    if not report.exists():
        diversity = 24 if any("diversity" in measure.number for measure in measures) else 0
        command = ["evaluate", run.folder(args.out) / "bundle", "--images", *args.images]
        command += ["--out", report.parent, "--metrics-dir", args.metrics_dir]
        sets = dict.fromkeys(measure.mask_set for measure in measures)
        command += ["--sets", ",".join(sets), "--seeds", 1, "--diversity", diversity]
        command += ["--no-baselines", "--cache", args.out / "cache", "--device", args.device]
        _inpaint_model_or_exit(run, command)
    return scores_of(json.loads(report.read_text("utf-8")), measures)


def _report(args: argparse.Namespace, run: Run) -> Path:
    return run.folder(args.out) / "report" / "report.json"


def _inpaint_model_or_exit(run: Run, command: Sequence[object]) -> None:
    if inpaint_model([str(part) for part in command]) != 0:
        raise SystemExit(f"{run.variant}, seed {run.seed}: see the message above")


def _threads(args: argparse.Namespace) -> int:
    jobs: int = args.jobs
    # Those that this process may use, e.g. with `taskset`; only Linux tells.
    affinity = getattr(os, "sched_getaffinity", None)
    cores = len(affinity(0)) if affinity else os.cpu_count() or 1
    return max(1, cores // jobs)


def scores_of(report: dict[str, Any], measures: Sequence[Measure]) -> Scores:
    """Extract the model's measures from a report of `inpaint-model evaluate`.

    Those whose evaluation network was missing are left out.
    """
    rows = {row["set"]: row["numbers"] for row in report["rows"] if row["method"] == "model"}
    return {
        measure: rows[measure.mask_set][measure.number]
        for measure in measures
        if measure.number in rows[measure.mask_set]
    }


def table(results: Mapping[str, list[Scores]], measures: Sequence[Measure], what: str) -> str:
    """Format a Markdown table with a row per variant: mean and standard deviation over seeds."""
    lines = [f"| {what} | " + " | ".join(measure.title for measure in measures) + " |"]
    lines.append("|---" * (len(measures) + 1) + "|")
    for variant, scores in results.items():
        cells = [mean_and_spread([run[measure] for run in scores], measure) for measure in measures]
        lines.append(f"| {variant} | " + " | ".join(cells) + " |")
    lines += ["", "KID is 1000 x kid768; ± is the standard deviation over seeds.", ""]
    return "\n".join(lines)


def mean_and_spread(values: Sequence[float], measure: Measure) -> str:
    """Format values as `1.23 ± 0.04`, a single one as `1.23`."""
    mean = f"{statistics.mean(values):.{measure.digits}f}"
    if len(values) == 1:
        return mean
    return f"{mean} ± {statistics.stdev(values):.{measure.digits}f}"
