"""Take the images of docs/guide/krita.md: the docker in a live Krita, on a given image and model.

    .venv/bin/python tests/hosts/krita_screenshots.py IMAGE X,Y,WIDTH,HEIGHT OUT [--model BUNDLE]

Needs what `make test-hosts` needs. The rectangle is what will be filled. Look at the images
before you commit them.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / folder) for folder in ("tests/support", "server", "plugins/client")]

from daemons import DaemonProcess  # noqa: E402
from krita_host import find, profile, run_scenario  # noqa: E402
from xvfb import display  # noqa: E402


def main() -> None:
    parser = argparse.ArgumentParser(description="Take the images of docs/guide/krita.md.")
    parser.add_argument("image", type=Path, help="a PNG file")
    parser.add_argument("box", help="X,Y,WIDTH,HEIGHT of the rectangle that is selected")
    parser.add_argument("out", type=Path)
    parser.add_argument("--model", default="tiny", help="a bundle")
    parser.add_argument("--edit", nargs=2, action="append", default=[], metavar=("NAME", "VALUE"))
    parser.add_argument("--host", default="native", choices=("native", "trixie", "unstable"))
    arguments = parser.parse_args()
    subprocess.run([sys.executable, ROOT / "plugins/build.py", "krita"], check=True)
    host = find(arguments.host)
    with (
        tempfile.TemporaryDirectory() as folder,
        display() as screen,
        DaemonProcess(Path(folder), "--model", arguments.model) as daemon,
    ):
        plugin = Path(folder) / "plugin"
        with zipfile.ZipFile(ROOT / "build/plugins/inpaint_krita.zip") as packed:
            packed.extractall(plugin)
        runtime = daemon.runtime()
        run = run_scenario(
            host,
            screen,
            "screenshots",
            home=profile(host, screen),
            plugin=plugin,
            files={"image.png": arguments.image},
            arguments={
                "box": [int(part) for part in arguments.box.split(",")],
                "edits": {name: float(value) for name, value in arguments.edit},
            },
            environment={
                "INPAINT_SERVER": runtime["address"],
                "INPAINT_TOKEN": runtime["token"],
            },
        )
    arguments.out.mkdir(parents=True, exist_ok=True)
    for image in sorted(run.out.glob("krita-*.png")):
        print(shutil.copy(image, arguments.out))


if __name__ == "__main__":
    main()
