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

from inpaint_model.cli import main as inpaint_model
from inpaint_model.config import ARCHS, Arch

SETS = ("easy", "hard", "all")


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
        command += ["--threads", max(1, (os.cpu_count() or 1) // args.jobs)]
    inpaint_model_or_exit(run, command)


def judge(args: argparse.Namespace, run: Run) -> dict[str, float]:
    """kid768 x 1000 of a finished run on each mask set."""
    report = run.folder(args.out) / "report" / "report.json"
    if not report.exists():
        command = ["evaluate", run.folder(args.out) / "bundle", "--images", args.images]
        command += ["--out", report.parent, "--metrics-dir", args.metrics_dir]
        command += ["--sets", ",".join(SETS), "--seeds", 1, "--diversity", 0, "--no-baselines"]
        command += ["--cache", args.out / "cache", "--device", args.device]
        inpaint_model_or_exit(run, command)
    return scores_of(json.loads(report.read_text("utf-8")))


def inpaint_model_or_exit(run: Run, command: Sequence[object]) -> None:
    if inpaint_model([str(part) for part in command]) != 0:
        raise SystemExit(f"{run.arch}, seed {run.seed}: see the message above")


def scores_of(report: dict[str, Any]) -> dict[str, float]:
    """The model's kid768 x 1000 on each set, from a report of `inpaint-model evaluate`."""
    rows = [row for row in report["rows"] if row["method"] == "model"]
    return {row["set"]: row["numbers"]["kid768_x1000"] for row in rows}


def table(results: dict[Arch, list[dict[str, float]]]) -> str:
    """Markdown: a row an arch, mean and standard deviation over seeds; then the orderings."""
    lines = ["| arch | " + " | ".join(SETS) + " |", "|---" * (len(SETS) + 1) + "|"]
    means: dict[Arch, dict[str, float]] = {}
    for arch, runs in results.items():
        cells = []
        means[arch] = {}
        for name in SETS:
            values = [run[name] for run in runs]
            spread = statistics.stdev(values) if len(values) > 1 else 0.0
            means[arch][name] = statistics.mean(values)
            cells.append(f"{means[arch][name]:.2f} ± {spread:.2f}")
        lines.append(f"| {arch} | " + " | ".join(cells) + " |")
    lines += ["", "1000 x kid768, lower is better; ± is the standard deviation over seeds.", ""]
    for claim, better, worse in ORDERINGS:
        pairs = zip(results[better], results[worse], strict=True)
        wins = sum(a["all"] < b["all"] for a, b in pairs)
        gap = means[worse]["all"] - means[better]["all"]
        lines.append(f"- {claim}: {wins} of {len(results[better])} seeds, mean gap {gap:+.2f}")
    return "\n".join(lines) + "\n"


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
    results: dict[Arch, list[dict[str, float]]] = {arch: [] for arch in ARCHS}
    for run in runs:
        results[run.arch].append(judge(args, run))
    text = table(results)
    (args.out / "table.md").write_text(text, "utf-8")
    print(text)


if __name__ == "__main__":
    main()
