"""Real daemon processes, and requests to them through grpcio, for tests."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import numpy.typing as npt
from grpc_health.v1 import health_pb2, health_pb2_grpc
from inpaint_protos.v1 import inpaint_pb2 as pb
from inpaint_protos.v1 import inpaint_pb2_grpc as pb_grpc

SUPPORT = Path(__file__).parent
DTYPES: dict[pb.SampleType, np.dtype[Any]] = {
    pb.SAMPLE_TYPE_U8: np.dtype("u1"),
    pb.SAMPLE_TYPE_U16: np.dtype("<u2"),
    pb.SAMPLE_TYPE_F16: np.dtype("<f2"),
    pb.SAMPLE_TYPE_F32: np.dtype("<f4"),
}
SAMPLE_TYPES = {dtype: number for number, dtype in DTYPES.items()}
UNLIMITED = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]
PATIENCE_S = 180.0  # other work may run on the machine
ELSEWHERE = """\
import sys
from pathlib import Path
from inpaint_server import cli
from inpaint_server.daemon import runtime_file
runtime_file.SESSION_FOLDERS = Path(sys.argv[1])
sys.exit(cli.main(sys.argv[2:]))
"""


def write_token(path: Path, text: str) -> Path:
    """Write a token file that only its owner can read, as the daemon requires."""
    path.touch(mode=0o600)
    path.write_text(text)
    return path


class DaemonProcess:
    """`inpaint-server` in a separate process, with its runtime file in `folder`.

    Args:
        slow_s: seconds added to every rendering (see slow_daemon.py); None = the normal daemon.
        session_folders: replaces /run/user.
    """

    def __init__(
        self,
        folder: Path,
        *arguments: str,
        slow_s: float | None = None,
        config: str = "",
        environment: dict[str, str] | None = None,
        session_folders: Path | None = None,
        device: str = "cpu",
    ) -> None:
        self.folder = folder
        self.runtime_file = folder / "inpaint" / "server.json"
        self.log = folder / "daemon.log"
        command = [sys.executable, "-m", "inpaint_server"]
        if slow_s is not None:
            command = [sys.executable, str(SUPPORT / "slow_daemon.py"), str(slow_s)]
        if session_folders is not None:
            command = [sys.executable, "-c", ELSEWHERE, str(session_folders)]
        if "--model" not in arguments:
            arguments += ("--model", "tiny")
        if config:
            (folder / "server.yaml").write_text(config)
            arguments += ("--config", str(folder / "server.yaml"))
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [*command, "--device", device, *arguments],
                env={**os.environ, "XDG_RUNTIME_DIR": str(folder), **(environment or {})},
                stdout=log,
                stderr=log,
            )

    def __enter__(self) -> DaemonProcess:
        return self

    def __exit__(self, *exception: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(PATIENCE_S)

    def runtime(self) -> dict[str, Any]:
        """Wait for the runtime file and return its content."""
        until = time.monotonic() + PATIENCE_S
        while time.monotonic() < until:
            if self.process.poll() is not None:
                raise AssertionError(f"the daemon exited: {self.log.read_text()}")
            try:
                content: dict[str, Any] = json.loads(self.runtime_file.read_text())
                if content["pid"] == self.process.pid:
                    return content
            except FileNotFoundError:
                pass
            time.sleep(0.02)
        raise AssertionError(f"no runtime file: {self.log.read_text()}")

    def caller(self) -> Caller:
        runtime = self.runtime()
        return Caller(grpc.insecure_channel(runtime["address"], UNLIMITED), runtime["token"])

    def ended(self) -> int:
        """Wait for the daemon to exit; return the exit status."""
        return self.process.wait(PATIENCE_S)


class Caller:
    """Calls the daemon with its token."""

    def __init__(self, channel: grpc.Channel, token: str | None) -> None:
        self.channel = channel
        self.stub: Any = pb_grpc.InpaintStub(channel)
        self.health: Any = health_pb2_grpc.HealthStub(channel)
        self.metadata: tuple[tuple[str, str | bytes], ...] = (
            (("authorization", f"Bearer {token}"),) if token else ()
        )

    def __enter__(self) -> Caller:
        return self

    def __exit__(self, *exception: object) -> None:
        self.channel.close()

    def info(self) -> pb.InfoResponse:
        info: pb.InfoResponse = self.stub.Info(
            pb.InfoRequest(), metadata=self.metadata, wait_for_ready=True
        )
        return info

    def is_serving(self) -> bool:
        reply = self.health.Check(health_pb2.HealthCheckRequest(), metadata=self.metadata)
        return bool(reply.status == health_pb2.HealthCheckResponse.SERVING)

    def start_fill(self, requests: Any, timeout: float | None = PATIENCE_S) -> Any:
        if isinstance(requests, pb.FillHeader):
            requests = [pb.FillRequest(header=requests)]
        return self.stub.Fill(iter(requests), timeout=timeout, metadata=self.metadata)

    def fill(self, requests: Any, timeout: float | None = PATIENCE_S) -> Answer:
        return Answer.of(self.start_fill(requests, timeout))

    def edit(self, requests: Any, timeout: float | None = PATIENCE_S) -> Answer:
        if isinstance(requests, pb.EditHeader):
            requests = [pb.EditRequest(header=requests)]
        return Answer.of(self.stub.Edit(iter(requests), timeout=timeout, metadata=self.metadata))


@dataclass
class Answer:
    """All events of a fill or an edit."""

    session_id: str = ""
    frames: list[pb.FrameChosen] = field(default_factory=list)
    candidates: list[pb.Candidate] = field(default_factory=list)
    progress: list[tuple[int, int]] = field(default_factory=list)
    timings: pb.Timings | None = None
    kinds: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, events: Iterator[pb.FillEvent]) -> Answer:
        answer = cls()
        for event in events:
            kind = event.WhichOneof("event")
            answer.kinds.append(kind)
            if kind == "accepted":
                answer.session_id = event.accepted.session_id
            elif kind == "frame_chosen":
                answer.frames.append(event.frame_chosen)
            elif kind == "candidate":
                answer.candidates.append(event.candidate)
            elif kind == "progress":
                answer.progress.append((event.progress.done, event.progress.total))
            elif kind == "done":
                answer.timings = event.done.timings
        return answer


def noise(
    width: int,
    height: int,
    channels: int = 3,
    sample_type: pb.SampleType = pb.SAMPLE_TYPE_U8,
    seed: int = 0,
) -> npt.NDArray[Any]:
    """Return an image [H, W, C] of random pixels."""
    rng = np.random.default_rng(seed)
    dtype = DTYPES[sample_type]
    if dtype.kind == "f":
        return rng.random((height, width, channels), np.float32).astype(dtype)
    return rng.integers(0, np.iinfo(dtype).max, (height, width, channels), dtype, endpoint=True)


def square_hole(width: int, height: int) -> npt.NDArray[np.uint8]:
    """Return the mask of a hole in the central half, soft at its left edge."""
    hole = np.zeros((height, width), np.uint8)
    top, left = height // 4, width // 4
    hole[top : max(height - top, top + 1), left : max(width - left, left + 1)] = 255
    hole[top : max(height - top, top + 1), left] = 100
    return hole


def image(pixels: npt.NDArray[Any], linear: bool = False) -> pb.Picture:
    planes = pixels if pixels.ndim == 3 else pixels[..., None]
    return pb.Picture(
        width=planes.shape[1],
        height=planes.shape[0],
        channels=planes.shape[2],
        sample_type=SAMPLE_TYPES[planes.dtype.newbyteorder("<")],
        transfer=pb.TRANSFER_LINEAR if linear else pb.TRANSFER_SRGB,
        data=planes.tobytes(),
    )


def pixels_of(message: pb.Picture) -> npt.NDArray[Any]:
    array = np.frombuffer(message.data, DTYPES[message.sample_type])
    return array.reshape(message.height, message.width, message.channels)


def header(
    crop: npt.NDArray[Any] | None = None,
    hole: npt.NDArray[np.uint8] | None = None,
    *,
    linear: bool = False,
    at: tuple[int, int] = (0, 0),
    document: tuple[int, int] | None = None,
    **fields: Any,
) -> pb.FillHeader:
    """Return a FillHeader for small images; `fields` are additional fields."""
    crop = noise(48, 40) if crop is None else crop
    height, width = crop.shape[:2]
    hole = square_hole(width, height) if hole is None else hole
    size = document or (width, height)
    return pb.FillHeader(
        crop=image(crop, linear),
        hole=image(hole),
        crop_box=pb.Box(x=at[0], y=at[1], width=width, height=height),
        document=pb.Size(width=size[0], height=size[1]),
        **fields,
    )


def recipe_source(fill: pb.FillHeader, candidate: pb.Candidate) -> pb.RecipeSource:
    """Return the source for an Edit on a daemon that does not know the fill."""
    return pb.RecipeSource(
        recipe=candidate.recipe,
        attachment=candidate.attachment,
        crop=fill.crop,
        hole=fill.hole,
        crop_box=fill.crop_box,
        document=fill.document,
    )
