"""Table 2 of the paper again: five archs, several seeds, one common generator.

    python -m benchmarks.ablation --generator RUN/bundle --images faces.zip:val \\
        --metrics-dir metrics --out runs/ablation [--preset compact-128] [--kimg 20] [--seeds 3]

Trains and judges every arch with every seed, skipping what is finished, and writes table.md: mean
and spread over seeds, and whether the paper's three orderings hold. Trainings share the holes and
pictures of their seed, so that archs are compared on the same ones.
"""

from __future__ import annotations

import argparse
import json
import statistics
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


def train_and_judge(args: argparse.Namespace, arch: Arch, seed: int) -> dict[str, float]:
    """kid768 x 1000 of one run on each mask set."""
    folder = args.out / f"{arch}-{seed}"
    report = folder / "report" / "report.json"
    if not report.exists():
        train = ["train", "inpainter", "--generator", args.generator, "--preset", args.preset]
        train += ["--arch", arch, "--seed", seed, "--out", folder, "--total-kimg", args.kimg]
        train += ["--batch-size", args.batch_size, "--lr", args.lr, *args.train]
        judge = ["evaluate", folder / "bundle", "--images", args.images, "--out", report.parent]
        judge += ["--metrics-dir", args.metrics_dir, "--sets", ",".join(SETS), "--seeds", 1]
        judge += ["--diversity", 0, "--no-baselines", "--cache", args.out / "cache"]
        judge += ["--device", args.device]
        for command in (train, judge):
            if inpaint_model([str(part) for part in command]) != 0:
                raise SystemExit(f"{arch}, seed {seed}: see the message above")
    return scores_of(json.loads(report.read_text("utf-8")))


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
    parser.add_argument("--preset", default="compact-128")
    parser.add_argument("--kimg", type=float, default=20)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--batch-size", type=int, default=8)
    parser.add_argument("--lr", type=float, default=3e-4)
    parser.add_argument("--device", default="cpu")
    parser.add_argument(
        "train", nargs="*", help="further arguments for `train inpainter`, after --"
    )
    args = parser.parse_args(arguments)
    results: dict[Arch, list[dict[str, float]]] = {
        arch: [train_and_judge(args, arch, seed) for seed in range(args.seeds)] for arch in ARCHS
    }
    text = table(results)
    (args.out / "table.md").write_text(text, "utf-8")
    print(text)


if __name__ == "__main__":
    main()
