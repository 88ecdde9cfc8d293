"""Send mixed requests from eight clients, with random cancellations, for minutes: `make soak`.

Fails if a request fails that was not cancelled, or if the daemon's resident memory grows by more
than 5 % after the first minute. Memory is read while all clients pause, so that it shows what is
kept rather than what is in progress.

    python -m benchmarks.soak [--minutes 10] [--clients 8] [--model tiny]
"""

from __future__ import annotations

import argparse
import os
import random
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from inpaint_client import (
    BlockingClient,
    Box,
    Candidate,
    Capture,
    EditJob,
    Endpoint,
    Extent,
    FillJob,
    InpaintError,
    Picture,
    RecipeSource,
    parse_endpoint,
    seed_sequence,
)
from inpaint_client.discovery import read_runtime_file

TOLERANCE = 0.05
SETTLED_S = 60.0
PAUSE_S = 14.0  # sessions expire, and the daemon cleans up every five seconds


def job(rng: random.Random, model: str, names: list[str]) -> FillJob:
    """Build a fill of random size, hole, count and edits."""
    side = rng.choice([64, 200, 512, 1024])
    hole = bytearray(side * side)
    size = side // rng.choice([2, 4])
    left, top = rng.randrange(side - size), rng.randrange(side - size)
    for y in range(top, top + size):
        hole[y * side + left : y * side + left + size] = b"\xff" * size
    edits = {name: rng.uniform(-2, 2) for name in names if rng.random() < 0.3}
    return FillJob(
        capture=Capture(
            crop=Picture(side, side, 3, rng.randbytes(side * side * 3)),
            hole=Picture(side, side, 1, bytes(hole)),
            crop_box=Box(0, 0, side, side),
            document=Extent(side, side),
        ),
        model=model,
        seeds=seed_sequence(rng.getrandbits(32), rng.randint(1, 4)),
        edits=edits,
        variants=(edits,) if rng.random() < 0.3 else (),
    )


class Soak:
    """The shared state of the clients."""

    def __init__(self, endpoint: Endpoint, model: str) -> None:
        self.endpoint = endpoint
        self.model = model
        self.stop = threading.Event()
        self.go = threading.Event()
        self.go.set()
        self.active = 0
        self._lock = threading.Lock()
        self.done: Counter[str] = Counter()
        self.failures: list[str] = []

    def client(self, seed: int) -> None:
        """Run one client: fill, edit and cancel until stopped."""
        rng = random.Random(seed)  # noqa: S311 (variety, not secrecy)
        while not self.stop.is_set():
            with BlockingClient(lambda: self.endpoint) as client:  # reconnect now and then
                for _ in range(rng.randint(1, 20)):
                    self.go.wait()
                    if self.stop.is_set():
                        return
                    with self._counted():
                        try:
                            self._one(client, rng)
                        except InpaintError as error:
                            self.failures.append(f"{type(error).__name__}: {error}")

    @contextmanager
    def _counted(self) -> Iterator[None]:
        with self._lock:
            self.active += 1
        try:
            yield
        finally:
            with self._lock:
                self.active -= 1

    def _one(self, client: BlockingClient, rng: random.Random) -> None:
        info = client.info()
        model = info.model(self.model)
        assert model is not None
        request = job(rng, self.model, [direction.name for direction in model.directions[:3]])
        stop_after = rng.randint(1, 3) if rng.random() < 0.25 else None
        last: Candidate | None = None
        for count, event in enumerate(client.fill(request)):
            if isinstance(event, Candidate) and not event.is_variant:
                last = event
            if stop_after is not None and count >= stop_after:
                self.done["cancelled"] += 1
                return
        self.done["fill"] += 1
        if last is not None and rng.random() < 0.5:
            source = RecipeSource(
                recipe=last.recipe,
                attachment=last.attachment,
                capture=request.capture,
            )
            for _ in client.edit(EditJob(source=source)):
                pass
            self.done["edit"] += 1


def resident_bytes(pid: int) -> int:
    """Return the resident memory of a process."""
    for line in Path(f"/proc/{pid}/status").read_text("ascii").splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) << 10
    raise ValueError(f"process {pid} has no resident memory")


def run(minutes: float, clients: int, model: str) -> int:
    """Test a new daemon and return the exit status."""
    with tempfile.TemporaryDirectory(prefix="inpaint-soak-") as folder:
        config = Path(folder, "soak.yaml")
        config.write_text("session_ttl_s: 3\n")  # caches are empty when memory is read
        choice = ["--model", model] if model else []
        daemon = subprocess.Popen(  # noqa: S603 (our own daemon)
            [sys.executable, "-m", "inpaint_server", "--config", str(config), *choice],
            env={**os.environ, "XDG_RUNTIME_DIR": folder},
            stderr=subprocess.DEVNULL,
        )
        try:
            while (runtime := read_runtime_file(Path(folder, "inpaint/server.json"))) is None:
                if daemon.poll() is not None:
                    raise SystemExit("the daemon did not start")
                time.sleep(0.1)
            soak = Soak(parse_endpoint(runtime.address, runtime.token), model)
            threads = [threading.Thread(target=soak.client, args=(k,)) for k in range(clients)]
            for thread in threads:
                thread.start()
            memory = _watch(soak, daemon, minutes * 60)
            soak.stop.set()
            soak.go.set()
            for thread in threads:
                thread.join()
        finally:
            daemon.terminate()
            status = daemon.wait()
    return _verdict(soak, memory, status)


def _watch(soak: Soak, daemon: subprocess.Popen[bytes], seconds: float) -> list[int]:
    """Read the resident memory every half minute, from the first minute on."""
    memory: list[int] = []
    began = time.monotonic()
    while (elapsed := time.monotonic() - began) < seconds:
        time.sleep(SETTLED_S / 2)
        if daemon.poll() is not None:
            soak.failures.append(f"the daemon exited with status {daemon.returncode}")
            break
        soak.go.clear()
        while soak.active:
            time.sleep(0.1)
        time.sleep(PAUSE_S)
        now = resident_bytes(daemon.pid)
        soak.go.set()
        if time.monotonic() - began >= SETTLED_S:
            memory.append(now)
        counts = ", ".join(f"{count} {what}" for what, count in sorted(soak.done.items()))
        print(
            f"{elapsed:5.0f} s  {now >> 20} MiB  {counts}  {len(soak.failures)} failed", flush=True
        )
    return memory


def _verdict(soak: Soak, memory: list[int], status: int) -> int:
    for failure in soak.failures[:10]:
        print(f"FAILED: {failure}")
    first, last = memory[0], max(memory)
    growth = last / first - 1
    print(
        f"resident memory: {first >> 20} MiB after the first minute, at most {last >> 20} MiB later"
    )
    ok = not soak.failures and growth <= TOLERANCE and status == 0
    print("passed" if ok else f"FAILED (growth {growth:+.1%}, daemon's exit status {status})")
    return 0 if ok else 1


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--minutes", type=float, default=10.0, help="duration (default: 10)")
    parser.add_argument("--clients", type=int, default=8, help="number of clients (default: 8)")
    parser.add_argument(
        "--model", default="", help="name or folder of a bundle (default: the daemon's)"
    )
    options = parser.parse_args()
    raise SystemExit(run(options.minutes, options.clients, options.model))


if __name__ == "__main__":
    main()
