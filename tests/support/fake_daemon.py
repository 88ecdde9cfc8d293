"""A daemon without a model, for tests of the client and the hosts: inpaint.v1 over real gRPC.

It answers Fill and Edit with one constant color per candidate (`color_of`), each after `--delay`
seconds, and writes a runtime file like the real daemon. It returns a smooth candidate
(`SMOOTH_COLOR`) only for requests that always want one. Segment finds one face, each of whose parts
is a soft box (`part_box`), unless the image has only one color. To simulate errors:

    --fail NOT_FOUND[:AFTER]     every Fill and Edit fails after AFTER candidates (default: 0); with
                                 END instead of a status the response ends without Done
    model "fail:NOT_FOUND:AFTER" the same for one request

Lines on stdout: `ready ADDRESS`, `fill ...`, `edit ...`, `cancelled ...`, `done ...`.

    python tests/support/fake_daemon.py --port 0 --runtime DIR [--unix PATH] [--token T]
        [--delay S] [--warning TEXT] [--single-candidate] [--no-edits]
        [--tls-cert PEM --tls-key PEM [--tls-client-ca PEM]]
"""
# ruff: noqa: N802 (gRPC's method names are the contract's)

from __future__ import annotations

import argparse
import asyncio
import io
import json
import random
import signal
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from threading import Thread
from typing import Any

import grpc
import numpy as np
from fake_listening import Listening, start, write_runtime_file
from inpaint_protos.sentences import DOMAIN, ERROR_INFO, RETRY_INFO
from inpaint_protos.status.v1 import status_pb2 as pb_status
from inpaint_protos.v1 import inpaint_pb2 as pb
from inpaint_protos.v1 import inpaint_pb2_grpc as pb_grpc
from PIL import Image

DTYPES: dict[pb.SampleType, tuple[np.dtype[Any], int]] = {
    pb.SAMPLE_TYPE_U8: (np.dtype("<u1"), 255),
    pb.SAMPLE_TYPE_U16: (np.dtype("<u2"), 65535),
    pb.SAMPLE_TYPE_F16: (np.dtype("<f2"), 1),
    pb.SAMPLE_TYPE_F32: (np.dtype("<f4"), 1),
}
RESOLUTION = 32
SMOOTH_COLOR = (0.5, 0.6, 0.7)  # of the candidate that is filled without the model
MODEL = pb.Model(
    name="fake",
    title="Constant colors",
    resolution=RESOLUTION,
    alignment="ffhq",
    loaded=True,
    is_default=True,
    licence="Apache-2.0",
    weights_sha256="0" * 64,
    generator_sha256="1" * 64,
    has_framer=True,
    memory_bytes=1 << 20,
    directions=[
        pb.Direction(name="smile", group="face", minimum=-3, maximum=3, description="Mouth"),
        pb.Direction(name="age", group="face", minimum=-4, maximum=4, description="Young to old"),
        pb.Direction(name="light", group="light", minimum=-2, maximum=2, description="Dark, light"),
    ],
)


def color_of(seed: int, edits: dict[str, float] | None = None) -> tuple[float, float, float]:
    """Return the color of a candidate, RGB in 0..1; each unit of an edit makes it 0.05 lighter."""
    draw = random.Random(seed)  # noqa: S311 (a color, no secret)
    lift = 0.05 * sum((edits or {}).values())
    red, green, blue = (min(1.0, max(0.0, draw.uniform(0.2, 0.8) + lift)) for _ in range(3))
    return red, green, blue


def scores_of(seed: int, edits: dict[str, float] | None = None) -> dict[str, float]:
    """Return the scores of a candidate; later seeds are more natural, edits cost likeness."""
    lost = 0.1 * sum(map(abs, (edits or {}).values()))
    return {"likeness": max(0.0, 0.9 - lost), "naturalness": seed % 10 / 10}


def part_box(part: pb.Part, width: int, height: int) -> tuple[int, int, int, int]:
    """Return the box of a part in an image, (x, y, width, height); its border is half selected."""
    return part * width // 10, height // 4, max(3, width // 5), max(3, height // 2)


