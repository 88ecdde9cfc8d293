"""Render the fills of format-1 again, into fills-2: `PYTHONPATH=tests/support python FILE`.

Only when a change of the fills is meant. They are written in fp32, which all CPUs have.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from daemons import DaemonProcess
from test_golden import (  # type: ignore[import-not-found]
    FILLS,
    GOLDEN,
    candidates,
    samples,
    wire,
)

RECIPES = {
    "fill/candidate-00.png": "fill/recipe-00.json",
    "fill/candidate-00-variant-00.png": "fill/recipe-00-variant-00.json",
    "fill/candidate-01.png": "fill/recipe-01.json",
    "fill/candidate-01-variant-00.png": "fill/recipe-01-variant-00.json",
    "mixed/candidate-00.png": "mixed/recipe-00.json",
}


def main() -> None:
    """Write the folder and its checksums."""
    model = ("--model", str(GOLDEN / "bundle"))
    with (
        tempfile.TemporaryDirectory() as name,
        DaemonProcess(Path(name), *model, config="precision: fp32") as daemon,
    ):
        daemon.runtime()
        environment = {**os.environ, "XDG_RUNTIME_DIR": str(daemon.folder)}
        for fill, recipe in RECIPES.items():
            out = Path(name) / "out"
            command = [sys.executable, "-m", "inpaint_cli", "edit", recipe, "--image"]
            command += ["picture.png", "--mask", "mask.png", "--out", str(out)]
            subprocess.run(command, cwd=GOLDEN, env=environment, check=True)
            (FILLS / fill).parent.mkdir(parents=True, exist_ok=True)
            shutil.move(out / "candidate-00.png", FILLS / fill)
            shutil.rmtree(out)
        for kind in ("fill", "edit"):
            with daemon.caller() as caller:
                call: Any = caller.channel.stream_stream(f"/inpaint.v1.Inpaint/{kind.title()}")
                answer = list(call(iter(wire(kind)[0]), metadata=caller.metadata, timeout=120))
            fills = [samples(each.patches[0].fill) for each in candidates(answer)]
            np.savez_compressed(FILLS / f"wire-{kind}.npz", *fills)
    files = [path for path in sorted(FILLS.rglob("*")) if path.is_file()]
    sums = {
        path.relative_to(FILLS).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in files
    }
    FILLS.with_suffix(".json").write_text(json.dumps(sums, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
