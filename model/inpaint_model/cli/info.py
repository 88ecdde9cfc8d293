"""`inpaint-model info`: show a bundle or checkpoint."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Mapping
from typing import Any


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument(
        "source",
        metavar="BUNDLE_OR_FILE",
        help="folder of a bundle, name of a bundled model, or checkpoint file",
    )
    parser.add_argument("--json", action="store_true", help="print a JSON object, for programs")


def run(args: argparse.Namespace) -> int:
    """Run the command."""
    from inpaint_model.bundle.manifest import read_bundle
    from inpaint_model.bundle.weights import check_weights
    from inpaint_model.cli.describe import describe_bundle, describe_checkpoint, describe_refusal
    from inpaint_model.importing import CheckpointError, find_source, import_checkpoint

    path = find_source(args.source)
    if (path / "model.yaml").exists():
        info = read_bundle(path)
        check_weights(info)
        description = describe_bundle(info)
    else:
        try:
            description = describe_checkpoint(import_checkpoint(path))
        except CheckpointError as error:
            if not error.facts:
                raise
            description = describe_refusal(path, error)
    if args.json:
        print(json.dumps(description, indent=2))
    else:
        width = max(len(key) for key, _ in _lines(description))
        for key, value in _lines(description):
            print(f"{key:<{width}}  {value}")
    return 0


def _lines(description: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Yield labels and texts, without empty values."""
    for key, value in description.items():
        name = f"{prefix}{key}".replace("_", " ")
        if isinstance(value, Mapping):
            yield from _lines(value, f"{name}: ")
        elif isinstance(value, list | tuple):
            if value:
                yield name, ", ".join(map(str, value))
        elif isinstance(value, bool):
            yield name, "yes" if value else "no"
        elif value not in (None, ""):
            yield name, f"{value:,}" if isinstance(value, int) and value > 9999 else str(value)
