"""A device that is lost while it works: real daemons, which start again under their clients."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import grpc
import pytest
from daemons import PATIENCE_S, Caller, DaemonProcess, header, noise, square_hole
from eventually import eventually
from inpaint_client import (
    BlockingClient,
    Box,
    Candidate,
    Capture,
    Extent,
    FillJob,
    Picture,
    UnavailableError,
    ensure_daemon,
)
from inpaint_client.settings import ConnectionSettings
from inpaint_protos.v1 import inpaint_pb2 as pb
from inpaint_server.daemon.restarting import MOST, VARIABLE, WITHIN_S, Restarts

LOST = 669  # the seed at which the fake model loses its device (slow_daemon.py)


def lose_device(caller: Caller) -> str:
    """Return the message that the client gets."""
    with pytest.raises(grpc.RpcError) as raised:
        caller.fill(header(seeds=[LOST]))
    assert raised.value.code() == grpc.StatusCode.UNAVAILABLE
    return str(raised.value.details())


def starts(daemon: DaemonProcess) -> int:
    return daemon.log.read_text().count("inpaint-server version=")


def wait_for_start(daemon: DaemonProcess, number: int) -> None:
    assert eventually(lambda: starts(daemon) == number, PATIENCE_S), daemon.log.read_text()


def job(seed: int) -> FillJob:
    """A small fill of the plug-ins' client."""
    return FillJob(
        capture=Capture(
            crop=Picture(48, 40, 3, noise(48, 40).tobytes()),
            hole=Picture(48, 40, 1, square_hole(48, 40).tobytes()),
            crop_box=Box(0, 0, 48, 40),
            document=Extent(48, 40),
        ),
        seeds=(seed,),
    )


