"""Run the passes of a fill as CUDA graphs, recorded once per batch size and then replayed.

Launching hundreds of small operations would limit the speed of a single candidate
(docs/research/performance.md). A batch of three runs as two and one: padding it to four would
render an unused image, while another replay costs microseconds.

A model's graphs share one memory pool, since only one runs at a time. It is hardly larger than the
largest graph if that one is recorded first. Results are copied out of it before the next replay.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from typing import NamedTuple, Protocol, TypeVar

import torch
from torch import Tensor

from inpaint_model.inference.passes import EagerPasses
from inpaint_model.networks.inpainting_model import Encoding

T = TypeVar("T")
log = logging.getLogger(__name__)

WARM_UPS = 3  # runs before a recording, in which libraries choose their algorithms
LARGEST_BATCH = 8  # a power of two; larger ones take more memory and delay cancellation
_recording = threading.Lock()  # one recording at a time, for all devices


class Recorder(Protocol):
    """Records graphs: the seam to CUDA."""

    def record(self, work: Callable[[], T]) -> tuple[Callable[[], None], T]:
        """Run `work`; return a function that repeats it, and its result, which replays overwrite.

        Raises:
            Exception: The work cannot be recorded.
        """


class CudaRecorder:
    """Records graphs on a CUDA device, in one pool."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._pool = torch.cuda.graph_pool_handle()
        self._side = torch.cuda.Stream(device)

    def record(self, work: Callable[[], T]) -> tuple[Callable[[], None], T]:
        """Record on a separate stream."""
        with _recording, torch.cuda.device(self._device):
            graph = torch.cuda.CUDAGraph()
            main = torch.cuda.current_stream()
            self._side.wait_stream(main)
            try:
                # The outer context restores the main stream after a failure too.
                with torch.cuda.stream(self._side):
                    for _ in range(WARM_UPS):
                        work()
                    # thread_local, since other threads may use other devices meanwhile.
                    with torch.cuda.graph(
                        graph,
                        pool=self._pool,
                        stream=self._side,
                        capture_error_mode="thread_local",
                    ):
                        result = work()
            except BaseException:
                self._pool = torch.cuda.graph_pool_handle()  # the old one may be partly in use
                raise
            main.wait_stream(self._side)
        return graph.replay, result


class _Recorded(NamedTuple):
    replay: Callable[[], None]
    output: Mapping[str, Tensor]  # overwritten by every replay of any graph


class GraphedPasses:
    """The passes of a frozen model as graphs; a pass that cannot be recorded runs without one.

    Not thread-safe: one worker owns the device.
    """

    def __init__(
        self, passes: EagerPasses, recorder: Recorder, largest_batch: int = LARGEST_BATCH
    ) -> None:
        self._passes = passes
        self._recorder = recorder
        self._largest_batch = largest_batch
        self._inputs: dict[tuple[str, torch.Size], Tensor] = {}
        self._graphs: dict[tuple[str, int], _Recorded | None] = {}  # None: could not be recorded

    def encode(self, image: Tensor, hole: Tensor) -> Encoding:
        """See `Passes.encode`."""
        given = {"image": image, "hole": hole}
        return Encoding(self._run("encode", 1, self._passes.encode, given))

    def code(self, encoding: Encoding, z: Tensor, truncation_psi: float) -> Tensor:
        """See `Passes.code`."""

        def work(z: Tensor, psi: Tensor, **encoded: Tensor) -> Mapping[str, Tensor]:
            return {"ws": self._passes.code(Encoding(encoded), z, psi)}

        psi = torch.full((), truncation_psi, device=z.device)
        return self._run("code", 1, work, {"z": z, "psi": psi, **encoding})["ws"]

    def render(self, encoding: Encoding, ws: Tensor) -> Tensor:
        """See `Passes.render`."""

        def work(ws: Tensor, **encoded: Tensor) -> Mapping[str, Tensor]:
            return {"images": self._passes.render(Encoding(encoded), ws)}

        sizes = batch_sizes(len(ws), self._largest_batch)
        encodings = [encoding] * len(sizes)
        if encoding.count > 1:
            encodings = encoding.split(sizes)
        images: list[Tensor] = []
        for part, own in zip(ws.split(sizes), encodings, strict=True):
            name = "render" if own.count == 1 else "render each"
            given = {"ws": part, **own}
            images.append(self._run(name, len(part), work, given)["images"])
        return images[0] if len(images) == 1 else torch.cat(images)

    def _run(
        self,
        name: str,
        count: int,
        work: Callable[..., Mapping[str, Tensor]],
        given: dict[str, Tensor],
    ) -> dict[str, Tensor]:
        """Run `work(**given)`, of shapes set by `count`; return copies of its results."""
        if (name, count) not in self._graphs:
            self._graphs[name, count] = self._record(name, count, work, given)
        recorded = self._graphs[name, count]
        if recorded is None:
            return dict(work(**given))
        self._write(given)
        recorded.replay()
        return {name: x.clone() for name, x in recorded.output.items()}

    def _record(
        self,
        name: str,
        count: int,
        work: Callable[..., Mapping[str, Tensor]],
        given: dict[str, Tensor],
    ) -> _Recorded | None:
        try:
            inputs = self._write(given)
            return _Recorded(*self._recorder.record(lambda: work(**inputs)))
        except Exception as error:  # if the device is lost, `_run` fails too
            reason = " ".join(str(error).split()) or type(error).__name__
            log.warning("cannot record a CUDA graph for %s %d: %s", name, count, reason)
            return None

    def _write(self, given: dict[str, Tensor]) -> dict[str, Tensor]:
        """Copy values into the graphs' inputs, shared by shape, and return those."""
        for name, value in given.items():
            if (name, value.shape) not in self._inputs:
                self._inputs[name, value.shape] = torch.empty_like(value)
            self._inputs[name, value.shape].copy_(value)
        return {name: self._inputs[name, value.shape] for name, value in given.items()}


def batch_sizes(count: int, largest: int) -> list[int]:
    """Return `count` as a sum of powers of two up to `largest`, largest first."""
    sizes = [largest] * (count // largest)
    rest = count % largest
    return sizes + [1 << k for k in reversed(range(rest.bit_length())) if rest >> k & 1]