@dataclass
class Script:
    """The behavior of the fake daemon."""

    token: str = ""
    delay_s: float = 0.0  # before each candidate
    fail: str = ""  # STATUS or STATUS:AFTER
    warning: str = ""  # about the frame
    notices: tuple[pb.Notice, ...] = ()  # the same, in the form of newer daemons
    reason: pb_status.ErrorInfo | None = None  # of failures
    busy: int = 0  # number of fills that are first refused with a hint to try again
    larger: str = ""  # a second model, used by fills that name none
    single_candidate: bool = False  # as in Model, here and below
    no_edits: bool = False
    scored: bool = False  # send `scores_of` with candidates
    max_mixings: int = 8  # 0: an older daemon
    faces: int = 1  # in images of more than one color, side by side
    last_killed: pb.LastKilled | None = None  # how the previous daemon ended
    tell: Callable[[str], None] = lambda line: None


@dataclass
class Session:
    header: pb.FillHeader
    crop: bytes
    hole: bytes
    smooth: int | None = None  # index of the smooth candidate


@dataclass
class FakeInpaint(pb_grpc.InpaintServicer):
    """The service, which records all requests."""

    script: Script = field(default_factory=Script)
    fills: list[pb.FillHeader] = field(default_factory=list)  # images joined
    edits: list[pb.EditHeader] = field(default_factory=list)
    segments: list[pb.SegmentHeader] = field(default_factory=list)
    cancelled: list[str] = field(default_factory=list)
    routing_keys: list[str] = field(default_factory=list)  # of fills and edits
    sessions: dict[str, Session] = field(default_factory=dict)
    loaded: bool = True

    async def Info(self, request: pb.InfoRequest, context: Any) -> pb.InfoResponse:
        model = pb.Model()
        model.CopyFrom(MODEL)
        model.loaded = self.loaded
        model.single_candidate, model.no_edits = self.script.single_candidate, self.script.no_edits
        if model.no_edits:
            model.ClearField("directions")
        models = [model]
        if self.script.larger:
            models.append(pb.Model(name=self.script.larger, resolution=2 * RESOLUTION))
        return pb.InfoResponse(
            version="0.0-fake",
            device="no device",
            device_type="cpu",
            precision="fp32",
            models=models,
            limits=pb.Limits(
                max_picture_bytes=512 << 20,
                max_side=8192,
                max_seeds=64,
                max_variants=16,
                max_queue=16,
                max_segment_side=2048,
                max_mixings=self.script.max_mixings,
            ),
            last_killed=self.script.last_killed,
        )

    async def LoadModel(self, request: pb.LoadModelRequest, context: Any) -> pb.LoadModelResponse:
        if request.name != MODEL.name:
            await context.abort(
                grpc.StatusCode.NOT_FOUND, f"no model {request.name!r}; known: fake"
            )
        self.loaded = True
        return pb.LoadModelResponse(model=MODEL)

    async def UnloadModel(self, request: pb.UnloadModelRequest, context: Any) -> Any:
        was, self.loaded = self.loaded, False
        return pb.UnloadModelResponse(was_loaded=was)

    async def Fill(
        self, requests: AsyncIterator[pb.FillRequest], context: Any
    ) -> AsyncIterator[pb.FillEvent]:
        if self.script.busy:
            self.script.busy -= 1
            await _be_busy(context)
        header = await self._gather(requests, context)
        self.routing_keys.append(_routing_key(context))
        self.fills.append(header)
        session_id = f"session-{len(self.fills)}"
        self.sessions[session_id] = Session(header, header.crop.data, header.hole.data)
        self.script.tell(f"fill {session_id} {header.crop.width}x{header.crop.height}")
        seeds = list(header.seeds) or [random.getrandbits(32)]
        if len(seeds) == 1:
            seeds = [(seeds[0] + i) % 2**32 for i in range(header.count or 1)]
        if self.script.single_candidate and len(seeds) > 1:
            await _refuse(context, "ONE_CANDIDATE")
        if self.script.no_edits and (header.edits or any(v.edits for v in header.variants)):
            await _refuse(context, "NO_EDITS")
        base = {edit.name: edit.value for edit in header.edits}
        renderings = [
            (index, variant, seed, base | extra)
            for index, seed in enumerate(seeds)
            for variant, extra in enumerate(
                [{}, *({e.name: e.value for e in v.edits} for v in header.variants)], start=-1
            )
        ]
        if header.smooth == pb.SMOOTH_FILL_ALWAYS:
            self.sessions[session_id].smooth = len(seeds)
            renderings.append((len(seeds), -1, 0, {}))
        fail = header.model.removeprefix("fail:") if header.model.startswith("fail:") else ""
        async for event in self._render(session_id, renderings, context, fail):
            yield event

    async def Edit(
        self, requests: AsyncIterator[pb.EditRequest], context: Any
    ) -> AsyncIterator[pb.FillEvent]:
        header: Any = await self._gather(requests, context)
        self.routing_keys.append(_routing_key(context))
        self.edits.append(header)
        session_id, seed = header.session_id, header.seed
        if session_id not in self.sessions:
            if not header.HasField("source"):
                await context.abort(
                    grpc.StatusCode.NOT_FOUND, f"no session {session_id!r}; it has expired"
                )
            source = header.source
            if json.loads(source.recipe).get("method") == "smooth":
                await _refuse_smooth(context)
            session_id = f"session-of-recipe-{len(self.edits)}"
            fill = pb.FillHeader(
                crop=source.crop,
                hole=source.hole,
                crop_box=source.crop_box,
                seeds=[json.loads(source.recipe)["seed"]],
            )
            self.sessions[session_id] = Session(fill, source.crop.data, source.hole.data)
        elif header.index == self.sessions[session_id].smooth:
            await _refuse_smooth(context)
        if not header.HasField("seed"):
            seeds = self.sessions[session_id].header.seeds
            first = seeds[0] if seeds else 0
            seed = seeds[header.index] if len(seeds) > 1 else (first + header.index) % 2**32
        if self.script.single_candidate and header.HasField("seed"):
            await _refuse(context, "ONE_CANDIDATE")
        if self.script.no_edits and (header.edits or header.HasField("mixing")):
            await _refuse(context, "NO_EDITS")
        self.script.tell(f"edit {session_id}")
        edits = {edit.name: edit.value for edit in header.edits}
        renderings = [(header.index, -1, seed, edits)]
        mixings = _mixings(header)[: max(1, self.script.max_mixings)]
        async for event in self._render(session_id, renderings, context, "", mixings):
            yield event

    async def Segment(
        self, requests: AsyncIterator[pb.SegmentRequest], context: Any
    ) -> AsyncIterator[pb.SegmentEvent]:
        header: Any = await self._gather(requests, context)
        self.segments.append(header)
        seen = header.image
        self.script.tell(f"segment {seen.width}x{seen.height}")
        await asyncio.sleep(self.script.delay_s)
        if self.script.fail:
            await _fail(context, self.script.fail, self.script.reason)
        pixels = np.frombuffer(seen.data, np.uint8).reshape(-1, seen.channels)
        if (pixels == pixels[0]).all():
            yield pb.SegmentEvent(faces=pb.Faces())
        else:
            count, width = self.script.faces, seen.width // self.script.faces
            faces = [_face(k * width, width, seen.height) for k in range(count)]
            yield pb.SegmentEvent(faces=pb.Faces(faces=faces))
            for part in header.parts:
                for face in range(1 if part == pb.PART_BACKGROUND else count):
                    mask = _part_mask(part, face, width, seen.height)
                    yield pb.SegmentEvent(mask=mask)
        yield pb.SegmentEvent(done=pb.SegmentDone())

    async def _render(
        self,
        session_id: str,
        renderings: list[Any],
        context: Any,
        fail: str,
        mixings: Sequence[pb.Mixing] = (),
    ) -> AsyncIterator[pb.FillEvent]:
        session = self.sessions[session_id]
        status, _, after = (fail or self.script.fail).partition(":")
        if status and not after:
            await _fail(context, status, self.script.reason)
        box = session.header.crop_box
        frame = pb.Frame(cx=box.x + box.width / 2, cy=box.y + box.height / 2, side=box.width)
        try:
            yield pb.FillEvent(accepted=pb.Accepted(session_id=session_id))
            yield pb.FillEvent(
                frame_chosen=pb.FrameChosen(
                    frame=frame,
                    confidence=0.9,
                    model_resolution=RESOLUTION,
                    enlargement=frame.side / RESOLUTION,
                    mode=pb.FRAME_MODE_AUTO,
                    warning=self.script.warning,
                    notices=self.script.notices,
                    model=session.header.model or self.script.larger or MODEL.name,
                )
            )
            yield pb.FillEvent(progress=pb.Progress(done=0, total=len(renderings)))
            for done, (index, variant, seed, edits) in enumerate(renderings):
                if status == "END" and done >= int(after):
                    return
                if status and done >= int(after):
                    await _fail(context, status, self.script.reason)
                await asyncio.sleep(self.script.delay_s)
                made = _candidate(session, index, variant, seed, edits, mixings)
                if self.script.scored and made.method == pb.METHOD_MODEL:
                    for name, score in scores_of(seed, edits).items():
                        setattr(made, name, score)
                yield pb.FillEvent(candidate=made)
                yield pb.FillEvent(progress=pb.Progress(done=done + 1, total=len(renderings)))
                self.script.tell(f"sent {done + 1}")
            yield pb.FillEvent(done=pb.Done(timings=pb.Timings(total_ms=1.0)))
            self.script.tell(f"done {session_id}")
        except (asyncio.CancelledError, GeneratorExit):
            self.cancelled.append(session_id)
            self.script.tell(f"cancelled {session_id}")
            raise

    async def _gather(self, requests: AsyncIterator[Any], context: Any) -> Any:
        """Return the header, with the chunks inserted."""
        header: Any = None
        chunks: dict[pb.Chunk.Target, bytearray] = {}
        async for request in requests:
            if request.WhichOneof("message") == "header":
                header = request.header
            else:
                chunks.setdefault(request.chunk.target, bytearray()).extend(request.chunk.data)
        if header is None:
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, "the header is missing")
        holder = header.source if isinstance(header, pb.EditHeader) else header
        targets = {
            pb.Chunk.TARGET_CROP: "crop",
            pb.Chunk.TARGET_HOLE: "hole",
            pb.Chunk.TARGET_OVERVIEW: "overview",
            pb.Chunk.TARGET_IMAGE: "image",
        }
        for target, data in chunks.items():
            getattr(holder, targets[target]).data = bytes(data)
        for name in ("crop", "hole", "image"):
            if name in holder.DESCRIPTOR.fields_by_name and holder.HasField(name):
                await _check(getattr(holder, name), name, context)
        return header


