"""`make demo`: start a daemon, fill the example image, make two variants of four candidates.

The results are in out/demo. The daemon is separate from others and is stopped at the end.

    examples/demo.py --candidates 2 --sheet docs/images/demo.jpg   # the image of README.md
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from inpaint_client.example import MASK, PORTRAIT
from PIL import Image

HERE = Path(__file__).resolve().parent
OUT = HERE.parent / "out" / "demo"
START_TIMEOUT_S = 180.0
EDITS = {"skin_lightness", "smile"}  # that show in the example, if the model has them


def main() -> int:
    """Run the demo; return the exit status."""
    parser = argparse.ArgumentParser(description="Fill the example image through a daemon.")
    parser.add_argument("--candidates", type=int, default=4, metavar="N", help="default: 4")
    parser.add_argument("--sheet", type=Path, metavar="JPEG", help="also write the sheet there")
    arguments = parser.parse_args()
    OUT.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="inpaint-demo-") as runtime:
        environment = {**os.environ, "XDG_RUNTIME_DIR": runtime}
        for name in ("INPAINT_SERVER", "INPAINT_TOKEN"):
            environment.pop(name, None)
        print("== starting inpaint-server", flush=True)
        log = OUT / "server.log"
        with log.open("w") as output:
            daemon = subprocess.Popen(
                [sys.executable, "-m", "inpaint_server"],
                env=environment,
                stdout=output,
                stderr=output,
            )
        try:
            if not wait_for(daemon, Path(runtime, "inpaint", "server.json")):
                print(f"the daemon did not start; see {log}", file=sys.stderr)
                return 1
            sheet = fill(environment, arguments.candidates)
        finally:
            daemon.send_signal(signal.SIGTERM)
            daemon.wait()
            print("== the daemon has stopped")
    if arguments.sheet is not None:
        with Image.open(sheet) as image:
            image.convert("RGB").save(arguments.sheet, quality=90)
    return 0


def wait_for(daemon: subprocess.Popen[bytes], runtime_file: Path) -> bool:
    """Wait for the daemon; return whether it has started."""
    until = time.monotonic() + START_TIMEOUT_S
    while not runtime_file.exists():
        if daemon.poll() is not None or time.monotonic() > until:
            return False
        time.sleep(0.1)
    return True


def fill(environment: dict[str, str], candidates: int) -> Path:
    """Fill the example with the `inpaint` command; return the path of the sheet."""
    info = json.loads(run(environment, "info", "--json"))
    model = next(model for model in info["models"] if model["is_default"])
    print(f"== {info['device']} ({info['precision']}), model {model['name']}")
    if model["name"] == "tiny":
        print(
            "   This installation lacks the portrait model, so the demo uses an UNTRAINED network\n"
            "   with random weights: the fills are colored noise."
        )
    variants = [
        f"--variant={direction['name']}={0.7 * direction['maximum']:.2f}"
        for direction in sorted(model["directions"], key=lambda each: each["name"] not in EDITS)[:2]
    ]
    told = run(
        environment, "fill", str(PORTRAIT), "--mask", str(MASK), "--out", str(OUT),
        "-n", str(candidates), "--seed", "1", *variants, "--json",
    )  # fmt: skip
    result: dict[str, Any] = json.loads(told.splitlines()[-1])
    timings = result["timings"]
    print(
        f"== {len(result['candidates'])} images; first candidate after "
        f"{timings['first_candidate']:.0f} ms, all after {timings['total']:.0f} ms"
    )
    sheet = Path(result["sheet"]).resolve()
    print(f"== the results are in {sheet}")
    return sheet


def run(environment: dict[str, str], *arguments: str) -> str:
    """Run `inpaint` and return its output; progress is shown in the terminal."""
    return subprocess.run(  # noqa: S603 (our own command)
        [sys.executable, "-m", "inpaint_cli", *arguments],
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    ).stdout


if __name__ == "__main__":
    sys.exit(main())
