"""One real daemon for all tests that do not disturb it; others start their own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from daemons import Caller, DaemonProcess


@pytest.fixture(scope="session")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DaemonProcess]:
    with DaemonProcess(tmp_path_factory.mktemp("daemon")) as process:
        process.runtime()
        yield process


@pytest.fixture
def caller(daemon: DaemonProcess) -> Iterator[Caller]:
    with daemon.caller() as caller:
        yield caller


@pytest.fixture(scope="session")
def slow_daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DaemonProcess]:
    """Every rendering takes 0.3 s longer; at most two requests wait."""
    folder = tmp_path_factory.mktemp("slow")
    with DaemonProcess(folder, slow_s=0.3, config="{limits: {max_queue: 2}}") as process:
        process.runtime()
        yield process


@pytest.fixture
def slow_caller(slow_daemon: DaemonProcess) -> Iterator[Caller]:
    with slow_daemon.caller() as caller:
        yield caller
