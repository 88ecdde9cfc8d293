"""The docker over a real (scripted) daemon.

Krita 6 has PyQt6, and is not packaged where tests run; Krita 5 with PyQt5 is tested for real.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

from fake_daemon import FakeDaemon, Script
from inpaint_client.settings import ConnectionSettings
from inpaint_krita.app.connection_state import Phase
from inpaint_krita.host.qt import QtCore, QtWidgets
from krita_alarms import alarms
from krita_docker import Docker, open_docker, shut, until


@pytest.fixture(scope="module")
def application() -> QtCore.QCoreApplication:
    return QtWidgets.QApplication.instance() or QtWidgets.QApplication(["test"])


@pytest.fixture(autouse=True)
def failure_notice() -> Iterator[list[str]]:
    """The exceptions that end at the guard: none, unless a test takes them out of the list."""
    with alarms() as seen:
        yield seen
    assert not seen


@pytest.fixture
def larger() -> str:
    """A second model of the daemon, if any."""
    return ""


@pytest.fixture
def script(larger: str) -> Script:
    return Script(larger=larger)


@pytest.fixture
def daemon(script: Script) -> Iterator[FakeDaemon]:
    with FakeDaemon(script) as running:
        yield running


@pytest.fixture
def docker(
    application: QtCore.QCoreApplication,
    tmp_path: Path,
    daemon: FakeDaemon,
    failure_notice: list[str],
) -> Iterator[Docker]:
    opened = open_docker(tmp_path, ConnectionSettings(address=daemon.address))
    until(lambda: opened.controller.state.connection.phase is Phase.READY)
    yield opened
    shut(opened)
