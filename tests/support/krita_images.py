"""A Krita that works with a real daemon and a model, for the images of the documentation."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Mapping
from pathlib import Path

from daemons import DaemonProcess
from krita_host import ROOT, Run, find, profile, run_scenario


def run_for_images(
    scenario: str,
    screen: str,
    image: Path,
    arguments: Mapping[str, object],
    *,
    model: str = "portrait",
    host: str = "native",
    settings: str = "",
    others: Mapping[str, Path] | None = None,
) -> Run:
    """Run a scenario with the plug-in as it is shipped.

    The image lies in its output folder as `image.png`, beside the `others`. To its arguments comes
    `pid`, the daemon's. `settings` go to the top of its kritarc.
    """
    subprocess.run([sys.executable, ROOT / "plugins/build.py", "krita"], check=True)
    krita = find(host)
    with (
        tempfile.TemporaryDirectory() as folder,
        DaemonProcess(Path(folder), "--model", model) as daemon,
    ):
        plugin = Path(folder) / "plugin"
        with zipfile.ZipFile(ROOT / "build/plugins/inpaint_krita.zip") as packed:
            packed.extractall(plugin)
        runtime = daemon.runtime()
        return run_scenario(
            krita,
            screen,
            scenario,
            home=profile(krita, screen),
            plugin=plugin,
            files={"image.png": image, **(others or {})},
            arguments={**arguments, "pid": daemon.process.pid},
            environment={
                "INPAINT_SERVER": runtime["address"],
                "INPAINT_TOKEN": runtime["token"],
            },
            settings=settings,
            timeout=300,
        )
