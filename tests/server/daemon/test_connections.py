"""Connections of strangers: they end soon, and the owner is served meanwhile."""

from __future__ import annotations

import resource
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest
from daemons import Caller, DaemonProcess, header
from eventually import eventually
from grpc_health.v1 import health_pb2
from inpaint_server.daemon.connections import ConnectionGuard, raise_file_limit

SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes([0, 0, 0, 4, 0, 0, 0, 0, 0])  # and SETTINGS


@contextmanager
def connected(server: socket.socket) -> Iterator[tuple[socket.socket, socket.socket, str]]:
    """Yield both ends of a connection, and its peer in gRPC's notation."""
    with socket.create_connection(server.getsockname()[:2]) as client:
        accepted, (host, port, *_) = server.accept()
        with accepted:
            yield client, accepted, f"ipv4:{host}:{port}"


def is_open(client: socket.socket) -> bool:
    client.settimeout(0.05)
    try:
        return client.recv(1 << 16) != b""
    except TimeoutError:
        return True
    except ConnectionError:
        return False


def test_without_a_call_a_connection_ends_and_others_stay() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_server(
        ("127.0.0.1", 0)
    ) as elsewhere, connected(server) as silent, connected(server) as calling, connected(
        elsewhere
    ) as foreign:  # fmt: skip
        guard = ConnectionGuard(server.getsockname()[1], first_call_s=0.1, spared_s=0.0)
        guard.admit(calling[2])
        assert guard.look() == 0
        time.sleep(0.15)
        assert guard.look() == 1
        assert not is_open(silent[0])
        assert is_open(calling[0])
        assert is_open(foreign[0])
        assert guard.look() == 0 or is_open(calling[0])


def test_health_checks_keep_a_connection_open_while_they_are_made() -> None:
    """Those of a load balancer, which has no token."""
    with socket.create_server(("127.0.0.1", 0)) as server, connected(server) as checking:
        guard = ConnectionGuard(server.getsockname()[1], first_call_s=0.2, spared_s=0.0)
        for _ in range(4):
            assert guard.look() == 0
            guard.note_check(checking[2])
            time.sleep(0.1)
        assert guard.look() == 0
        assert is_open(checking[0])
        time.sleep(0.2)
        assert guard.look() == 1
        assert not is_open(checking[0])


def test_the_time_of_a_suspension_does_not_count() -> None:
    """The checks of a load balancer wait for an answer, as does every first call."""
    with socket.create_server(("127.0.0.1", 0)) as server, connected(server) as checking:
        port = server.getsockname()[1]
        guard = ConnectionGuard(port, first_call_s=0.5, spared_s=0.0, longest_gap_s=0.1)
        assert guard.look() == 0
        guard.note_check(checking[2])
        time.sleep(0.6)
        assert guard.look() == 0
        assert is_open(checking[0])
        for _ in range(6):
            time.sleep(0.1)
            guard.look()
        assert not is_open(checking[0])


def test_health_checks_do_not_keep_more_connections_than_silence_does() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, ExitStack() as stack:
        guard = ConnectionGuard(server.getsockname()[1], first_call_s=60, most_silent=3, spared_s=0)
        pairs = []
        for number in range(6):
            pairs.append(stack.enter_context(connected(server)))
            guard.look()
            guard.note_check(pairs[0][2])  # all the time
            if number == 4:
                guard.note_check(pairs[4][2])
        kept = [is_open(client) for client, _, _ in pairs]
        assert kept == [True, False, False, False, True, True]


@pytest.mark.slow
def test_a_load_balancer_checks_on_one_connection(tmp_path: Path) -> None:
    """For longer than a silent connection may stay."""
    with DaemonProcess(tmp_path) as daemon:
        address = daemon.runtime()["address"]
        with Caller(grpc.insecure_channel(address), None) as balancer:
            assert eventually(balancer.is_serving, 60)
            states: list[grpc.ChannelConnectivity] = []
            balancer.channel.subscribe(states.append)
            end = time.monotonic() + 12
            while time.monotonic() < end:
                time.sleep(1)
                assert balancer.is_serving()
        assert "connections_without_a_call" not in daemon.log.read_text()
        assert set(states) == {grpc.ChannelConnectivity.READY}


def test_too_many_connections_from_one_address_are_closed_oldest_first() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, ExitStack() as stack:
        guard = ConnectionGuard(server.getsockname()[1], first_call_s=60, most_silent=3, spared_s=0)
        clients = []
        for _ in range(5):
            clients.append(stack.enter_context(connected(server))[0])
            guard.look()
        assert [is_open(client) for client in clients] == [False, False, True, True, True]


