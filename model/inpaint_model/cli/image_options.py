"""Options by which commands take images: several sources, read as one set."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path


def add_sources(
    parser: argparse.ArgumentParser, flag: str, use: str, required: bool = False
) -> None:
    """`flag` takes one folder or zip, or several; `use` says what the images are for."""
    parser.add_argument(
        flag,
        nargs="+",
        action="extend",
        metavar="ZIP|DIR[:PREFIX]",
        required=required,
        help=f"{use}; several folders or zips are read as one set",
    )


def add_replacements(parser: argparse.ArgumentParser, flag: str) -> None:
    """--replace, for the images of `flag`."""
    parser.add_argument(
        "--replace",
        metavar="ZIP|DIR[:PREFIX]",
        help=f"sharper copies, which take the place of the images in {flag} with the same names",
    )


def file_names(sources: Sequence[str]) -> str:
    """Return the sources for a report: without the folders in which they lie."""
    return ", ".join(Path(source).name for source in sources)
