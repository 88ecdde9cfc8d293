"""The Krita plug-in in real Kritas, driven as a person drives it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from fake_daemon import FakeDaemon, Script
from krita_host import RunKrita

pytestmark = pytest.mark.hosts


@pytest.fixture
def daemon() -> Iterator[FakeDaemon]:
    with FakeDaemon(Script(token="secret")) as running:
        yield running


def test_an_artists_session(run_krita: RunKrita, daemon: FakeDaemon) -> None:
    run_krita(
        "artist",
        {"INPAINT_SERVER": daemon.address, "INPAINT_TOKEN": "secret"},
        arguments={"slider": "smile"},
    )
