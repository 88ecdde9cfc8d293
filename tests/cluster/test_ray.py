"""The real daemon in front of real replicas of Ray Serve."""

from __future__ import annotations

import os
import re
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
import numpy as np
import pytest
from daemons import Answer, Caller, DaemonProcess, header, image, recipe_source
from eventually import eventually
from inpaint_client.example import PORTRAIT
from inpaint_protos.v1 import inpaint_pb2 as pb
from PIL import Image

from .conftest import require

pytestmark = [pytest.mark.cluster, pytest.mark.slow]

CLUSTER = {"RAY_AUTH_TOKEN": "a-token-of-the-cluster-of-these-tests"}
SETTINGS = """
ray: {min_replicas: 3, max_replicas: 3, cpus_per_replica: 0.3}
limits: {max_seeds: 200}
"""


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DaemonProcess]:
    require("ray")
    folder = tmp_path_factory.mktemp("ray")
    with DaemonProcess(folder, "--ray", config=SETTINGS, environment=CLUSTER) as daemon:
        daemon.runtime()
        yield daemon
        daemon.process.send_signal(signal.SIGTERM)
        assert daemon.process.wait(60) == 0


@pytest.fixture
def caller(daemon: DaemonProcess) -> Iterator[Caller]:
    runtime = daemon.runtime()
    with Caller(grpc.insecure_channel(runtime["address"]), runtime["token"]) as caller:
        assert eventually(caller.is_serving, 120)
        assert eventually(lambda: caller.info().device.startswith("3 replicas"), 120)
        yield caller


def home(answer: Answer) -> str:
    """Return the replica that answered."""
    return answer.session_id.partition(".")[0]


def edit_of(answer: Answer, value: float = 1.0) -> pb.EditHeader:
    edit = pb.Edit(name="brighter", value=value)
    return pb.EditHeader(session_id=answer.session_id, edits=[edit])


def replicas(caller: Caller) -> set[str]:
    """Return the replicas that answer, from a number of fills."""
    with ThreadPoolExecutor(6) as threads:
        fills = threads.map(lambda seed: caller.fill(header(seeds=[seed])), range(18))
        return {home(answer) for answer in fills}


def process_of(replica: str) -> int:
    """Return the process ID of a replica. Ray names its log file after the replica."""
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                if "ServeReplica:inpaint:Replica" not in (folder / "cmdline").read_text():
                    continue
                links = [str(link.readlink()) for link in (folder / "fd").iterdir()]
            except OSError:
                continue
            if any(replica in link for link in links):
                return int(folder.name)
    raise AssertionError(f"no process of replica {replica}")


def test_fills_spread_over_the_replicas(caller: Caller) -> None:
    assert len(replicas(caller)) == 3


def test_a_fill_is_the_same_on_every_replica(caller: Caller) -> None:
    answers = [caller.fill(header(seeds=[5])) for _ in range(6)]
    assert len({answer.candidates[0].patches[0].fill.data for answer in answers}) == 1
    assert answers[0].kinds[-1] == "done"


def test_an_edit_goes_to_the_replica_of_its_session(caller: Caller) -> None:
    for seed in range(6):
        filled = caller.fill(header(seeds=[seed]))
        for value in (1.0, 2.0):
            edited = caller.edit(edit_of(filled, value))
            assert edited.session_id == filled.session_id
            assert edited.candidates[0].patches != filled.candidates[0].patches


def test_a_replica_finds_the_parts_of_faces(caller: Caller) -> None:
    pixels = np.asarray(Image.open(PORTRAIT).convert("RGB"))
    asked = pb.SegmentHeader(image=image(pixels), parts=[pb.PART_MOUTH])
    events = caller.stub.Segment(
        iter([pb.SegmentRequest(header=asked)]), metadata=caller.metadata, timeout=60
    )
    kinds = [event.WhichOneof("event") for event in events]
    assert kinds == ["faces", "mask", "done"]


def test_refusals_reach_the_client_with_their_codes(caller: Caller) -> None:
    with pytest.raises(grpc.RpcError) as refused:
        caller.fill(header(model="nobody"))
    assert refused.value.code() is grpc.StatusCode.NOT_FOUND
    with pytest.raises(grpc.RpcError) as refused:
        caller.edit(pb.EditHeader(session_id="elsewhere.x"))
    assert refused.value.code() is grpc.StatusCode.NOT_FOUND
    with pytest.raises(grpc.RpcError) as refused:
        caller.fill(header(seeds=[1], variants=[pb.Variant(edits=[pb.Edit(name="odd", value=1)])]))
    assert "odd" in (refused.value.details() or "")


def test_a_model_can_be_loaded_and_unloaded_everywhere(caller: Caller) -> None:
    assert caller.stub.LoadModel(
        pb.LoadModelRequest(name="tiny"), metadata=caller.metadata
    ).model.loaded
    assert caller.info().models[0].loaded
    assert caller.stub.UnloadModel(
        pb.UnloadModelRequest(name="tiny"), metadata=caller.metadata
    ).was_loaded
    assert not caller.info().models[0].loaded
    assert caller.fill(header(model="tiny", seeds=[1])).candidates


def test_a_token_is_required(daemon: DaemonProcess, caller: Caller) -> None:
    with Caller(grpc.insecure_channel(daemon.runtime()["address"]), "wrong") as stranger:
        with pytest.raises(grpc.RpcError) as refused:
            stranger.fill(header())
        assert refused.value.code() is grpc.StatusCode.UNAUTHENTICATED