def _face(left: int, width: int, height: int) -> pb.Face:
    middle = pb.Frame(cx=left + width / 2, cy=height / 2, side=height)
    return pb.Face(frame=middle, confidence=0.9, box=pb.Box(x=left, width=width, height=height))


def _part_mask(part: pb.Part, face: int, width: int, height: int) -> pb.PartMask:
    """Return the mask of a part in an image of this size, the first one or one beside it."""
    x, y, columns, rows = part_box(part, width, height)
    coverage = np.full((rows, columns), 128, np.uint8)
    coverage[1:-1, 1:-1] = 255
    return pb.PartMask(
        part=part,
        face=-1 if part == pb.PART_BACKGROUND else face,
        box=pb.Box(x=face * width + x, y=y, width=columns, height=rows),
        coverage=coverage.tobytes(),
    )


def _routing_key(context: Any) -> str:
    return str(dict(context.invocation_metadata()).get("inpaint-routing-key", ""))


async def _check(image: pb.Picture, name: str, context: Any) -> None:
    size = DTYPES[image.sample_type][0].itemsize
    expected = image.width * image.height * image.channels * size
    if len(image.data) != expected:
        await context.abort(
            grpc.StatusCode.INVALID_ARGUMENT,
            f"{name}.data has {len(image.data)} bytes, expected {expected}",
        )


