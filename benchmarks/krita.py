"""How long Krita's window is blocked during a fill of a document of 4096 x 4096 px.

    python -m benchmarks.krita

Needs Krita on this machine (scripts/setup-hosts). The daemon is scripted, so that only the plug-in
and Krita are measured. A turn is the time for which the plug-in blocks Krita's event loop; the goal
is 50 ms. Krita's own work is reported separately: without a GPU its canvas alone takes longer.
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
    """Measure in a real Krita and return the exit status."""
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
            settings="useOpenGL=false\ncanvasState=OPENGL_FAILED",
            timeout=300,
        )
    value = run.value
    assert isinstance(value, dict)
    print(f"Krita {host.version}, 4096 x 4096 px, RGBA 8 bit, times in ms")
    longest, turns = value["longest_turn_ms"], value["turns"]
    print(f"  the plug-in's longest turn {longest:.0f} (goal 50), of {turns} turns")
    for took, place in value["longest_turns"]:
        print(f"    {took:.0f}: {place}")
    gaps = ", ".join(f"{name.lower()} {gap:.0f}" for name, gap in value["gaps_ms"].items())
    print(f"  longest gap of the event loop: {gaps}; when idle {value['idle_ms']:.0f}")
    print(f"  single calls of Krita: add a layer {value['add_layer_ms']:.0f}, ", end="")
    print(f"redraw the image {value['refresh_ms']:.0f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
