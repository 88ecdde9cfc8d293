"""The longest time for which Krita's window stands still, on a document of 4096 x 4096 px.

    python -m benchmarks.krita

Needs a Krita on this machine (scripts/setup-hosts). The daemon is the scripted one, so that only
the plug-in and Krita are measured. Aim: 50 ms while reading; adding a layer and drawing the picture
anew are single calls of Krita's, and are told apart.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "tests/support"), str(ROOT / "plugins/krita")]


def main() -> int:
    from fake_daemon import FakeDaemon
    from krita_host import find, profile, run_scenario
    from xvfb import HostMissing, display

    try:
        host = find("native")
    except HostMissing as missing:
        print(f"krita: not measured, {missing}")
        return 0
    subprocess.run([sys.executable, ROOT / "plugins/build.py", "krita"], check=True)  # noqa: S603
    with tempfile.TemporaryDirectory() as folder, FakeDaemon() as daemon, display() as screen:
        with zipfile.ZipFile(ROOT / "build/plugins/inpaint_krita.zip") as packed:
            packed.extractall(folder)
        run = run_scenario(
            host,
            screen,
            "gap",
            home=profile(host, screen),
            plugin=Path(folder),
            environment={"INPAINT_SERVER": daemon.address},
            timeout=300,
        )
    value = run.value
    assert isinstance(value, dict)
    print(f"Krita {host.version}, 4096 x 4096 px, RGBA 8 bit: longest gap of the event loop")
    for stage, gap in value["gaps_ms"].items():
        print(f"  {stage.lower():12} {gap:7.1f} ms")
    print(f"  of it Krita's own: add a layer {value['add_layer_ms']:.1f} ms, ", end="")
    print(f"draw the picture anew {value['refresh_ms']:.1f} ms")
    return 0


if __name__ == "__main__":
    sys.exit(main())
