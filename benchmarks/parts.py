"""How long it takes from a part of a face to candidates: `python -m benchmarks.parts`.

In the real Krita and GIMP, with the shipped model on this CPU: a part is selected and filled with
four candidates, from the click on the part (GIMP: the call of its procedure) to the first and the
last layer. GIMP's procedure inserts all layers at the end. The image is an enlarged portrait with
grain that covers half of it. Needs both editors on this machine (scripts/setup-hosts).
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.travel import PATIENCE_S, ROOT, draw, served

AIM_S = 3.0


def krita(image: Path, parts: Sequence[str], folder: Path) -> list[dict[str, Any]]:
    """Select and fill each part in one Krita, and return the times in s."""
    from krita_host import find, profile, run_scenario
    from xvfb import display

    subprocess.run([sys.executable, ROOT / "plugins/build.py", "krita"], check=True)  # noqa: S603
    with zipfile.ZipFile(ROOT / "build/plugins/inpaint_krita.zip") as packed:
        packed.extractall(folder / "plugin")
    host = find("native")
    with display() as screen, served(folder) as daemon:
        run = run_scenario(
            host,
            screen,
            "part_fill",
            home=profile(host, screen),
            plugin=folder / "plugin",
            files={"image.png": image},
            arguments={"parts": parts},
            environment=daemon.environment,
            opengl=False,  # where there is a GPU, it draws the canvas
            timeout=PATIENCE_S,
        )
    return list(run.value["times"])


def gimp(image: Path, parts: Sequence[str], folder: Path) -> list[dict[str, Any]]:
    """Select and fill each part in one GIMP without a window, and return the times in s."""
    from gimp_host import find, new_profile
    from inpaint_install.gimp import unpack

    subprocess.run([sys.executable, ROOT / "plugins/build.py", "gimp"], check=True)  # noqa: S603
    unpack(ROOT / "build/plugins/inpaint-gimp.zip", folder / "plug-in/inpaint-gimp")
    host = find()
    warm = new_profile(host)
    warm.console("nothing")
    profile = new_profile(host, folder / "plug-in/inpaint-gimp", like=warm)
    profile.out.mkdir()
    local = Path(shutil.copy(image, profile.out))
    with served(folder) as daemon:
        profile.environment.update(daemon.environment)
        profile.environment["PYTHONDONTWRITEBYTECODE"] = ""  # as for users: compiled only once
        found = profile.console("part_fill", timeout_s=PATIENCE_S, image=str(local), parts=parts)
    assert isinstance(found.value, list)
    assert all(each["status"] == [["success", ""]] * 2 for each in found.value), found.value
    return found.value


def main() -> None:
    """Print a table in Markdown."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--editors",
        nargs="+",
        default=["krita", "gimp"],
        help="editors to measure (default: krita gimp)",
    )
    parser.add_argument(
        "--parts",
        nargs="+",
        default=["eyes", "mouth", "hair"],
        help="parts to fill (default: eyes mouth hair)",
    )
    parser.add_argument("--side", type=int, default=1350, help="side in px (default: 1350)")
    parser.add_argument("--rounds", type=int, default=5, help="fills of each part (default: 5)")
    args = parser.parse_args()
    print(f"Load before: {os.getloadavg()[0]:.1f}. Times in s, medians; in the aim: {AIM_S:.0f} s.")
    print("| | selected | first layer | last layer | slowest | in the aim |")
    print("|---|---|---|---|---|---|")
    for editor, measure in (("krita", krita), ("gimp", gimp)):
        if editor not in args.editors:
            continue
        with tempfile.TemporaryDirectory() as name:
            image = Path(name) / "image.png"
            draw(image, args.side, 8)
            times = measure(image, args.parts * args.rounds, Path(name))
        for part in args.parts:
            of_part = [each for each in times if each["part"] == part]
            selected, first, filled = (
                np.array([each.get(key, each["filled_s"]) for each in of_part])
                for key in ("selected_s", "first_s", "filled_s")
            )
            print(
                f"| {editor}, {args.side} px, {part} | {np.median(selected):.1f} "
                f"| {np.median(first):.1f} | {np.median(filled):.1f} "
                f"| {filled.max():.1f} | {(filled < AIM_S).sum()} of {len(filled)} |",
                flush=True,
            )
    print(f"Load after: {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
