"""How long an artist waits while images are sent: `python -m benchmarks.travel`.

In the real Krita and GIMP, with the shipped model on this CPU, it measures the time from the click
to GIMP's dialog and from *Fill* to the first layer and to the last, the daemon's share of that, how
long the plug-in blocks the window, and how many bytes are sent and received. In Krita, a candidate
is then chosen and edited, and the calls in which Krita draws the image are timed separately. The
image is an enlarged portrait with grain that covers half of it; the holes are its eyes and half of
its head. Needs both editors on this machine (scripts/setup-hosts).
"""

from __future__ import annotations

import argparse
import asyncio
import json
import subprocess
import sys
import tempfile
import threading
import time
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import imagecodecs
import numpy as np
from inpaint_client.example import PORTRAIT
from PIL import Image

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "tests/support"), str(ROOT / "plugins/krita")]

FACE = 0.56  # side of the face's square, relative to the image's side
HOLES = {  # in the face's square: left, top, width, height
    "eyes": (0.2, 0.38, 0.6, 0.2),
    "half": (0.12, 0.06, 0.38, 0.9),
}
GIMP_DIALOG = r"^Inpaint \(StyleGAN\)"
PATIENCE_S = 400
_CLOCK = ROOT / "tests/hosts/gimp_scenarios/clock_entry.py"


class Case(NamedTuple):
    """An image and a selection."""

    side: int
    bits: int
    hole: str

    @property
    def box(self) -> list[int]:
        """The selection: x, y, width and height in px."""
        face = FACE * self.side
        origin = (self.side - face) / 2
        x, y, width, height = HOLES[self.hole]
        return [
            round(v) for v in (origin + x * face, origin + y * face, width * face, height * face)
        ]


def draw(path: Path, side: int, bits: int) -> None:
    """Write a portrait in the middle of a PNG with grain, with 8 or 16 bits per sample."""
    with Image.open(PORTRAIT) as portrait:
        small = np.asarray(portrait.convert("RGB"))
    margin = round(len(small) * (1 / FACE - 1) / 2)
    wide = np.pad(small, ((margin, margin), (margin, margin), (0, 0)), mode="edge")
    large = np.asarray(Image.fromarray(wide).resize((side, side), Image.Resampling.LANCZOS))
    grain = np.random.default_rng(0).normal(0, 2, large.shape[:2])[..., None]
    top = 2**bits - 1
    values = ((large + grain).clip(0, 255) * (top / 255)).round()
    path.write_bytes(imagecodecs.png_encode(values.astype(f"u{bits // 8}"), 1))


def as_krita_stores(png: Path) -> Path:
    """Write the image as the bytes of a Krita layer, next to the PNG."""
    path = png.with_suffix(".bgra")
    if not path.exists():
        rgb = imagecodecs.png_decode(png.read_bytes())
        opaque = np.full_like(rgb[..., :1], np.iinfo(rgb.dtype).max)
        path.write_bytes(np.concatenate([rgb[..., ::-1], opaque], axis=2).tobytes())
    return path


class Counter:
    """Forwards bytes to a daemon and counts them."""

    def __init__(self, target: str) -> None:
        self._host, _, port = target.rpartition(":")
        self._port = int(port)
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self.address = ""
        self.up = self.down = 0
        threading.Thread(target=self._serve, daemon=True).start()
        self._ready.wait()

    def reset(self) -> None:
        """Count from 0."""
        self.up = self.down = 0

    def _serve(self) -> None:
        asyncio.set_event_loop(self._loop)
        server = self._loop.run_until_complete(asyncio.start_server(self._meet, "127.0.0.1", 0))
        self.address = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
        self._ready.set()
        self._loop.run_forever()

    async def _meet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection(self._host, self._port)
        await asyncio.gather(
            self._pass(reader, far_writer, "up"), self._pass(far_reader, writer, "down")
        )

    async def _pass(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, way: str
    ) -> None:
        try:
            while data := await reader.read(1 << 18):
                setattr(self, way, getattr(self, way) + len(data))
                writer.write(data)
                await writer.drain()
        except ConnectionError:
            pass
        finally:
            writer.close()


@dataclass
class Served:
    """A running daemon behind the counter."""

    counter: Counter
    token: str
    log: Path

    @property
    def environment(self) -> dict[str, str]:
        """Environment variables that make a plug-in use this daemon."""
        return {"INPAINT_SERVER": self.counter.address, "INPAINT_TOKEN": self.token}


@contextmanager
def served(folder: Path) -> Iterator[Served]:
    """Run a daemon with the shipped model."""
    from daemons import DaemonProcess

    with DaemonProcess(folder, "--model", "portrait") as daemon:
        runtime = daemon.runtime()
        yield Served(Counter(runtime["address"]), runtime["token"], daemon.log)


def print_row(editor: str, case: Case, found: dict[str, Any], counter: Counter) -> None:
    """Print one line of the table."""
    dialog = found.get("dialog")
    cells = (
        f"{editor} {case.side} px, {case.bits} bit, {case.hole}",
        "" if dialog is None else f"{dialog:.1f}",
        *(f"{found[name]:.1f}" for name in ("sent", "first", "last")),
        *(f"{found[name] / 1000:.1f}" for name in ("daemon_first_ms", "daemon_total_ms")),
        f"{found['blocked_ms']:.0f}",
        *(f"{found[name]:.0f}" if name in found else "" for name in ("computing_ms", "drawing_ms")),
        f"{counter.up / 1e6:.1f}",
        f"{counter.down / 1e6:.1f}",
    )
    print("| " + " | ".join(cells) + " |", flush=True)


