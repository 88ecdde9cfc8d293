"""What a request leaves behind: nothing that waits for the garbage collector."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import grpc.aio
import pytest
from daemons import header, recipe_source, write_token
from eventually import eventually_async
from inpaint_protos.v1 import inpaint_pb2 as pb
from inpaint_server.config import ServerConfig
from inpaint_server.daemon.main import running
from inpaint_server.daemon.runtime_file import RuntimeFile
from inpaint_server.filling.filling import ServedSession

TOKEN = "a-token-for-this-test"


@pytest.fixture
def no_collector() -> Iterator[None]:
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def gone(kind: type[Any]) -> bool:
    """Whether nothing of this kind is left."""
    return not any(type(thing) is kind for thing in gc.get_objects())


@pytest.mark.usefixtures("no_collector")
def test_requests_leave_nothing_that_holds_their_images(tmp_path: Path) -> None:
    write_token(tmp_path / "token", TOKEN)
    config = ServerConfig(
        device="cpu",
        models=("tiny",),
        token_file=tmp_path / "token",
        session_ttl_s=0.1,
        idle_unload_s=0,  # so that an edit is the last thing that the worker does
    )
    metadata = (("authorization", "Bearer " + TOKEN),)

    async def call(channel: grpc.aio.Channel, method: str, message: bytes) -> list[pb.FillEvent]:
        """In bytes on this side, so that all requests found alive are the daemon's."""
        start: Any = channel.stream_stream(
            f"/inpaint.v1.Inpaint/{method}", None, pb.FillEvent.FromString
        )
        return [event async for event in start(iter([message]), metadata=metadata)]

    async def body() -> None:
        with RuntimeFile(tmp_path / "server.json") as runtime:
            async with (
                running(config, runtime, tidy_every_s=0.02) as address,
                grpc.aio.insecure_channel(address) as channel,
            ):
                fill = header(seeds=[1])
                events = await call(
                    channel, "Fill", pb.FillRequest(header=fill).SerializeToString()
                )
                (candidate,) = [e.candidate for e in events if e.HasField("candidate")]
                edit = pb.EditHeader(source=recipe_source(fill, candidate))
                await call(channel, "Edit", pb.EditRequest(header=edit).SerializeToString())
                for kind in (pb.FillRequest, pb.EditRequest, ServedSession):
                    assert await eventually_async(partial(gone, kind), 60), kind

    asyncio.run(body())