def test_a_client_that_leaves_frees_the_replica(caller: Caller) -> None:
    call = caller.start_fill(header(seeds=[1], count=200))
    next(event for event in call if event.HasField("candidate"))
    call.cancel()
    assert eventually(lambda: caller.info().activity.busy_workers == 0, 20)


def test_a_killed_replica_costs_one_more_attempt(caller: Caller) -> None:
    filled = caller.fill(header(seeds=[1]))
    before = caller.edit(edit_of(filled))
    call = caller.start_fill(header(seeds=[7], count=200))
    accepted = next(event for event in call if event.HasField("accepted")).accepted
    victim = accepted.session_id.partition(".")[0]
    os.kill(process_of(victim), signal.SIGKILL)
    with pytest.raises(grpc.RpcError) as lost:
        list(call)
    assert lost.value.code() is grpc.StatusCode.UNAVAILABLE
    assert "replica" in (lost.value.details() or "")
    assert caller.fill(header(seeds=[7])).candidates
    if home(filled) != victim:
        os.kill(process_of(home(filled)), signal.SIGKILL)
    time.sleep(0.5)
    with pytest.raises(grpc.RpcError) as unknown:
        caller.edit(edit_of(filled))
    assert unknown.value.code() in {grpc.StatusCode.NOT_FOUND, grpc.StatusCode.UNAVAILABLE}
    source = recipe_source(header(seeds=[1]), filled.candidates[0])
    again = caller.edit(pb.EditHeader(source=source, edits=[pb.Edit(name="brighter", value=1.0)]))
    assert again.candidates[0].patches == before.candidates[0].patches
    assert eventually(lambda: caller.info().device.startswith("3 replicas"), 120)


def test_replicas_are_added_while_requests_wait_too_long(tmp_path: Path) -> None:
    require("ray")
    settings = (
        "ray: {max_replicas: 2, cpus_per_replica: 0.3, queue_target_s: 0.1, upscale_delay_s: 0}"
    )
    with DaemonProcess(tmp_path, "--ray", config=settings) as daemon:
        runtime = daemon.runtime()
        with Caller(grpc.insecure_channel(runtime["address"]), runtime["token"]) as caller:
            assert eventually(caller.is_serving, 120)
            assert caller.info().device.startswith("1 replica ")
            with ThreadPoolExecutor(12) as threads:
                flood = [
                    threads.submit(caller.fill, header(seeds=[k], count=60), None)
                    for k in range(60)
                ]
                assert eventually(lambda: caller.info().device.startswith("2 replicas"), 90)
                for each in flood:
                    each.cancel()
        before = children_of(daemon.process.pid)
        assert before
        daemon.process.send_signal(signal.SIGTERM)
        assert daemon.process.wait(90) == 0
        assert eventually(lambda: not any(Path(f"/proc/{k}").exists() for k in before), 20)


def children_of(process: int) -> set[int]:
    """Return the processes that a process has started, directly or not."""
    parents: dict[int, int] = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                status = (folder / "stat").read_text().rpartition(") ")[2].split()
            except OSError:
                continue
            parents[int(folder.name)] = int(status[1])
    found, todo = set[int](), {process}
    while todo:
        todo = {child for child, parent in parents.items() if parent in todo}
        found |= todo
    return found


def test_another_daemon_joins_the_same_replicas(
    daemon: DaemonProcess, caller: Caller, tmp_path: Path
) -> None:
    found = re.search(r"ray_address=(\S+)", daemon.log.read_text())
    assert found
    with DaemonProcess(tmp_path, "--ray", found[1], config=SETTINGS, environment=CLUSTER) as second:
        runtime = second.runtime()
        with Caller(grpc.insecure_channel(runtime["address"]), runtime["token"]) as other:
            assert eventually(other.is_serving, 60)
            assert "ray=joined" in second.log.read_text()
            filled = caller.fill(header(seeds=[3]))
            edited = other.edit(edit_of(filled))
            assert edited.session_id == filled.session_id
        second.process.send_signal(signal.SIGTERM)
        assert second.process.wait(60) == 0
    assert caller.fill(header(seeds=[3])).candidates[0].patches == filled.candidates[0].patches


def test_replicas_with_other_settings_are_replaced_and_no_fill_is_lost(
    daemon: DaemonProcess, caller: Caller, tmp_path: Path
) -> None:
    before = replicas(caller)
    found = re.search(r"ray_address=(\S+)", daemon.log.read_text())
    assert found
    settings = SETTINGS.replace("max_seeds: 200", "max_seeds: 201")
    with DaemonProcess(tmp_path, "--ray", found[1], config=settings, environment=CLUSTER) as second:
        second.runtime()
        seen: set[str] = set()
        until = time.monotonic() + 120
        while time.monotonic() < until and (not seen or seen & before):
            seen = replicas(caller)  # every fill succeeds meanwhile
        assert not seen & before
        second.process.send_signal(signal.SIGTERM)
        assert second.process.wait(60) == 0


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ("ray: {address: '127.0.0.1:1'}", "cannot use the cluster at 127.0.0.1:1"),
        ("ray: {min_replicas: 3, max_replicas: 2}", "raise max_replicas"),
        ("ray: {min_replicas: 0}", "min_replicas"),
        (
            "ray: {min_replicas: 2, max_replicas: 2, cpus_per_replica: 500}",
            "2 replicas with cpus_per_replica: 500 need 1000 CPUs",
        ),
    ],
)
def test_settings_that_cannot_work_are_named(settings: str, words: str, tmp_path: Path) -> None:
    require("ray")
    with DaemonProcess(tmp_path, config=settings) as daemon:
        assert daemon.process.wait(60) == 2
        assert words in daemon.log.read_text().splitlines()[-1]