async def _refuse_smooth(context: Any) -> None:
    message = "a smooth candidate cannot be edited or drawn from another seed"
    await context.abort(grpc.StatusCode.INVALID_ARGUMENT, message)


async def _refuse(context: Any, code: str) -> None:
    reason = pb_status.ErrorInfo(reason=code, domain=DOMAIN, metadata={"model": MODEL.title})
    await _fail(context, "INVALID_ARGUMENT", reason)


async def _be_busy(context: Any) -> None:
    info = pb_status.ErrorInfo(reason="QUEUE_FULL", domain=DOMAIN, metadata={"limit": "3"})
    retry = pb_status.RetryInfo(retry_delay=pb_status.Duration(nanos=50_000_000))
    details = [
        pb_status.Detail(type_url=ERROR_INFO, value=info.SerializeToString()),
        pb_status.Detail(type_url=RETRY_INFO, value=retry.SerializeToString()),
    ]
    trailer = (("grpc-status-details-bin", pb_status.Status(details=details).SerializeToString()),)
    await context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, "the queue is full", trailer)


async def _fail(context: Any, status: str, reason: pb_status.ErrorInfo | None = None) -> None:
    trailer: tuple[tuple[str, bytes], ...] = ()
    if reason is not None:
        detail = pb_status.Detail(type_url=ERROR_INFO, value=reason.SerializeToString())
        details = pb_status.Status(details=[detail]).SerializeToString()
        trailer = (("grpc-status-details-bin", details),)
    await context.abort(grpc.StatusCode[status], f"{status} on demand", trailer)


