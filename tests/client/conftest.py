"""A small job, a daemon in this process, and one in its own."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest
from fake_daemon import FakeDaemon, Script
from hypothesis import settings
from inpaint_client import Box, Capture, Extent, FillJob, Picture, seed_sequence

settings.register_profile("unhurried", deadline=None)  # other work may run on the machine
settings.load_profile("unhurried")

FAKE = Path(__file__).resolve().parents[1] / "support" / "fake_daemon.py"


CAPTURED = {field.name for field in fields(Capture)}


def small_job(count: int = 4, **changes: Any) -> FillJob:
    """64 x 48 RGB at (100, 200) of a larger document, with a hole of 20 x 10 at (8, 5).

    `changes` are of the job, or of its capture.
    """
    width, height = 64, 48
    row = bytes(8) + b"\xff" * 20 + bytes(width - 28)
    hole = bytes(5 * width) + row * 10 + bytes((height - 15) * width)
    job = FillJob(
        capture=Capture(
            crop=Picture(width, height, 3, bytes(range(256)) * (width * height * 3 // 256)),
            hole=Picture(width, height, 1, hole),
            crop_box=Box(100, 200, width, height),
            document=Extent(1000, 800),
        ),
        seeds=seed_sequence(7, count),
    )
    seen = {name: changes.pop(name) for name in CAPTURED & changes.keys()}
    return replace(job, capture=replace(job.capture, **seen), **changes)


@pytest.fixture
def job() -> Callable[..., FillJob]:
    return small_job


@pytest.fixture
def daemon() -> Iterator[FakeDaemon]:
    with FakeDaemon() as running:
        yield running


@pytest.fixture
def slow_daemon() -> Iterator[FakeDaemon]:
    """0.2 s before each candidate, and a token."""
    with FakeDaemon(Script(token="secret", delay_s=0.2)) as running:
        yield running


class DaemonProcess:
    """Run fake_daemon.py in a separate process."""

    def __init__(self, *arguments: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, str(FAKE), *arguments], stdout=subprocess.PIPE, text=True
        )
        self.address = self.wait_for("ready ").removeprefix("ready ")

    def wait_for(self, start: str) -> str:
        """The next line of output that starts so."""
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if line.startswith(start):
                return line.strip()
        raise AssertionError(f"the daemon ended before it said {start!r}")

    @property
    def pid(self) -> int:
        return self._process.pid

    def kill(self) -> None:
        if self._process.poll() is None:
            self._process.kill()
            self._process.communicate()

    def stop(self) -> int:
        self._process.terminate()
        self._process.communicate(timeout=20)
        return self._process.returncode


@pytest.fixture
def start_daemon() -> Iterator[Callable[..., DaemonProcess]]:
    started: list[DaemonProcess] = []

    def start(*arguments: str) -> DaemonProcess:
        started.append(DaemonProcess(*arguments))
        return started[-1]

    yield start
    for process in started:
        process.kill()