@pytest.mark.slow
def test_the_daemon_starts_again_where_it_was(tmp_path: Path) -> None:
    with DaemonProcess(tmp_path, slow_s=0.0) as daemon, daemon.caller() as caller:
        before = daemon.runtime()
        session = caller.fill(header(seeds=[1])).session_id
        assert lose_device(caller) == (
            "the device failed (CUDA error: unspecified launch failure); the daemon is "
            "restarting: fill again"
        )
        wait_for_start(daemon, 2)
        assert daemon.runtime() == before, "address, token and process are the same"
        assert caller.info().models[0].name == "tiny", "the old channel finds it"
        assert len(caller.fill(header(seeds=[1])).candidates) == 1
        with pytest.raises(grpc.RpcError, match="session"):
            caller.edit(pb.EditHeader(session_id=session))
        assert "Traceback" in daemon.log.read_text(), "the log says where the device failed"
        daemon.process.terminate()
        assert daemon.ended() == 0
        assert not daemon.runtime_file.exists()


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="a shell script stands for the command")
def test_the_plug_ins_next_fill_waits_for_the_restart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The client asks again once, which loses the device again. The next fill finds no daemon.

    So it starts one, which the lock keeps out, and then waits for the first daemon, as for any
    daemon that is just starting.
    """
    command = tmp_path / "inpaint-server"
    paths = f"PYTHONPATH='{os.pathsep.join(sys.path)}'"
    arguments = "-m inpaint_server --device cpu --model tiny"
    command.write_text(f"#!/bin/sh\n{paths} exec {sys.executable} {arguments}\n")
    command.chmod(0o700)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    settings = ConnectionSettings(executable=str(command))
    with DaemonProcess(tmp_path, slow_s=0.0) as daemon:
        before = daemon.runtime()
        with BlockingClient(lambda: ensure_daemon(settings)) as client:
            with pytest.raises(UnavailableError, match="Try again in a moment"):
                list(client.fill(job(LOST)))
            events = list(client.fill(job(1)))
            assert sum(isinstance(event, Candidate) for event in events) == 1
        assert starts(daemon) == 3
        assert daemon.runtime() == before


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="Unix sockets")
def test_a_unix_socket_is_served_again(tmp_path: Path) -> None:
    path = tmp_path / "socket"
    daemon = DaemonProcess(tmp_path, "--listen", f"unix:{path}", slow_s=0.0)
    with daemon, daemon.caller() as caller:
        before = daemon.runtime()
        assert before["address"] == f"unix:{path}"
        lose_device(caller)
        wait_for_start(daemon, 2)
        assert daemon.runtime() == before
        assert len(caller.fill(header(seeds=[1])).candidates) == 1
        assert daemon.log.read_text().count("Traceback") == 1, "that of the lost device"
        assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.slow
def test_other_clients_get_the_reason_and_no_second_daemon_starts(tmp_path: Path) -> None:
    """Fills that run, some that wait, and a daemon started while the first one restarts."""
    with DaemonProcess(tmp_path, slow_s=0.2) as daemon, daemon.caller() as caller:
        session = caller.fill(header(seeds=[1])).session_id
        answers: list[str] = []

        def fill() -> None:
            with daemon.caller() as other, pytest.raises(grpc.RpcError) as raised:
                other.fill(header(seeds=[1], count=60))
            answers.append(str(raised.value.details()))

        others = [threading.Thread(target=fill) for _ in range(6)]  # more than there are workers
        for other in others:
            other.start()
        assert eventually(lambda: caller.info().queue_length > 0, PATIENCE_S)
        with pytest.raises(grpc.RpcError, match="fill again"):
            caller.edit(pb.EditHeader(session_id=session, seed=LOST))  # goes before fills
        for other in others:
            other.join(PATIENCE_S)
        assert len(answers) == len(others)
        assert all("fill again" in answer for answer in answers)
        with DaemonProcess(tmp_path) as second:
            assert second.ended() == 2, "the lock was never free"
        wait_for_start(daemon, 2)
        assert len(caller.fill(header(seeds=[1])).candidates) == 1


@pytest.mark.slow
def test_a_device_that_fails_too_often_ends_the_daemon(tmp_path: Path) -> None:
    with DaemonProcess(tmp_path, slow_s=0.0) as daemon, daemon.caller() as caller:
        for restart in range(MOST):
            wait_for_start(daemon, restart + 1)
            caller.info()
            assert "is restarting" in lose_device(caller)
        wait_for_start(daemon, MOST + 1)
        caller.info()
        told = lose_device(caller)
        assert f"the daemon stops after {MOST} restarts within 10 minutes" in told
        assert daemon.ended() == 3
        assert daemon.log.read_text().splitlines()[-1] == f"inpaint-server: {told}"
        assert not daemon.runtime_file.exists()


@pytest.mark.slow
def test_a_stop_during_a_restart_stops(tmp_path: Path) -> None:
    with DaemonProcess(tmp_path, slow_s=0.0) as daemon, daemon.caller() as caller:
        daemon.runtime()
        lose_device(caller)
        daemon.process.send_signal(signal.SIGTERM)
        assert daemon.ended() in (0, -signal.SIGTERM)


def test_what_one_program_leaves_to_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.time", lambda: 1000.0)
    times = [1000.0 - WITHIN_S - 1, 900.0, 950.0]
    monkeypatch.setenv(VARIABLE, json.dumps({"times": times, "lock": 7}))
    restarts = Restarts.inherited()
    assert restarts == Restarts((900.0, 950.0), lock=7), "what is long ago does not count"
    assert restarts.allowed
    assert VARIABLE not in os.environ
    assert Restarts.inherited() == Restarts()
    assert not Restarts((900.0, 950.0, 999.0)).allowed


PROGRAM = """
import os, sys
from inpaint_server.daemon.restarting import Restarts, VARIABLE
left = os.environ.get(VARIABLE)
if left is None:
    lock, other = os.pipe()
    os.set_inheritable(other, True)
    print(os.getpid(), lock, other, flush=True)
    Restarts().restart(lock)
lock = Restarts.inherited().lock
def is_open(fd):
    try: os.fstat(fd)
    except OSError: return False
    return True
print(os.getpid(), [fd for fd in range(3, 20) if is_open(fd)] == [lock], sys.argv[1:])
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows cannot replace a program")
def test_the_same_process_with_the_same_arguments_and_only_the_lock_open() -> None:
    ended = subprocess.run(
        [sys.executable, "-c", PROGRAM, "--model", "a b"],
        capture_output=True,
        text=True,
        check=True,
    )
    first, second = ended.stdout.splitlines()
    assert second == f"{first.split()[0]} True ['--model', 'a b']"
