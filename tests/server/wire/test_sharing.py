"""Several clients of one real daemon: shares, names, and batches of several requests."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any

import grpc
import numpy as np
import pytest
from daemons import Answer, Caller, DaemonProcess, header, pixels_of
from inpaint_server.wire.clients import CLIENT_HEADER, MAX_NAME, client_of


def context(peer: str, *metadata: tuple[str, str]) -> Any:
    """The part of gRPC's context that identifies the client."""
    return SimpleNamespace(peer=lambda: peer, invocation_metadata=lambda: metadata)


def test_a_client_is_its_name_on_its_machine() -> None:
    name = (CLIENT_HEADER, "krita")
    here = client_of(context("ipv4:127.0.0.1:5001", name))
    assert here == client_of(context("ipv4:127.0.0.1:5002", ("other", "x"), name))
    assert here != client_of(context("ipv4:10.0.0.7:5001", name))
    assert here != client_of(context("ipv4:127.0.0.1:5001", (CLIENT_HEADER, "gimp")))
    assert client_of(context("unix:", name)) == client_of(context("unix:", name))


def test_without_a_name_it_is_its_connection() -> None:
    one, other = (client_of(context(f"ipv6:%5B::1%5D:{port}")) for port in (5001, 5002))
    assert one != other
    assert client_of(context("ipv4:127.0.0.1:1", (CLIENT_HEADER, ""))) == client_of(
        context("ipv4:127.0.0.1:1")
    )


def test_a_name_is_cut_at_its_limit() -> None:
    long = client_of(context("ipv4:127.0.0.1:1", (CLIENT_HEADER, "x" * 10_000)))
    assert len(long[1]) == MAX_NAME


def named(daemon: DaemonProcess, name: str) -> Caller:
    caller = daemon.caller()
    caller.metadata = (*caller.metadata, (CLIENT_HEADER, name))
    return caller


def test_a_long_request_does_not_keep_another_client_waiting(slow_daemon: DaemonProcess) -> None:
    with named(slow_daemon, "flood") as flood, named(slow_daemon, "modest") as modest:
        flooding = flood.start_fill(header(seeds=[1], count=40))
        candidates = (event for event in flooding if event.HasField("candidate"))
        next(candidates)
        answer = modest.fill(header(seeds=[7], count=2))
        assert len(answer.candidates) == 2
        flooding.cancel()


def test_a_full_queue_has_room_for_another_client(slow_daemon: DaemonProcess) -> None:
    with named(slow_daemon, "many") as many, named(slow_daemon, "one") as one:
        running = many.start_fill(header(seeds=[1], count=40))
        next(event for event in running if event.HasField("candidate"))
        waiting = [many.start_fill(header(seeds=[k], count=8)) for k in (2, 3)]
        for call in waiting:
            assert next(call).HasField("accepted")
        with pytest.raises(grpc.RpcError, match="queue is full"):
            many.fill(header(seeds=[4]))
        assert len(one.fill(header(seeds=[7])).candidates) == 1
        for call in (running, *waiting):
            call.cancel()


@pytest.fixture(
    scope="module",
    params=["{batch_size: 8, threads: 1}", "{threads: 3}", "{batch_size: 4, threads: 2}"],
    ids=["batches", "lanes", "both"],
)
def sharing_daemon(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[DaemonProcess]:
    """Batches of several requests, as on a GPU, or several requests at a time, as on a CPU."""
    folder = tmp_path_factory.mktemp("sharing")
    with DaemonProcess(folder, config=request.param) as process:
        process.runtime()
        yield process


def test_fills_give_the_same_results_alone_and_with_others(
    daemon: DaemonProcess, sharing_daemon: DaemonProcess
) -> None:
    with daemon.caller() as caller:
        alone = [caller.fill(header(seeds=[10 * k], count=5)) for k in range(6)]

    def fill(k: int) -> Answer:
        with named(sharing_daemon, f"client {k}") as caller:
            start.wait(20)
            return caller.fill(header(seeds=[10 * k], count=5))

    start = threading.Barrier(6)
    with ThreadPoolExecutor(6) as threads:
        together = list(threads.map(fill, range(6)))
    for one, other in zip(alone, together, strict=True):
        assert [c.seed for c in one.candidates] == [c.seed for c in other.candidates]
        for expected, candidate in zip(one.candidates, other.candidates, strict=True):
            for patch, same in zip(expected.patches, candidate.patches, strict=True):
                assert patch.coverage == same.coverage
                pixels = [pixels_of(p.fill).astype(int) for p in (patch, same)]
                assert np.abs(pixels[0] - pixels[1]).max() <= 1
