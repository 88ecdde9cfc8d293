"""Take the images of the page about Krita: the docker in a live Krita, and the portrait model.

    .venv/bin/python tests/hosts/krita_screenshots.py docs/images
    .venv/bin/python tests/hosts/krita_screenshots.py build/shots --states --language de

The second command takes the docker in all its states, to check a change of its looks.
Needs what `make test-hosts` needs. Examine the images before you commit them.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from pathlib import Path

from inpaint_client.example import PORTRAIT

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / folder) for folder in ("tests/support", "server", "plugins/client")]

from krita_images import run_for_images  # noqa: E402
from linen import paint_on_linen  # noqa: E402
from xvfb import display  # noqa: E402

EDITS = [("yaw", "1.2")]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("out", type=Path, metavar="FOLDER")
    parser.add_argument("--image", type=Path, default=PORTRAIT)
    parser.add_argument("--box", default="150,215,220,225", help="X,Y,WIDTH,HEIGHT of an ellipse")
    parser.add_argument("--seed", type=int, default=50, help="of the first of four candidates")
    parser.add_argument("--model", default="portrait", help="a bundle")
    parser.add_argument("--edit", nargs=2, action="append", metavar=("NAME", "VALUE"))
    parser.add_argument("--host", default="native", choices=("native", "trixie", "unstable"))
    parser.add_argument("--states", action="store_true", help="take all states of the docker")
    parser.add_argument("--theme", default="Krita dark", help="Krita's color theme")
    parser.add_argument("--language", default="", help="of the plug-in (default: English)")
    arguments = parser.parse_args()
    box = [int(part) for part in arguments.box.split(",")]
    with display() as screen, tempfile.TemporaryDirectory() as folder:
        painting = Path(folder) / "linen.png"
        paint_on_linen(painting)
        run = run_for_images(
            "views" if arguments.states else "screenshots",
            screen,
            arguments.image,
            {
                "box": box,
                "selection": box,
                "seed": arguments.seed,
                "edits": {name: float(value) for name, value in arguments.edit or EDITS},
            },
            model=arguments.model,
            host=arguments.host,
            settings=f"language={arguments.language}\n[theme]\nTheme={arguments.theme}\n",
            others={painting.name: painting},
        )
    arguments.out.mkdir(parents=True, exist_ok=True)
    for image in sorted(run.out.glob("*.png" if arguments.states else "krita-*.png")):
        if image.name == "image.png":
            continue
        print(shutil.copy(image, arguments.out))


if __name__ == "__main__":
    main()
