"""The public names are what `__all__` says, and the package stays importable everywhere."""

from __future__ import annotations

import subprocess
import sys
from types import ModuleType

import inpaint_client


def test_all_is_sorted_and_complete() -> None:
    public = {
        name
        for name, value in vars(inpaint_client).items()
        if not name.startswith("_") and not isinstance(value, ModuleType)
    }
    assert set(inpaint_client.__all__) == public - {"annotations"}
    assert len(set(inpaint_client.__all__)) == len(inpaint_client.__all__)


def test_importing_it_brings_no_heavy_package() -> None:
    code = "import sys, inpaint_client; print(*sys.modules)"
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    loaded = set(result.stdout.split())
    assert not loaded & {"numpy", "PIL", "torch", "grpc", "inpaint_model", "inpaint_server"}
