"""The memory budget as clients meet it: refused with a size, waiting, evicting."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest
from daemons import Caller, DaemonProcess, header, noise, square_hole
from eventually import eventually
from inpaint_protos.v1 import inpaint_pb2 as pb

Code = grpc.StatusCode
BUDGET_MIB = 90


@pytest.fixture(scope="module")
def tight(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Caller]:
    """A daemon that may take little, and takes 0.3 s longer for every rendering."""
    config = f"limits: {{max_pending_bytes: {BUDGET_MIB << 20}, max_queue: 3}}"
    folder = tmp_path_factory.mktemp("tight")
    with DaemonProcess(folder, slow_s=0.3, config=config) as daemon, daemon.caller() as caller:
        assert eventually(caller.is_serving, 60)
        yield caller


def of_side(side: int, **fields: Any) -> pb.FillHeader:
    return header(noise(side, side), square_hole(side, side), **fields)


def in_chunks(fill: pb.FillHeader) -> Iterator[pb.FillRequest]:
    """The header alone, then the images."""
    bare = pb.FillHeader()
    bare.CopyFrom(fill)
    bare.crop.ClearField("data")
    bare.hole.ClearField("data")
    yield pb.FillRequest(header=bare)
    yield pb.FillRequest(chunk=pb.Chunk(target="TARGET_CROP", data=fill.crop.data))
    yield pb.FillRequest(chunk=pb.Chunk(target="TARGET_HOLE", data=fill.hole.data))


def test_what_can_never_fit_is_refused_before_its_images_with_a_size_that_fits(
    tight: Caller,
) -> None:
    fill = of_side(1200, seeds=[1])
    asked: list[str] = []

    def requests() -> Iterator[pb.FillRequest]:
        for request in in_chunks(fill):
            asked.append(str(request.WhichOneof("message")))
            yield request
            time.sleep(1)  # the refusal comes first

    with pytest.raises(grpc.RpcError) as refusal:
        tight.fill(requests())
    assert refusal.value.code() == Code.RESOURCE_EXHAUSTED
    told = re.search(
        rf"needs \d+ MiB of memory, but the daemon is limited to {BUDGET_MIB} MiB. "
        r"Select a region of at most (\d+) x",
        str(refusal.value.details()),
    )
    assert told is not None
    assert len(asked) <= 2  # with what was on its way
    side = int(told[1])
    assert 200 < side < 1200
    assert len(tight.fill(in_chunks(of_side(side, seeds=[1]))).candidates) == 1
    for too_large in (in_chunks(of_side(side + 8, seeds=[1])), of_side(side, seeds=[1])):
        with pytest.raises(grpc.RpcError, match="of memory"):
            tight.fill(too_large)


def test_a_request_that_does_not_fit_with_another_waits_for_it(tight: Caller) -> None:
    fill = of_side(300, seeds=[1, 2, 3, 4])
    with ThreadPoolExecutor(3) as pool:
        answers = [pool.submit(tight.fill, list(in_chunks(fill))) for _ in range(3)]
        assert eventually(lambda: tight.info().queue_length >= 1)
        assert [len(answer.result(60).candidates) for answer in answers] == [4, 4, 4]
    assert tight.info().queue_length == 0


def test_who_waits_can_cancel_and_has_a_deadline(tight: Caller) -> None:
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(tight.fill, list(in_chunks(of_side(320, seeds=list(range(8))))))
        assert eventually(lambda: tight.info().queue_length == 0)
        time.sleep(0.3)
        late = of_side(320, seeds=[1])
        with pytest.raises(grpc.RpcError) as passed:
            tight.fill(list(in_chunks(late)), timeout=0.4)
        assert passed.value.code() == Code.DEADLINE_EXCEEDED
        waiting = tight.start_fill(list(in_chunks(late)))
        assert eventually(lambda: tight.info().queue_length == 1)
        waiting.cancel()
        assert eventually(lambda: tight.info().queue_length == 0)
        assert len(running.result(60).candidates) == 8


def test_kept_sessions_leave_for_a_request_that_needs_their_room(tmp_path: Path) -> None:
    config = "limits: {max_pending_bytes: 209715200}"
    with DaemonProcess(tmp_path, config=config) as daemon, daemon.caller() as caller:
        assert eventually(caller.is_serving, 60)
        small = caller.fill(of_side(350, seeds=[1]))
        assert caller.edit(pb.EditHeader(session_id=small.session_id)).candidates
        hole = np.zeros((500, 500), np.uint8)
        hole[10:490, 10:490] = 255
        caller.fill(header(noise(500, 500), hole, seeds=[1]))
        with pytest.raises(grpc.RpcError) as gone:
            caller.edit(pb.EditHeader(session_id=small.session_id))
        assert gone.value.code() == Code.NOT_FOUND
