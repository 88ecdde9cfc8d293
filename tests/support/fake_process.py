"""The fake daemon as a separate process that can be killed."""

from __future__ import annotations

import os
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SOURCES = ("model", "server", "protos", "plugins/client")


@dataclass
class FakeProcess:
    process: subprocess.Popen[str]
    address: str = ""
    seen: list[str] = field(default_factory=list)
    _lines: queue.Queue[str] = field(default_factory=queue.Queue)

    def listen(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._lines.put(line.rstrip())

    def wait_for(self, start: str, timeout_s: float = 60) -> str:
        """Wait for the next line that begins with `start` and return it."""
        end = time.monotonic() + timeout_s
        while (left := end - time.monotonic()) > 0:
            try:
                line = self._lines.get(timeout=left)
            except queue.Empty:
                break
            self.seen.append(line)
            if line.startswith(start):
                return line
        raise AssertionError(f"the daemon did not print “{start}”; it printed {self.seen}")

    def kill(self) -> None:
        """Kill it, as if the machine had crashed."""
        self.process.kill()
        self.process.wait()


@contextmanager
def fake_daemon(*options: str) -> Iterator[FakeProcess]:
    """Run tests/support/fake_daemon.py on a free port, with more `options`."""
    script = ROOT / "tests" / "support" / "fake_daemon.py"
    with _process([sys.executable, str(script), "--port", "0", *options]) as daemon:
        daemon.address = daemon.wait_for("ready ").split()[1]
        yield daemon


@contextmanager
def _process(command: list[str]) -> Iterator[FakeProcess]:
    path = os.pathsep.join(str(ROOT / source) for source in SOURCES)
    process = subprocess.Popen(
        command,
        env={**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    daemon = FakeProcess(process)
    listener = threading.Thread(target=daemon.listen, daemon=True)
    listener.start()
    try:
        yield daemon
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        listener.join(10)
        assert process.stdout is not None
        process.stdout.close()
