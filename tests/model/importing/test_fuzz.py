"""Thousands of mutated checkpoints: each is imported whole, or refused in one line.

FUZZ_CHECKPOINTS=10000 python -m pytest tests/model/importing/test_fuzz.py
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import mutated_checkpoints
import pytest

COUNT = int(os.environ.get("FUZZ_CHECKPOINTS", "120"))
MEMORY_MIB = 256  # extra address space allowed for files of a few hundred KiB


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="limits memory as Linux does")
def test_no_traceback_no_partial_bundle_and_bounded_memory() -> None:
    worker = [sys.executable, mutated_checkpoints.__file__, "0", str(COUNT), str(MEMORY_MIB)]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(worker, stdout=subprocess.PIPE, text=True, check=True, env=environment)
    report = json.loads(done.stdout.splitlines()[-1])
    print(report)
    assert report["broken"] == {}
    assert sum(report["results"].values()) == COUNT
    assert report["results"]["imported"] >= COUNT // 100
    assert report["results"]["refused"] >= COUNT // 2
    assert report["grew_mib"] < MEMORY_MIB
