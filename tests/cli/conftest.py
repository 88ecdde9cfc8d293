"""A real daemon, and the `inpaint` command in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from daemons import DaemonProcess

Command = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="session")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DaemonProcess]:
    with DaemonProcess(tmp_path_factory.mktemp("daemon")) as process:
        process.runtime()
        yield process


@pytest.fixture
def inpaint(daemon: DaemonProcess, tmp_path: Path) -> Command:
    """Run `inpaint` against the daemon, in an empty folder."""

    def run(*arguments: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "inpaint_cli", *map(str, arguments)],
            env={**os.environ, "XDG_RUNTIME_DIR": str(daemon.folder), **environment},
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    return run
