"""Settings for all tests: one thread for torch, and skipping tests without files of ../shared."""

from __future__ import annotations

import os

import pytest
from shared_files import missing

# Set before anything imports torch, and inherited by the daemons that tests start. Torch's threads
# spin while waiting for each other: with more threads than idle cores, the small networks in tests
# take many times longer.
os.environ.setdefault("OMP_NUM_THREADS", "1")


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip a test whose files of ../shared are missing; with REQUIRE_SHARED=1 it fails."""
    names = [name for mark in item.iter_markers("shared") for name in mark.args]
    if absent := missing(names):
        reason = "missing: " + ", ".join(f"../shared/{name}" for name in absent)
        if os.environ.get("REQUIRE_SHARED"):
            pytest.fail(reason)
        pytest.skip(reason)
