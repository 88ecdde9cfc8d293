"""Requirements of these tests; `make test-cluster` installs them and sets REQUIRE_CLUSTER."""

from __future__ import annotations

import os
from importlib.util import find_spec

import pytest


def require(module: str) -> None:
    """Skip the test if a package of the dependency group `cluster` is not installed."""
    if find_spec(module) is None and not os.environ.get("REQUIRE_CLUSTER"):
        pytest.skip(f"{module} is not installed; run `make test-cluster`")
