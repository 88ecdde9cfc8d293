"""What Prometheus reads: the names, labels and values that dashboards are built on."""

from __future__ import annotations

import socket
import urllib.error
import urllib.request
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import grpc
import pytest
from daemons import DaemonProcess, header
from eventually import eventually
from inpaint_server.daemon.metrics import Metrics
from inpaint_server.scheduling.engine import Engine
from inpaint_server.wire.request_log import RequestLog

# As the daemon served it before prometheus_client wrote the text, after the requests below.
SERVED = """\
# TYPE inpaint_requests_total counter
inpaint_requests_total{method="Fill",status="NOT_FOUND"} 1
inpaint_requests_total{method="Fill",status="OK"} 1
inpaint_requests_total{method="Fill",status="UNAUTHENTICATED"} 1
inpaint_requests_total{method="Info",status="OK"} 1
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
inpaint_candidates_total 2
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
        caller.fill(header(count=2))
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
    assert types(text) == types(SERVED)
    assert now.keys() == before.keys()
    assert {k: v for k, v in now.items() if not k.startswith(TIMED)} == {
        k: v for k, v in before.items() if not k.startswith(TIMED)
    }


def test_the_buckets_of_durations_add_up(text: str) -> None:
    now = samples(text)
    buckets = [value for name, value in now.items() if "_bucket" in name]
    assert buckets == sorted(buckets)
    assert buckets[-1] == now["inpaint_fill_seconds_count"]
    for name, value in now.items():  # the fill that took longest took no longer than the sum
        if "_bucket" in name and float(name.split('"')[1]) >= now["inpaint_fill_seconds_sum"]:
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
    parts = SimpleNamespace(engine=engine, models=None, sessions=None)
    metrics = Metrics(RequestLog(), parts)  # type: ignore[arg-type] # the others are not asked
    status, body = metrics._response("GET /live HTTP/1.1\r\nHost: localhost:1\r\n\r\n")
    assert (status, body) == ("503 Service Unavailable", "a worker is not running\n")


def test_only_this_machine_may_ask(daemon: DaemonProcess, address: str) -> None:
    daemon.runtime()
    with pytest.raises(urllib.error.HTTPError, match="403"):
        get(address, Host="127.evil.org")