def test_a_descriptor_that_is_another_connection_by_now_is_left_alone() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        guard = ConnectionGuard(server.getsockname()[1], first_call_s=0.0, spared_s=0.0)
        with connected(server) as (_, accepted, _peer):
            (seen,) = list(guard._connections())
            assert seen.descriptor == accepted.fileno()
        with connected(server) as (client, accepted, _peer):
            assert not guard._end(seen._replace(descriptor=accepted.fileno()))
            assert is_open(client)


def test_the_limit_of_files_becomes_the_hard_one() -> None:
    code = (
        "import resource\n"
        "from inpaint_server.daemon.connections import raise_file_limit\n"
        "hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]\n"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (256, min(hard, 2000)))\n"
        "print(raise_file_limit(), *resource.getrlimit(resource.RLIMIT_NOFILE))"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ended.stdout.split() == ["1744", "2000", "2000"]
    assert raise_file_limit() > 64


@contextmanager
def many(address: str, count: int, first: bytes) -> Iterator[list[socket.socket]]:
    """Open connections of an untrusted client, which sends no token."""
    host, port = address.split(":")
    sockets = []
    try:
        for _ in range(count):
            sockets.append(socket.create_connection((host, int(port)), 10))
            if first:
                sockets[-1].sendall(first)
        yield sockets
    finally:
        for each in sockets:
            each.close()


def own_caller(daemon: DaemonProcess) -> Caller:
    runtime = daemon.runtime()
    options = [("grpc.use_local_subchannel_pool", 1)]
    return Caller(grpc.insecure_channel(runtime["address"], options), runtime["token"])


@pytest.mark.slow
@pytest.mark.parametrize("first", [b"", PREFACE], ids=["silent", "http2"])
def test_the_owner_can_fill_despite_a_thousand_untrusted_connections(
    tmp_path: Path, first: bytes
) -> None:
    """Under a hard limit of 1,024 files, so that there are no others left to hand out."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < 3000:
        pytest.skip("this test itself needs 1,000 files")
    resource.setrlimit(resource.RLIMIT_NOFILE, (3000, hard))
    try:
        with DaemonProcess(tmp_path) as daemon:
            daemon.runtime()
            resource.prlimit(daemon.process.pid, resource.RLIMIT_NOFILE, (1024, 1024))
            with many(daemon.runtime()["address"], 1000, first) as sockets:
                began = time.monotonic()
                with own_caller(daemon) as caller:
                    caller.info()  # waits until there is a connection
                    assert len(caller.fill(header(seeds=[1])).candidates) == 1
                    assert time.monotonic() - began < 15
                    assert eventually(lambda: not any(map(is_open_now, sockets)), 30)
                    assert len(caller.fill(header(seeds=[1])).candidates) == 1
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def is_open_now(client: socket.socket) -> bool:
    client.setblocking(False)
    try:
        while data := client.recv(1 << 16):
            assert data
    except BlockingIOError:
        return True
    except ConnectionError:
        return False
    return False


def status_of(caller: Caller, service: str) -> int:
    return int(caller.health.Check(health_pb2.HealthCheckRequest(service=service)).status)


@pytest.mark.slow
def test_a_daemon_that_stops_is_alive_and_not_ready(tmp_path: Path) -> None:
    """Those who watch hear of it, also when others have watched and left."""
    with DaemonProcess(tmp_path, slow_s=0.3) as daemon, daemon.caller() as caller:
        assert eventually(caller.is_serving, 60)
        request = health_pb2.HealthCheckRequest()
        watches = [caller.health.Watch(request, metadata=caller.metadata) for _ in range(3)]
        assert [next(watch).status for watch in watches] == [SERVING] * 3
        watches.pop(1).cancel()
        running = caller.start_fill(header(seeds=[1], count=6))
        next(running)
        daemon.process.terminate()
        assert [next(watch).status for watch in watches] == [NOT_SERVING] * 2
        assert status_of(caller, "") == NOT_SERVING
        assert status_of(caller, "liveness") == SERVING
        assert list(running)[-1].WhichOneof("event") == "done"


def test_only_health_is_reported_without_the_token(daemon: DaemonProcess) -> None:
    with Caller(grpc.insecure_channel(daemon.runtime()["address"]), None) as stranger:
        assert eventually(stranger.is_serving, 60)
        assert status_of(stranger, "liveness") == SERVING
        assert status_of(stranger, "inpaint.v1.Inpaint") == SERVING
        with pytest.raises(grpc.RpcError, match=r"inpaint\.v1\.Inpaint, liveness") as raised:
            status_of(stranger, "readiness")
        assert raised.value.code() == grpc.StatusCode.NOT_FOUND
        watch: Any = stranger.channel.unary_stream("/grpc.health.v1.Health/Watch")
        for call in (stranger.info, lambda: list(watch(b"")), lambda: stranger.fill(header())):
            with pytest.raises(grpc.RpcError) as raised:
                call()
            assert raised.value.code() == grpc.StatusCode.UNAUTHENTICATED