def gimp(cases: Sequence[Case], images: dict[tuple[int, int], Path], folder: Path) -> None:
    """Measure in a running GIMP."""
    from gimp_host import find, new_profile, wait_for
    from inpaint_install.gimp import unpack
    from xvfb import display

    subprocess.run([sys.executable, ROOT / "plugins/build.py", "gimp"], check=True)  # noqa: S603
    profile = new_profile(find())
    plug_in = profile.plug_ins / "inpaint-gimp"
    unpack(ROOT / "build/plugins/inpaint-gimp.zip", plug_in)
    entry = plug_in / "inpaint-gimp.py"
    entry.rename(plug_in / "entry.py")
    entry.write_text(_CLOCK.read_text("utf-8"), "utf-8")
    entry.chmod(0o755)
    log = profile.folder / "clock.jsonl"
    profile.environment["INPAINT_CLOCK"] = str(log)

    def lines() -> list[dict[str, Any]]:
        text = log.read_text("utf-8") if log.exists() else ""
        return [json.loads(line) for line in text.splitlines() if line.endswith("}")]

    def has(what: str, phase: str = "") -> bool:
        return any(e["what"] == what and phase in (e.get("phase"), "") for e in lines())

    with display() as screen, served(folder) as daemon:
        profile.environment.update(daemon.environment)
        with profile.window(screen) as live:
            for case in cases:
                local = profile.folder / f"{case.side}-{case.bits}.png"
                if not local.exists():
                    local.write_bytes(images[case.side, case.bits].read_bytes())
                log.unlink(missing_ok=True)
                answer = live.start("interactive", image=str(local), selection=case.box, soft=16)
                wait_for(lambda: has("state", "IDLE"), "the dialog", PATIENCE_S)
                time.sleep(1)
                daemon.counter.reset()
                live.key(GIMP_DIALOG, "alt+f")
                wait_for(lambda: has("state", "READY"), "the candidates", PATIENCE_S)
                time.sleep(0.5)
                events = lines()
                live.key(GIMP_DIALOG, "Escape")
                live.result(answer)
                began = next(e["began"] for e in events if e["what"] == "start")
                filled = next(e["at"] for e in events if e["what"] == "fill")
                times = [e for e in events if e["what"] == "done"][-1]
                found = {
                    "dialog": next(e["at"] for e in events if e["what"] == "turn") - began,
                    "sent": _first(events, "accepted") - filled,
                    "first": _first(events, "shown") - filled,
                    "last": _first(events, "done") - filled,
                    "blocked_ms": max(e["ms"] for e in events if e["what"] == "gap"),
                    **{k: v for k, v in times.items() if k.startswith("daemon")},
                }
                print_row("GIMP", case, found, daemon.counter)


def _first(events: Sequence[dict[str, Any]], what: str) -> float:
    return float(next(e["at"] for e in events if e["what"] == what))


def krita(cases: Sequence[Case], images: dict[tuple[int, int], Path], folder: Path) -> None:
    """Measure in Krita, with a new process for each case."""
    from krita_host import find, profile, run_scenario
    from xvfb import display

    subprocess.run([sys.executable, ROOT / "plugins/build.py", "krita"], check=True)  # noqa: S603
    with zipfile.ZipFile(ROOT / "build/plugins/inpaint_krita.zip") as packed:
        packed.extractall(folder / "plugin")
    host = find("native")
    with display() as screen, served(folder) as daemon:
        for case in cases:
            daemon.counter.reset()
            run = run_scenario(
                host,
                screen,
                "travel",
                home=profile(host, screen),
                plugin=folder / "plugin",
                files={"image.bgra": as_krita_stores(images[case.side, case.bits])},
                arguments={"box": case.box, "side": case.side, "depth": f"U{case.bits}"},
                environment=daemon.environment,
                settings="useOpenGL=false\ncanvasState=OPENGL_FAILED",
                timeout=PATIENCE_S,
            )
            assert isinstance(run.value, dict)
            print_row("Krita", case, run.value, daemon.counter)


def main() -> None:
    """Print a table in Markdown."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--editors",
        nargs="+",
        default=["gimp", "krita"],
        help="editors to measure (default: gimp krita)",
    )
    parser.add_argument(
        "--sides",
        nargs="+",
        type=int,
        default=[1350, 4000],
        help="sides of the image in px (default: 1350 4000)",
    )
    parser.add_argument(
        "--bits", nargs="+", type=int, default=[8, 16], help="bits per sample (default: 8 16)"
    )
    parser.add_argument(
        "--holes", nargs="+", default=list(HOLES), help="holes to fill (default: all)"
    )
    args = parser.parse_args()
    cases = [Case(s, b, h) for s in args.sides for b in args.bits for h in args.holes]
    print("Times in s; the daemon's own times start with its work. Blocked: the longest time that")
    print("the plug-in blocked the window, in ms; computing: the same in CPU time; drawing: the")
    print("longest call in which Krita drew the image, in ms, not part of it. Sent, received: MB.")
    columns = "dialog | accepted | first | last | daemon: first | last | blocked | computing"
    print(f"| | {columns} | drawing | sent | received |")
    print("|" + 12 * "---|")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        images = {}
        for side, bits in {(case.side, case.bits) for case in cases}:
            images[side, bits] = folder / f"{side}-{bits}.png"
            draw(images[side, bits], side, bits)
        for editor, measure in (("gimp", gimp), ("krita", krita)):
            if editor in args.editors:
                (folder / editor).mkdir()
                measure(cases, images, folder / editor)


if __name__ == "__main__":
    main()