def _mixings(header: pb.EditHeader) -> list[pb.Mixing]:
    """Return the mixings of an edit; an older daemon does not see all."""
    return [header.mixing, *header.further_mixing] if header.HasField("mixing") else []


def _other_color(mixing: pb.Mixing) -> list[float]:
    """Return the color of the other candidate, or of the image's first pixel."""
    if mixing.HasField("picture"):
        return [value / 255 for value in mixing.picture.data[:3]]
    return list(color_of(json.loads(mixing.recipe)["seed"]))


def _candidate(
    session: Session,
    index: int,
    variant: int,
    seed: int,
    edits: dict[str, float],
    mixings: Sequence[pb.Mixing] = (),
) -> pb.Candidate:
    header = session.header
    coverage = np.frombuffer(session.hole, np.uint8).reshape(header.hole.height, header.hole.width)
    rows, columns = np.nonzero(coverage.any(1))[0], np.nonzero(coverage.any(0))[0]
    top, bottom, left, right = rows[0], rows[-1] + 1, columns[0], columns[-1] + 1
    box = pb.Box(
        x=header.crop_box.x + int(left),
        y=header.crop_box.y + int(top),
        width=int(right - left),
        height=int(bottom - top),
    )
    sample_type = header.output_sample_type or header.crop.sample_type
    dtype, scale = DTYPES[sample_type]
    color: tuple[float, ...] = color_of(seed, edits)
    for mixing in mixings:
        color = tuple(
            own + mixing.amount * (other - own)
            for own, other in zip(color, _other_color(mixing), strict=True)
        )
    is_smooth = index == session.smooth
    if is_smooth:
        color = SMOOTH_COLOR
    channels = {1: (color[1],), 3: color, 4: (*color, 1.0)}[header.crop.channels]
    values = np.array(channels) * scale
    pixel = (np.rint(values) if scale > 1 else values).astype(dtype)
    recipe = {
        "format": 2 if is_smooth else 1,
        "model": "fake",
        "method": "smooth" if is_smooth else "model",
        "seed": seed,
        "truncation_psi": header.truncation_psi,
        "edits": edits,
        "mixed": bool(mixings),
        "generator_sha256": MODEL.generator_sha256,
    }
    return pb.Candidate(
        index=index,
        variant=variant,
        seed=seed,
        recipe=json.dumps(recipe),
        method=pb.METHOD_SMOOTH if is_smooth else pb.METHOD_MODEL,
        attachment=_png(color) if variant < 0 else b"",
        patches=[
            pb.Patch(
                fill=pb.Picture(
                    width=box.width,
                    height=box.height,
                    channels=header.crop.channels,
                    sample_type=sample_type,
                    transfer=header.crop.transfer,
                    data=pixel.tobytes() * (box.width * box.height),
                ),
                coverage=pb.Picture(
                    width=box.width,
                    height=box.height,
                    channels=1,
                    sample_type=pb.SAMPLE_TYPE_U8,
                    data=np.ascontiguousarray(coverage[top:bottom, left:right]).tobytes(),
                ),
                box=box,
            )
        ],
    )


