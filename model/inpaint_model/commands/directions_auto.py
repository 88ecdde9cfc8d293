"""`inpaint-model directions auto`: every attribute, from samples to the report, in one command."""

from __future__ import annotations

import argparse

from inpaint_model.commands import directions_check, directions_svm
from inpaint_model.commands.directions_options import positive


def add_arguments(parser: argparse.ArgumentParser) -> None:
    directions_check.add_own_arguments(parser)
    parser.add_argument(
        "--fit-samples", type=positive, default=6000, metavar="N", help="(default %(default)s)"
    )
    parser.add_argument("--fit-seed", type=int, default=0, help="of the first (default 0)")


def run(args: argparse.Namespace) -> int:
    fit = argparse.Namespace(
        bundle=args.bundle,
        attributes="all",
        remove="all",
        layers="auto",
        extremes=0.04,
        samples=args.fit_samples,
        seed=args.fit_seed,
        truncation=1.0,
        scorer=args.scorer,
        judge=args.judge,
        device=args.device,
    )
    directions_svm.run(fit)
    args.names = []
    return directions_check.run(args)
