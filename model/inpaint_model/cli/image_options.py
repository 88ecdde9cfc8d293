"""Options for sets of images."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path


def add_sources(
    parser: argparse.ArgumentParser, flag: str, use: str, required: bool = False
) -> None:
    """Add `flag` for folders or zips; `use` starts its help."""
    parser.add_argument(
        flag,
        nargs="+",
        action="extend",
        metavar="ZIP|DIR[:PREFIX]",
        required=required,
        help=f"{use}; several folders or zips are combined",
    )


def add_replacements(parser: argparse.ArgumentParser, flag: str) -> None:
    """Add --replace."""
    parser.add_argument(
        "--replace",
        metavar="ZIP|DIR[:PREFIX]",
        help=f"sharper copies that replace the images of the same names in {flag}",
    )


def file_names(sources: Sequence[str]) -> str:
    """Return the sources without parent folders, for a report."""
    return ", ".join(Path(source).name for source in sources)
