"""`make demo`: a daemon, the example image, four candidates with two variants each.

Everything happens in out/demo and in a daemon of its own, which is stopped in the end.

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

import numpy as np
from PIL import Image, ImageDraw

HERE = Path(__file__).resolve().parent
OUT = HERE.parent / "out" / "demo"
START_TIMEOUT_S = 180.0


def main() -> int:
    """Run the demo; returns the exit status."""
    parser = argparse.ArgumentParser(description="Fill the example image through a daemon.")
    parser.add_argument("--candidates", type=int, default=4, metavar="N", help="default: 4")
    parser.add_argument("--sheet", type=Path, metavar="JPEG", help="write the sheet there, too")
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
    """Whether the daemon has come up."""
    until = time.monotonic() + START_TIMEOUT_S
    while not runtime_file.exists():
        if daemon.poll() is not None or time.monotonic() > until:
            return False
        time.sleep(0.1)
    return True


def fill(environment: dict[str, str], candidates: int) -> Path:
    """Fill the example through the command that users have; returns the sheet's path."""
    info = json.loads(run(environment, "info", "--json"))
    model = next(model for model in info["models"] if model["is_default"])
    print(f"== {info['device']} ({info['precision']}), model {model['name']}")
    if model["name"] == "tiny":
        print(
            "   This is an UNTRAINED network with random weights, because this installation lacks\n"
            "   the portrait model: the fills are colored noise, only the way to them is real."
        )
    image, mask = example()
    variants = [
        f"--variant={direction['name']}={0.7 * direction['maximum']:.2f}"
        for direction in model["directions"][:2]
    ]
    told = run(
        environment, "fill", str(image), "--mask", str(mask), "--out", str(OUT),
        "-n", str(candidates), "--seed", "1", *variants, "--json",
    )  # fmt: skip
    result: dict[str, Any] = json.loads(told.splitlines()[-1])
    timings = result["timings"]
    print(
        f"== {len(result['candidates'])} images; first candidate after "
        f"{timings['first_candidate']:.0f} ms, all after {timings['total']:.0f} ms"
    )
    sheet = Path(result["sheet"]).resolve()
    print(f"== look at {sheet}")
    return sheet


def run(environment: dict[str, str], *arguments: str) -> str:
    """What `inpaint` prints; its progress goes to the terminal."""
    return subprocess.run(  # noqa: S603 (our own command)
        [sys.executable, "-m", "inpaint_cli", *arguments],
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    ).stdout


def example() -> tuple[Path, Path]:
    """The example image and its mask; stand-ins are drawn where there is none yet."""
    image, mask = HERE / "portrait.png", HERE / "portrait-mask.png"
    if not image.exists():
        image = OUT / "test-card.png"
        y, x = np.mgrid[:512, :512] / 511
        Image.fromarray((np.dstack([x, y, 1 - x]) * 255).astype(np.uint8)).save(image)
    if not mask.exists():
        mask = OUT / "mask.png"
        with Image.open(image) as opened:
            width, height = opened.size
        drawn = Image.new("L", (width, height))
        ImageDraw.Draw(drawn).ellipse(
            (0.22 * width, 0.42 * height, 0.62 * width, 0.80 * height), fill=255
        )
        drawn.save(mask)
    return image, mask


if __name__ == "__main__":
    sys.exit(main())
