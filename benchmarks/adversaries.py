r"""Compare discriminators for the inpainter: the paper's, projected ones, or both.

    python -m benchmarks.adversaries --generator RUN/bundle --images faces.zip:val \
        --metrics-dir metrics --out runs/adversaries --feature-networks lite0.pt face.pt

RUN/bundle is a generator trained with `--with-discriminator`, so that all discriminators start from
what they learned with it. Writes table.md: mean and standard deviation over seeds.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from benchmarks import trainings
from benchmarks.trainings import Measure

MEASURES = (
    Measure("KID, easy", "kid768_x1000", "easy", 2),
    Measure("KID, hard", "kid768_x1000", "hard", 2),
    Measure("KID, whole", "kid768_x1000", "whole", 2),
    Measure("VGG distance, hard", "vgg", "hard", 3),
    Measure("diversity, hard", "diversity_relative", "hard", 2),
)


def main(arguments: list[str] | None = None) -> None:
    """Train, measure and compare the inpainters."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    trainings.add_arguments(parser)
    parser.add_argument(
        "--feature-networks",
        type=Path,
        nargs="+",
        required=True,
        metavar="FILE",
        help="networks of the projected discriminators",
    )
    parser.add_argument(
        "--lambda-projected",
        type=float,
        default=0.1,
        help="weight of the projected adversarial loss (default: 0.1)",
    )
    args = parser.parse_args(arguments)
    projected = ["--lambda-projected", args.lambda_projected]
    projected += ["--feature-networks", *args.feature_networks]
    variants = {
        "the paper's": [],
        "projected": ["--lambda-adversarial", 0, *projected],
        "both": projected,
    }
    text = trainings.table(trainings.results_of(args, variants, MEASURES), MEASURES, "adversary")
    (args.out / "table.md").write_text(text, "utf-8")
    print(text)


if __name__ == "__main__":
    main()