def _png(color: tuple[float, ...]) -> bytes:
    file = io.BytesIO()
    rgb = tuple(round(255 * value) for value in color)
    Image.new("RGBA", (RESOLUTION, RESOLUTION), (*rgb, 255)).save(file, "png")
    return file.getvalue()


class FakeDaemon:
    """The daemon in a thread of the test: `with FakeDaemon() as daemon: daemon.address`."""

    def __init__(self, script: Script | None = None, listening: Listening | None = None) -> None:
        self.service = FakeInpaint(script or Script())
        self._listening = listening or Listening()
        self._loop = asyncio.new_event_loop()
        self._thread = Thread(target=self._loop.run_forever, daemon=True)
        self.address = ""

    def __enter__(self) -> FakeDaemon:
        self._thread.start()
        token = self.service.script.token
        starting = start(self.service, self._listening, token)
        future = asyncio.run_coroutine_threadsafe(starting, self._loop)
        self._server, self.address = future.result(20)
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self._server.stop(0), self._loop).result(20)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(20)
        self._loop.close()


async def serve(arguments: argparse.Namespace) -> None:
    def tell(line: str) -> None:
        print(line, flush=True)

    script = Script(
        arguments.token,
        arguments.delay,
        arguments.fail,
        warning=arguments.warning,
        single_candidate=arguments.single_candidate,
        no_edits=arguments.no_edits,
        tell=tell,
    )
    listening = Listening(
        arguments.port,
        arguments.unix,
        arguments.tls_cert,
        arguments.tls_key,
        arguments.tls_client_ca,
    )
    server, address = await start(FakeInpaint(script), listening, script.token)
    path = None
    if arguments.runtime:
        path = write_runtime_file(Path(arguments.runtime), address, arguments.token)
    tell(f"ready {address}")
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    await stopped.wait()
    await server.stop(1)
    if path:
        with suppress(FileNotFoundError):
            path.unlink()


def main() -> None:
    parser = argparse.ArgumentParser(description="A daemon without a model, for tests.")
    parser.add_argument("--port", type=int, default=0, help="TCP port (default: a free one)")
    parser.add_argument("--unix", default="", help="listen on this Unix socket instead")
    parser.add_argument("--runtime", default="", help="folder for inpaint/server.json")
    parser.add_argument("--token", default="", help="token that requests must have")
    parser.add_argument("--delay", type=float, default=0.0, help="seconds before each candidate")
    parser.add_argument("--fail", default="", help="error of all requests: STATUS[:AFTER]")
    parser.add_argument("--warning", default="", help="warning about the frame of each request")
    for option in ("--single-candidate", "--no-edits"):
        parser.add_argument(option, action="store_true", help="the model cannot do more")
    parser.add_argument("--tls-cert", default="", help="PEM file with the certificate")
    parser.add_argument("--tls-key", default="", help="PEM file with the private key")
    parser.add_argument("--tls-client-ca", default="", help="PEM file to verify clients")
    asyncio.run(serve(parser.parse_args()))


if __name__ == "__main__":
    main()
