r"""Repeat Table 2 of the paper: five archs, several seeds, one common generator.

    python -m benchmarks.ablation --generator RUN/bundle --images faces.zip:val \
        --metrics-dir metrics --out runs/ablation [--preset compact-64] [--kimg 20] [--seeds 3]

Writes table.md: mean and standard deviation over seeds, and whether the paper's three orderings
hold.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from typing import NamedTuple

from inpaint_model.networks.config import TABLE_2, Ablation

from benchmarks import trainings
from benchmarks.trainings import Measure, Scores

MEASURES = (
    Measure("KID, easy", "kid768_x1000", "easy", 2),
    Measure("KID, hard", "kid768_x1000", "hard", 2),
    Measure("KID, all", "kid768_x1000", "all", 2),
    Measure("VGG distance, all", "vgg", "all", 3),
)
DECISIVE = MEASURES[2:]  # measures that decide the orderings


class Ordering(NamedTuple):
    """A claim of the paper: the first arch is better than the second."""

    claim: str
    better: Ablation
    worse: Ablation


ORDERINGS = (
    Ordering("hierarchical better than flat on W+", "hierarchical-w", "divinversion-first"),
    Ordering(
        "hierarchical two-stage better than plain two-stage",
        "hierarchical-two-stage",
        "divinversion-two-stage",
    ),
    Ordering("single stage better than two-stage", "hierarchical", "hierarchical-two-stage"),
)


def orderings(results: Mapping[str, list[Scores]]) -> str:
    """Format each claim in Markdown, with the seeds that support it and the difference."""
    lines = []
    for claim, better, worse in ORDERINGS:
        for measure in DECISIVE:
            pairs = zip(results[better], results[worse], strict=True)
            gaps = [there[measure] - here[measure] for here, there in pairs]
            wins = sum(gap > 0 for gap in gaps)
            by = trainings.mean_and_spread(gaps, measure)
            lines.append(f"- {claim}, {measure.title}: {wins} of {len(gaps)} seeds, by {by}")
    return "\n".join(lines)


def main(arguments: list[str] | None = None) -> None:
    """Train, measure and compare the archs."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    trainings.add_arguments(parser)
    args = parser.parse_args(arguments)
    results = trainings.results_of(args, {arch: ["--arch", arch] for arch in TABLE_2}, MEASURES)
    text = f"{trainings.table(results, MEASURES, 'arch')}\n{orderings(results)}\n"
    (args.out / "table.md").write_text(text, "utf-8")
    print(text)


if __name__ == "__main__":
    main()
