"""One daemon with several devices: a worker each, one queue. Devices are simulated by loaders."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import grpc.aio
import pytest
import torch
from daemons import header, write_token
from eventually import eventually_async
from inpaint_model import Inpainter
from inpaint_protos.v1 import inpaint_pb2 as pb
from inpaint_protos.v1 import inpaint_pb2_grpc as pb_grpc
from inpaint_server.config import ServerConfig
from inpaint_server.daemon.main import running
from inpaint_server.daemon.runtime_file import RuntimeFile
from inpaint_server.models.registry import BundleLoader

CPU = torch.device("cpu")


class Device(BundleLoader):
    """A loader that notes what is done on its device."""

    all: list[Device]
    meeting: threading.Barrier | None = None  # where renderings wait for each other

    def __init__(self, device: torch.device, precision: str = "auto") -> None:
        super().__init__(device, precision)
        self.encoded = self.rendered = 0
        Device.all.append(self)

    def load(self, source: str) -> Inpainter:
        inpainter = super().load(source)
        encode, render = inpainter.encode, inpainter.render

        def noting_encode(image: Any, hole: Any) -> Any:
            self.encoded += 1
            return encode(image, hole)

        def noting_render(encoding: Any, ws_out: Any) -> Any:
            self.rendered += 1
            if Device.meeting is not None:
                Device.meeting.wait(20)
            return render(encoding, ws_out)

        inpainter.encode, inpainter.render = noting_encode, noting_render  # type: ignore[method-assign]
        return inpainter


class Client:
    """Requests to the daemon in this process."""

    def __init__(self, address: str, token: str) -> None:
        self._channel = grpc.aio.insecure_channel(address)
        self.stub: Any = pb_grpc.InpaintStub(self._channel)
        self.metadata = (("authorization", f"Bearer {token}"),)

    async def __aenter__(self) -> Client:
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._channel.close()

    async def fill(self, seed: int) -> list[pb.FillEvent]:
        request = pb.FillRequest(header=header(seeds=[seed]))
        call = self.stub.Fill(iter([request]), metadata=self.metadata)
        return [event async for event in call]

    async def edit(self, session_id: str) -> list[pb.FillEvent]:
        request = pb.EditRequest(header=pb.EditHeader(session_id=session_id))
        call = self.stub.Edit(iter([request]), metadata=self.metadata)
        return [event async for event in call]

    async def info(self) -> pb.InfoResponse:
        info: pb.InfoResponse = await self.stub.Info(pb.InfoRequest(), metadata=self.metadata)
        return info


def all_are_warm() -> bool:
    """Whether each device has rendered once."""
    return [device.rendered for device in Device.all] == [1, 1]


def with_two_devices(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, test: Any, **settings: Any
) -> None:
    """Run `test(client)` against a daemon whose two devices have loaded and run their model."""
    monkeypatch.setattr(Device, "all", [], raising=False)
    write_token(tmp_path / "token", "a-token-for-this-test")
    config = ServerConfig(models=("tiny",), token_file=tmp_path / "token", **settings)

    async def body() -> None:
        with RuntimeFile(tmp_path / "server.json") as runtime:
            async with (
                running(config, runtime, Device, devices=(CPU, CPU)) as address,
                Client(address, "a-token-for-this-test") as client,
            ):
                assert await eventually_async(all_are_warm, 120)
                await client.stub.LoadModel(pb.LoadModelRequest(), metadata=client.metadata)
                for device in Device.all:  # LoadModel came after the last step of warming up
                    device.encoded = device.rendered = 0
                await test(client)

    asyncio.run(asyncio.wait_for(body(), 120))


def test_two_fills_at_the_same_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def test(client: Client) -> None:
        monkeypatch.setattr(Device, "meeting", threading.Barrier(2))  # neither goes on alone
        fills: list[Coroutine[Any, Any, Any]] = [client.fill(1), client.fill(2)]
        for events in await asyncio.gather(*fills):
            assert [e.WhichOneof("event") for e in events][-1] == "done"
        assert [device.rendered for device in Device.all] == [1, 1]

    with_two_devices(tmp_path, monkeypatch, test)


def test_edits_go_where_the_session_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def test(client: Client) -> None:
        (accepted, *_) = await client.fill(1)
        before = [device.encoded for device in Device.all]
        assert sorted(before) == [0, 1]
        for _ in range(6):
            events = await client.edit(accepted.accepted.session_id)
            assert [e.WhichOneof("event") for e in events][-1] == "done"
        assert [device.encoded for device in Device.all] == before, "nothing is encoded again"
        assert sorted(device.rendered for device in Device.all) == [0, 7]

    with_two_devices(tmp_path, monkeypatch, test)


def test_models_are_loaded_and_unloaded_everywhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def test(client: Client) -> None:
        info = await client.info()
        first, second = info.device.split(", ")
        assert first == second != ""
        assert info.device_type == "cpu"
        assert info.models[0].loaded
        (accepted, *_) = await client.fill(1)
        unload = pb.UnloadModelRequest(name="tiny")
        reply = await client.stub.UnloadModel(unload, metadata=client.metadata)
        assert reply.was_loaded
        assert not (await client.info()).models[0].loaded
        reply = await client.stub.UnloadModel(unload, metadata=client.metadata)
        assert not reply.was_loaded
        events = await client.edit(accepted.accepted.session_id)  # anywhere: it is encoded again
        assert events[-1].WhichOneof("event") == "done"
        assert sum(device.encoded for device in Device.all) == 2

    with_two_devices(tmp_path, monkeypatch, test)
