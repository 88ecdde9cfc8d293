"""Start, stop, cancel and crash: real processes, killed and restarted under their clients."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import grpc
import pytest
from daemons import PATIENCE_S, SUPPORT, Caller, DaemonProcess, header, noise
from grpc_health.v1 import health_pb2
from inpaint_client import BlockingClient, parse_endpoint
from inpaint_protos.v1 import inpaint_pb2 as pb
from inpaint_server.cli import SPIN_COUNT, main

LONG: dict[str, Any] = {"seeds": [1], "count": 60}  # 18 s on the slow daemon


def eventually(condition: Callable[[], bool], what: str) -> None:
    until = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < until, what
        time.sleep(0.02)


def is_idle(caller: Caller) -> bool:
    """Whether the device takes new work at once."""
    answer = caller.fill(header(seeds=[1]))
    assert answer.timings is not None
    return answer.timings.queue_ms < 1000


def test_cancel_in_the_middle_frees_the_device(slow_caller: Caller) -> None:
    call = slow_caller.start_fill(header(**LONG))
    for event in call:
        if event.WhichOneof("event") == "candidate":
            break
    call.cancel()
    assert is_idle(slow_caller)


def test_a_client_killed_in_the_middle_frees_the_device(
    slow_daemon: DaemonProcess, slow_caller: Caller
) -> None:
    script = (
        "import sys; sys.path.insert(0, sys.argv[1]);"
        "import grpc; from daemons import Caller, header;"
        "caller = Caller(grpc.insecure_channel(sys.argv[2]), sys.argv[3]);"
        "[print(e.WhichOneof('event'), flush=True) for e in "
        "caller.start_fill(header(seeds=[1], count=60))]"
    )
    runtime = slow_daemon.runtime()
    client = subprocess.Popen(
        [sys.executable, "-c", script, str(SUPPORT), runtime["address"], runtime["token"]],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert client.stdout is not None
    for line in client.stdout:
        if line.strip() == "candidate":
            break
    client.send_signal(signal.SIGKILL)
    client.wait()
    client.stdout.close()
    assert is_idle(slow_caller)


def test_two_clients_at_once_are_both_served(slow_daemon: DaemonProcess) -> None:
    answers: dict[int, list[bytes]] = {}

    def client(seed: int) -> None:
        with slow_daemon.caller() as caller:
            answer = caller.fill(header(seeds=[seed], count=3))
            answers[seed] = [c.patches[0].fill.data for c in answer.candidates]

    threads = [threading.Thread(target=client, args=(seed,)) for seed in (10, 20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with slow_daemon.caller() as caller:
        for seed in (10, 20):
            alone = caller.fill(header(seeds=[seed], count=3))
            assert answers[seed] == [c.patches[0].fill.data for c in alone.candidates]


def test_an_edit_comes_between_the_candidates_of_a_fill(slow_caller: Caller) -> None:
    session = slow_caller.fill(header(seeds=[1])).session_id
    fill = slow_caller.start_fill(header(**LONG))
    next(fill)
    edit = slow_caller.edit(pb.EditHeader(session_id=session))
    assert len(edit.candidates) == 1
    assert fill.is_active()
    fill.cancel()


def test_the_plug_ins_client_reads_the_health(daemon: DaemonProcess, caller: Caller) -> None:
    eventually(caller.is_serving, "SERVING")
    runtime = daemon.runtime()
    with BlockingClient(lambda: parse_endpoint(runtime["address"], runtime["token"])) as client:
        assert client.is_serving()


def test_health_answers_while_the_device_is_busy(slow_caller: Caller) -> None:
    fill = slow_caller.start_fill(header(**LONG))
    for _ in range(20):
        assert slow_caller.is_serving()
    assert fill.is_active()
    fill.cancel()


@pytest.mark.slow
def test_smaller_batches_when_memory_does_not_suffice(tmp_path: Path) -> None:
    config = "batch_size: 8"
    with (
        DaemonProcess(tmp_path, slow_s=0.0, config=config) as daemon,
        daemon.caller() as caller,
    ):
        plain = caller.fill(header(seeds=[1, 2, 3, 4, 5, 6]))
        squeezed = caller.fill(header(seeds=[1, 668, 3, 4, 5, 6]))
        assert [c.seed for c in squeezed.candidates] == [1, 668, 3, 4, 5, 6]
        for k in (0, 2, 3, 4, 5):
            assert squeezed.candidates[k].patches == plain.candidates[k].patches


@pytest.mark.slow
def test_an_idle_model_leaves_and_comes_back(tmp_path: Path) -> None:
    with DaemonProcess(tmp_path, config="idle_unload_s: 0.1") as daemon, daemon.caller() as caller:
        eventually(lambda: "model=tiny loaded=true" in daemon.log.read_text(), "loaded")
        eventually(lambda: not caller.info().models[0].loaded, "unloaded")
        assert len(caller.fill(header()).candidates) == 1
        assert daemon.log.read_text().count("model=tiny loaded=true") >= 2


@pytest.mark.slow
def test_models_and_sessions_leave_when_no_client_asks(tmp_path: Path) -> None:
    config = "alone_unload_s: 1.5"
    with DaemonProcess(tmp_path, config=config) as daemon, daemon.caller() as caller:
        filled = caller.fill(header())
        end = time.monotonic() + 3
        while time.monotonic() < end:  # a client that only asks how the daemon is
            assert caller.info().models[0].loaded
            time.sleep(0.2)
        assert caller.edit(pb.EditHeader(session_id=filled.session_id)).candidates
        eventually(lambda: "model=tiny loaded=false" in daemon.log.read_text(), "unloaded")
        with pytest.raises(grpc.RpcError) as raised:
            caller.edit(pb.EditHeader(session_id=filled.session_id))
        assert raised.value.code() == grpc.StatusCode.NOT_FOUND
        assert len(caller.fill(header()).candidates) == 1


@pytest.mark.slow
def test_killed_and_restarted_under_a_client(tmp_path: Path) -> None:
    with DaemonProcess(tmp_path, slow_s=0.3) as first:
        caller = first.caller()
        call = caller.start_fill(header(**LONG))
        next(call)
        first.process.kill()
        with pytest.raises(grpc.RpcError) as raised:
            list(call)
        assert raised.value.code() == grpc.StatusCode.UNAVAILABLE
        first.ended()
    assert first.runtime_file.exists(), "a killed daemon leaves its file behind"
    with DaemonProcess(tmp_path) as second, second.caller() as caller:
        assert len(caller.fill(header()).candidates) == 1


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stop_lets_running_fills_end(tmp_path: Path, number: int) -> None:
    with DaemonProcess(tmp_path, slow_s=0.3) as daemon, daemon.caller() as caller:
        eventually(caller.is_serving, "SERVING")
        watch = caller.health.Watch(health_pb2.HealthCheckRequest(), metadata=caller.metadata)
        assert next(watch).status == health_pb2.HealthCheckResponse.SERVING
        call = caller.start_fill(header(seeds=[1], count=4))
        events = [next(call)]
        daemon.process.send_signal(number)
        assert next(watch).status == health_pb2.HealthCheckResponse.NOT_SERVING
        events += list(call)
        assert [e.WhichOneof("event") for e in events][-1] == "done"
        watch.cancel()
        assert daemon.ended() == 0
        assert not daemon.runtime_file.exists()


@pytest.mark.slow
def test_requests_that_exceed_the_grace_period_are_ended(tmp_path: Path) -> None:
    with (
        DaemonProcess(tmp_path, slow_s=0.3, config="grace_s: 0.5") as daemon,
        daemon.caller() as caller,
    ):
        call = caller.start_fill(header(**LONG))
        next(call)
        daemon.process.terminate()
        with pytest.raises(grpc.RpcError) as raised:
            list(call)
        assert raised.value.code() in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED)
        assert daemon.ended() == 0


@pytest.mark.slow
def test_a_second_interrupt_does_not_wait(tmp_path: Path) -> None:
    with DaemonProcess(tmp_path, slow_s=0.3) as daemon, daemon.caller() as caller:
        call = caller.start_fill(header(**LONG))
        next(call)
        daemon.process.send_signal(signal.SIGINT)
        eventually(lambda: "stopping=true" in daemon.log.read_text(), "draining")
        daemon.process.send_signal(signal.SIGINT)
        with pytest.raises(grpc.RpcError):
            list(call)
        daemon.ended()
        assert not daemon.runtime_file.exists()
        assert "Traceback" not in daemon.log.read_text()


def test_the_runtime_file_is_private(daemon: DaemonProcess) -> None:
    runtime = daemon.runtime()
    assert set(runtime) == {"address", "token", "pid", "version"}
    assert runtime["pid"] == daemon.process.pid
    assert daemon.runtime_file.stat().st_mode & 0o777 == 0o600
    assert daemon.runtime_file.parent.stat().st_mode & 0o777 == 0o700
    assert len(runtime["token"]) >= 32


def test_neither_token_nor_pixels_are_logged(daemon: DaemonProcess, caller: Caller) -> None:
    caller.fill(header())
    log = daemon.log.read_text()
    assert daemon.runtime()["token"] not in log
    lines = [line for line in log.splitlines() if "request=Fill status=OK" in line]
    assert lines
    assert all(len(line) < 400 for line in lines)
    assert "model=tiny crop=48x40x3 seeds=1" in lines[-1]


def test_every_request_has_its_line(daemon: DaemonProcess, caller: Caller) -> None:
    caller.info()
    caller.metadata = ()
    with pytest.raises(grpc.RpcError):
        caller.fill(header())
    lines = ("request=Info status=OK", "request=Fill status=UNAUTHENTICATED")
    eventually(lambda: all(line in daemon.log.read_text() for line in lines), str(lines))


def test_a_second_daemon_reports_that_one_is_running(daemon: DaemonProcess) -> None:
    with DaemonProcess(daemon.folder) as second:
        assert second.ended() == 2
    line = daemon.log.read_text().splitlines()[-1]
    assert line.startswith("inpaint-server: a daemon already runs here")
    assert str(daemon.process.pid) in line
    assert daemon.runtime()["address"] in line


@pytest.mark.slow
def test_a_gpu_that_is_not_there(tmp_path: Path) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "inpaint_server", "--gpu", "99"],
        env={**os.environ, "XDG_RUNTIME_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 2
    (line,) = ended.stderr.splitlines()
    assert line.startswith("inpaint-server: ")
    assert "GPU" in line


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--device", "tpu"], ["tpu", "cuda:N"]),
        (["--listen", "nonsense"], ["HOST:PORT"]),
        (["--listen", "127.0.0.1:99999"], ["HOST:PORT"]),
        (["--listen", "0.0.0.0:0"], ["tls", "token_file"]),
        (["--model", "no-such-model"], ["no-such-model"]),
        (["--model", "tiny", "--model", "tiny"], ["tiny", "only one"]),
        (["--config", "no-such-file.yaml"], ["no-such-file.yaml"]),
    ],
)
def test_what_it_cannot_do_is_one_line_and_status_2(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    words: list[str],
) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    assert main(["--device", "cpu", *arguments]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    for word in words:
        assert word in line
    assert not (tmp_path / "inpaint" / "server.json").exists()


def test_a_port_in_use(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        assert main(["--device", "cpu", "--model", "tiny", "--listen", address]) == 2
    assert f"cannot listen on {address}" in capsys.readouterr().err


def test_a_unix_path_that_is_no_socket(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    (tmp_path / "precious").write_text("data")
    path = f"unix:{tmp_path}/precious"
    assert main(["--device", "cpu", "--model", "tiny", "--listen", path]) == 2
    assert "not a socket" in capsys.readouterr().err
    assert (tmp_path / "precious").read_text() == "data"


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys\nfrom inpaint_server.cli import main\n"
        "try: main(['--help'])\nexcept SystemExit: pass\n"
        "print(sorted({'torch', 'numpy', 'grpc', 'yaml'} & set(sys.modules)))"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "--gpu" in ended.stdout
    assert ended.stdout.splitlines()[-1] == "[]"


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="GNU OpenMP is what torch uses on Linux")
def test_torchs_threads_do_not_wait_awake_for_long(tmp_path: Path) -> None:
    """Return the value that the library reports; it reads the variable once, on torch's import."""
    environment = {name: os.environ[name] for name in os.environ if name != "GOMP_SPINCOUNT"}
    ended = subprocess.run(
        [sys.executable, "-m", "inpaint_server", "--device", "cpu", "--model", "no-such-model"],
        env={**environment, "XDG_RUNTIME_DIR": str(tmp_path), "OMP_DISPLAY_ENV": "verbose"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert f"GOMP_SPINCOUNT = '{SPIN_COUNT}'" in ended.stderr


def test_reflection_names_the_service(caller: Caller) -> None:
    from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

    stub: Any = reflection_pb2_grpc.ServerReflectionStub(caller.channel)
    request = reflection_pb2.ServerReflectionRequest(list_services="")
    (reply,) = stub.ServerReflectionInfo(iter([request]), metadata=caller.metadata)
    names = {service.name for service in reply.list_services_response.service}
    assert {"inpaint.v1.Inpaint", "grpc.health.v1.Health"} <= names


def test_info(daemon: DaemonProcess, caller: Caller) -> None:
    info: Any = caller.info()
    (model,) = info.models
    assert info.device_type == "cpu"
    assert info.device
    assert (model.name, model.resolution, model.is_default) == ("tiny", 32, True)
    assert [d.name for d in model.directions] == ["brighter", "warmer"]
    assert (model.directions[0].minimum, model.directions[0].maximum) == (-3.0, 3.0)
    assert info.limits.max_side == 8192
    assert info.limits.max_picture_bytes == 512 << 20


@pytest.mark.slow
def test_a_client_that_leaves_is_distinguished_from_a_bug(tmp_path: Path) -> None:
    """gRPC may let the daemon's next write fail before it cancels the method."""
    fill = header(noise(256, 256), seeds=[1], count=40)
    with DaemonProcess(tmp_path) as daemon:
        for events in range(2, 10):
            with daemon.caller() as caller:
                call = caller.start_fill(fill)
                for _ in range(events):
                    next(call)
                call.cancel()
        eventually(lambda: daemon.log.read_text().count("request=Fill") == 8, "all have ended")
        assert daemon.log.read_text().count("request=Fill status=CANCELLED") == 8
        assert "Traceback" not in daemon.log.read_text()
