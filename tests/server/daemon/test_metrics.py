"""What Prometheus reads: the names, labels and values that dashboards are built on."""

from __future__ import annotations

import signal
import socket
import ssl
import urllib.error
import urllib.request
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import grpc
import pytest
from certificates import make_certificate
from daemons import DaemonProcess, header, write_token
from eventually import eventually
from inpaint_protos.v1 import inpaint_pb2 as pb
from inpaint_server.daemon.metrics_server import MetricsServer
from inpaint_server.scheduling.engine import Engine
from inpaint_server.serving.upkeep import STALL_S

# As the daemon served it before prometheus_client wrote the text, after the requests below.
SERVED = """\
# TYPE inpaint_requests_total counter
inpaint_requests_total{method="Fill",status="NOT_FOUND"} 1
inpaint_requests_total{method="Fill",status="OK"} 1
inpaint_requests_total{method="Fill",status="UNAUTHENTICATED"} 1
inpaint_requests_total{method="Info",status="OK"} 1
inpaint_requests_total{method="Edit",status="OK"} 1
# TYPE inpaint_fill_seconds histogram
inpaint_fill_seconds_bucket{le="0.05"} 1
inpaint_fill_seconds_bucket{le="0.1"} 1
inpaint_fill_seconds_bucket{le="0.25"} 2
inpaint_fill_seconds_bucket{le="0.5"} 2
inpaint_fill_seconds_bucket{le="1"} 2
inpaint_fill_seconds_bucket{le="2.5"} 2
inpaint_fill_seconds_bucket{le="5"} 2
inpaint_fill_seconds_bucket{le="10"} 2
inpaint_fill_seconds_bucket{le="30"} 2
inpaint_fill_seconds_bucket{le="60"} 2
inpaint_fill_seconds_bucket{le="+Inf"} 2
inpaint_fill_seconds_sum 0.155555
inpaint_fill_seconds_count 2
# TYPE inpaint_candidates_total counter
inpaint_candidates_total 3
# TYPE inpaint_queue_length gauge
inpaint_queue_length 0
# TYPE inpaint_sessions gauge
inpaint_sessions 1
# TYPE inpaint_device_busy gauge
inpaint_device_busy{device="cpu"} 0
# TYPE inpaint_model_loaded gauge
inpaint_model_loaded{model="tiny"} 1
"""
TIMED = ("inpaint_fill_seconds_bucket", "inpaint_fill_seconds_sum", "inpaint_device_busy")


@pytest.fixture(scope="module")
def address() -> str:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return f"127.0.0.1:{free.getsockname()[1]}"


@pytest.fixture(scope="module")
def daemon(address: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[DaemonProcess]:
    folder = tmp_path_factory.mktemp("metrics")
    with DaemonProcess(folder, config=f"metrics: {address}") as process:
        yield process


@pytest.fixture(scope="module")
def text(daemon: DaemonProcess, address: str) -> str:
    """What is served after a fill of two candidates, an info, and two refused fills."""
    with daemon.caller() as caller:
        filled = caller.fill(header(count=2))
        caller.edit(pb.EditHeader(session_id=filled.session_id))
        caller.info()
        with pytest.raises(grpc.RpcError):
            caller.fill(header(model="cats"))
        caller.metadata = ()
        with pytest.raises(grpc.RpcError):
            caller.fill(header())
    counted = ("NOT_FOUND", "UNAUTHENTICATED", "Info")  # a request is counted after its answer
    assert eventually(lambda: all(word in get(address) for word in counted))
    return get(address)


def get(address: str, **headers: str) -> str:
    request = urllib.request.Request(f"http://{address}/metrics", headers=headers)
    with urllib.request.urlopen(request) as reply:  # noqa: S310
        assert reply.headers["Content-Type"].startswith("text/plain; version=0.0.4")
        body: bytes = reply.read()
    return body.decode()


def samples(text: str) -> dict[str, float]:
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines)}


def types(text: str) -> list[str]:
    return [line for line in text.splitlines() if line.startswith("# TYPE")]


def test_names_labels_and_values_are_what_they_were(text: str) -> None:
    now, before = samples(text), samples(SERVED)
    assert set(types(text)) >= set(types(SERVED))
    assert now.keys() >= before.keys()
    for name, value in before.items():
        if not name.startswith(TIMED):
            assert now[name] == value, name


def test_waits_batches_and_memory_are_measured(text: str) -> None:
    now = samples(text)
    assert now['inpaint_queue_seconds_count{method="Fill"}'] == 1  # of those that began
    assert now['inpaint_queue_seconds_count{method="Edit"}'] == 1
    assert now["inpaint_first_candidate_seconds_count"] == 1
    assert 0 < now["inpaint_first_candidate_seconds_sum"] <= now["inpaint_fill_seconds_sum"]
    assert now["inpaint_edit_seconds_count"] == 1
    assert now["inpaint_edit_seconds_sum"] > 0
    assert now['inpaint_batch_size_sum{device="cpu"}'] == 3  # two candidates and an edit
    assert now['inpaint_batch_size_bucket{device="cpu",le="1"}'] == 3
    assert now['inpaint_device_busy_seconds_total{device="cpu"}'] > 0
    assert now["inpaint_request_memory_bytes"] == 0
    assert now["inpaint_request_memory_budget_bytes"] > 1 << 20
    assert now["inpaint_session_bytes"] > 48 * 40 * 4
    assert now['inpaint_model_memory_bytes{device="cpu"}'] > 0
    assert now["inpaint_process_resident_bytes"] > 1 << 26
    assert now["inpaint_waiting_for_memory"] == 0


