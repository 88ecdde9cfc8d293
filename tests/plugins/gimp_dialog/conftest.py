"""A presenter, its dialog without a window, and a scripted daemon."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from fake_daemon import FakeDaemon, Script
from gimp_dialog import Window
from inpaint_client import (
    Worker,
    parse_endpoint,
)
from inpaint_gimp.app.presenter import Presenter


@pytest.fixture
def window() -> Window:
    return Window()


@pytest.fixture
def daemon() -> Iterator[FakeDaemon]:
    with FakeDaemon(Script()) as running:
        yield running


@pytest.fixture
def presenter(window: Window, daemon: FakeDaemon) -> Iterator[Presenter]:
    worker = Worker(lambda: parse_endpoint(daemon.address))
    yield Presenter(window, worker, window.turns.put)
    worker.close()
