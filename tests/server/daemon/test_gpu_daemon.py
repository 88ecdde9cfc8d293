"""The daemon on a GPU: what it says of itself, memory by its budget, a context that is lost.

Skipped where there is none, unless `REQUIRE_GPU=1` (`make test-gpu`) says that there must be one.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

import grpc
import pytest
import torch
from daemons import PATIENCE_S, DaemonProcess, header
from eventually import eventually
from inpaint_server.models.budget import RESERVE
from inpaint_server.models.device import gpu_uuids

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(
        not torch.cuda.is_available() and "REQUIRE_GPU" not in os.environ,
        reason="needs a CUDA device",
    ),
]


def test_a_gpu_by_its_uuid(tmp_path: Path) -> None:
    with (
        DaemonProcess(tmp_path, device=f"cuda:{gpu_uuids()[0]}") as daemon,
        daemon.caller() as caller,
    ):
        info = caller.info()
        assert (info.device_type, info.device) == ("cuda", torch.cuda.get_device_name(0))
        assert len(caller.fill(header(seeds=[1], count=12)).candidates) == 12


def test_the_log_compares_memory_computed_and_measured(tmp_path: Path) -> None:
    with DaemonProcess(tmp_path, "--model", "portrait", device="cuda:0") as daemon:
        line = r"model=portrait device=cuda:0 batch_size=8 computed_mib=(\d+) measured_mib=(\d+)"
        log = daemon.log
        assert eventually(lambda: re.search(line, log.read_text()) is not None, PATIENCE_S)
        found = re.search(line, log.read_text())
        assert found is not None
        computed, measured = map(int, found.groups())
        assert 0.3 * computed <= measured <= computed + (RESERVE >> 20)


def test_a_context_that_is_really_lost(tmp_path: Path) -> None:
    """An index out of range stops a kernel; no call works in that process from then on."""
    with DaemonProcess(tmp_path, slow_s=0.0, device="cuda:0") as daemon, daemon.caller() as caller:
        before = daemon.runtime()
        assert len(caller.fill(header(seeds=[1])).candidates) == 1
        with pytest.raises(grpc.RpcError, match="fill again"):
            caller.fill(header(seeds=[670]))
        log = daemon.log
        starts = "inpaint-server version="
        assert eventually(lambda: log.read_text().count(starts) == 2, PATIENCE_S)
        assert daemon.runtime() == before
        caller.info()
        assert len(caller.fill(header(seeds=[1], count=4)).candidates) == 4
