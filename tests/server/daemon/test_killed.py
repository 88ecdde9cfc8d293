"""A daemon that is killed at work, or runs out of memory, and what is told of it afterward."""

from __future__ import annotations

import json
import signal
import stat
import time
from pathlib import Path

import grpc
import numpy as np
import pytest
from daemons import Caller, DaemonProcess, header, noise
from eventually import eventually
from inpaint_server.scheduling.work_marker import WorkMarker


def work_of(daemon: DaemonProcess) -> list[str]:
    """Return the work in the marker next to the runtime file."""
    try:
        work: list[str] = json.loads(daemon.runtime_file.with_suffix(".work").read_text())["work"]
    except FileNotFoundError:
        return []
    return work


def until_ready(caller: Caller) -> None:
    assert eventually(caller.is_serving, 60)


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGSEGV])
def test_the_next_daemon_reports_the_work_at_which_the_previous_one_was_killed(
    tmp_path: Path, end: int
) -> None:
    with DaemonProcess(tmp_path, slow_s=1.0) as daemon, daemon.caller() as caller:
        assert not caller.info().HasField("last_killed")
        until_ready(caller)
        assert eventually(lambda: work_of(daemon) == [], 60)
        events = caller.start_fill(header(seeds=[1, 2, 3, 4]))
        for event in events:
            if event.WhichOneof("event") == "candidate":
                break
        (work,) = work_of(daemon)
        assert work.startswith("Fill model=tiny crop=48x40x3 seeds=4")
        mode = daemon.runtime_file.with_suffix(".work").stat().st_mode
        assert stat.S_IMODE(mode) == 0o600
        before = time.time()
        daemon.process.send_signal(end)
        daemon.ended()
        with pytest.raises(grpc.RpcError):
            list(events)
    with DaemonProcess(tmp_path) as daemon, daemon.caller() as caller:
        killed = caller.info().last_killed
        assert list(killed.work) == [work]
        assert before - 60 < killed.began_unix_s < time.time()
        log = daemon.log.read_text()
        assert (
            "the previous daemon was killed while it was working, possibly because memory ran out: "
            f"{work}" in log
        )
        until_ready(caller)
        assert eventually(lambda: work_of(daemon) == [], 60)
        daemon.process.terminate()
        daemon.ended()
    with DaemonProcess(tmp_path) as daemon, daemon.caller() as caller:
        assert not caller.info().HasField("last_killed")  # it is told once, by one daemon


def test_a_daemon_killed_while_idle_is_reported_in_the_log(tmp_path: Path) -> None:
    with DaemonProcess(tmp_path) as daemon, daemon.caller() as caller:
        until_ready(caller)
        assert eventually(lambda: work_of(daemon) == [], 60)
        daemon.process.kill()
        daemon.ended()
    with DaemonProcess(tmp_path) as daemon, daemon.caller() as caller:
        assert not caller.info().HasField("last_killed")
        assert "the previous daemon was killed while it was idle" in daemon.log.read_text()


def test_a_request_that_runs_out_of_memory_ends_with_a_sentence_and_the_next_one_works(
    tmp_path: Path,
) -> None:
    """Where the budget is set too high: here by hand, else by programs that came later."""
    with (
        DaemonProcess(
            tmp_path,
            config="{threads: 1, limits: {max_pending_bytes: 4294967296}}",
            environment={"OMP_NUM_THREADS": "1"},
        ) as daemon,
        daemon.caller() as caller,
    ):
        until_ready(caller)
        assert eventually(lambda: work_of(daemon) == [], 60)
        caller.fill(header())  # what is allocated once is there
        taken = int(
            next(
                line.split()[1]
                for line in Path(f"/proc/{daemon.process.pid}/status").read_text().splitlines()
                if line.startswith("VmData:")
            )
        )
        import resource

        limit = (taken << 10) + (220 << 20)
        resource.prlimit(daemon.process.pid, resource.RLIMIT_DATA, (limit, limit))
        hole = np.zeros((1500, 1500), np.uint8)
        hole[50:1400, 50:1400] = 255
        with pytest.raises(grpc.RpcError) as refusal:
            caller.fill(header(noise(1500, 1500), hole))
        assert refusal.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
        assert "ran out of memory" in str(refusal.value.details())
        assert len(caller.fill(header(seeds=[1, 2])).candidates) == 2
        assert work_of(daemon) == []


def test_a_marker_that_makes_no_sense_is_forgotten(tmp_path: Path) -> None:
    path = tmp_path / "server.work"
    for text in ("", "[]", '{"work": [], "began": 0}', '{"work": 5, "began": 0}', "\xff"):
        path.write_text(text, "latin-1")
        assert WorkMarker(path).left_behind() is None
        assert not path.exists()
    assert WorkMarker(path).left_behind() is None


def test_a_marker_lists_all_running_work_and_its_errors_are_harmless(tmp_path: Path) -> None:
    marker = WorkMarker(tmp_path / "server.work")
    with marker.during("Fill", {"crop": "5x5x3"}), marker.during("Edit", {"model": "x" * 999}):
        work = WorkMarker(tmp_path / "server.work").left_behind()
        assert work is not None
        assert work.work[0] == "Fill crop=5x5x3"
        assert len(work.work[1]) == 200
    nowhere = WorkMarker(tmp_path / "missing" / "server.work")
    with nowhere.during("Fill", {}):
        pass