def test_the_buckets_of_durations_add_up(text: str) -> None:
    now = samples(text)
    of_fills = "inpaint_fill_seconds_bucket"
    buckets = [value for name, value in now.items() if name.startswith(of_fills)]
    assert buckets == sorted(buckets)
    assert buckets[-1] == now["inpaint_fill_seconds_count"]
    for name, value in now.items():  # the fill that took longest took no longer than the sum
        if (
            name.startswith(of_fills)
            and float(name.split('"')[1]) >= now["inpaint_fill_seconds_sum"]
        ):
            assert value == 2


def test_untrusted_clients_cannot_take_all_connections(daemon: DaemonProcess, address: str) -> None:
    """Those over 32 are closed at once, so that files are left for the owner's calls."""
    daemon.runtime()
    host, port = address.split(":")
    silent = [socket.create_connection((host, int(port))) for _ in range(100)]
    try:
        for each in silent:
            each.settimeout(0.2)
        ended = 0
        for each in silent:
            try:
                ended += each.recv(1) == b""
            except TimeoutError:
                continue
        assert ended == 100 - 32
    finally:
        for each in silent:
            each.close()
    assert eventually(lambda: can_get(address))


def can_get(address: str) -> bool:
    try:
        return "inpaint_queue_length" in get(address)
    except OSError:
        return False


def test_whether_it_lives(daemon: DaemonProcess, address: str) -> None:
    daemon.runtime()
    with urllib.request.urlopen(f"http://{address}/live") as reply:
        assert (reply.status, reply.read()) == (200, b"alive\n")


def test_a_worker_that_does_not_run_is_no_life() -> None:
    """An engine that was never started stands for one whose thread has died."""
    engine: Engine[Any] = Engine([object()], max_queue=1)
    endpoint = MetricsServer("localhost:1", str, lambda: engine.health_problem(STALL_S))
    status, body = endpoint._response("GET /live HTTP/1.1\r\nHost: localhost:1\r\n\r\n")
    assert (status, body) == ("503 Service Unavailable", "a worker is not running\n")


def test_only_this_machine_may_ask(daemon: DaemonProcess, address: str) -> None:
    daemon.runtime()
    with pytest.raises(urllib.error.HTTPError, match="403"):
        get(address, Host="127.evil.org")


REMOTE = """
listen: 127.0.0.1:0
tls: {certificate: server.pem, key: server.key}
token_file: token
metrics: %s
metrics_token_file: metrics-token
"""
FILLING, READING, LATER = (f"a-token-for-{use}" for use in ("filling", "reading", "later"))


def get_over_tls(address: str, folder: Path, path: str, token: str) -> tuple[int, str]:
    context = ssl.create_default_context(cafile=str(folder / "server.pem"))
    port = address.rpartition(":")[2]
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    request = urllib.request.Request(f"https://127.0.0.1:{port}{path}", headers=headers)
    try:
        with urllib.request.urlopen(request, context=context) as reply:  # noqa: S310
            return reply.status, reply.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


@pytest.mark.slow
def test_other_machines_need_tls_and_a_token_that_cannot_fill(tmp_path: Path) -> None:
    with socket.create_server(("0.0.0.0", 0)) as free:  # noqa: S104
        address = f"0.0.0.0:{free.getsockname()[1]}"
    make_certificate(tmp_path, "first")
    write_token(tmp_path / "token", FILLING)
    write_token(tmp_path / "metrics-token", READING)
    with DaemonProcess(tmp_path, config=REMOTE % address) as daemon:
        daemon.runtime()
        read = partial(get_over_tls, address, tmp_path)
        assert read("/metrics", READING)[0] == 200
        assert "inpaint_queue_length 0" in read("/metrics", READING)[1]
        assert read("/live", "") == (200, "alive\n")
        for token in ("", FILLING, "wrong"):
            status, body = read("/metrics", token)
            assert (status, "metrics_token_file" in body) == (401, True)
        with socket.create_connection(("127.0.0.1", int(address.rpartition(":")[2]))) as plain:
            plain.sendall(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert b"inpaint" not in plain.makefile("rb").read()
        certificate = (tmp_path / "server.pem").read_text()
        make_certificate(tmp_path, "second")
        (tmp_path / "metrics-token").write_text(LATER)
        daemon.process.send_signal(signal.SIGHUP)
        assert eventually(lambda: "reloaded=true" in daemon.log.read_text())
        assert (tmp_path / "server.pem").read_text() != certificate
        assert read("/metrics", LATER)[0] == 200
        assert read("/metrics", READING)[0] == 401


@pytest.mark.parametrize("line", ["tls:", "metrics_token_file:"])
def test_without_one_of_them_the_daemon_does_not_start(line: str, tmp_path: Path) -> None:
    make_certificate(tmp_path, "first")
    write_token(tmp_path / "token", FILLING)
    write_token(tmp_path / "metrics-token", READING)
    lines = [each for each in (REMOTE % "0.0.0.0:1").splitlines() if not each.startswith(line)]
    with DaemonProcess(tmp_path, config="\n".join(lines)) as daemon:
        assert daemon.process.wait(30) == 2
        last = daemon.log.read_text().splitlines()[-1]
    assert "metrics: other machines can reach 0.0.0.0:1; set both" in last
