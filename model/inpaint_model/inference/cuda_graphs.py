"""Filling in few launches: CUDA graphs of encoding, of one code, of rendering by batch size.

Operation by operation a fill is some eight hundred small launches, which bound a single candidate
on a GPU. Each pass is recorded once for each of its batch sizes and replayed from then on.

Batch sizes are powers of two. A batch of three runs as two and one: padded to four it would render
an image that nobody wants, while one more replay costs microseconds. The code graph makes one code
and is replayed for every seed, so that a seed's code never depends on the others.

All graphs of a model share one pool of memory: what one of them needs while it runs the next one
may use again, so the pool is hardly larger than the largest graph if that one is recorded first. In
return, results are copied out of the pool before the next replay. What a graph reads lies outside.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Any, NamedTuple, Protocol, TypeVar

import torch
from torch import Tensor

from inpaint_model.inference.passes import EagerPasses
from inpaint_model.networks.inpainting_model import Encoding

T = TypeVar("T")
log = logging.getLogger(__name__)

WARM_UPS = 3  # before a recording: libraries choose their algorithms
LARGEST_BATCH = 8  # larger ones take more memory and longer until a cancel is noticed
_recording = threading.Lock()  # one recording at a time in the process, whatever its device


class Recorder(Protocol):
    """Makes graphs: the seam between this module and CUDA."""

    def record(self, work: Callable[[], T]) -> tuple[Callable[[], None], T]:
        """Run `work`, whose launches are recorded.

        Returns:
            A function that does the same work again, and the result of `work`, whose tensors every
            replay rewrites.

        Raises:
            Exception: whatever keeps the work from being recorded.
        """


class CudaRecorder:
    """Graphs of one CUDA device, in one pool."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._pool = torch.cuda.graph_pool_handle()
        self._side = torch.cuda.Stream(device)

    def record(self, work: Callable[[], T]) -> tuple[Callable[[], None], T]:
        """Run `work` on a stream of its own and record it, as `Recorder.record` says."""
        with _recording, torch.cuda.device(self._device):
            graph = torch.cuda.CUDAGraph()
            main = torch.cuda.current_stream()
            self._side.wait_stream(main)
            try:
                # The outer context brings the main stream back even if the recording breaks off.
                with torch.cuda.stream(self._side):
                    for _ in range(WARM_UPS):
                        work()
                    # Other threads may use their own devices meanwhile, hence thread_local.
                    with torch.cuda.graph(
                        graph,
                        pool=self._pool,
                        stream=self._side,
                        capture_error_mode="thread_local",
                    ):
                        result = work()
            except BaseException:
                self._pool = torch.cuda.graph_pool_handle()  # the old one may be half in use
                raise
            main.wait_stream(self._side)
        return graph.replay, result


class _Recorded(NamedTuple):
    replay: Callable[[], None]
    output: Any  # a tensor or a tuple of tensors; rewritten at every replay of any graph


class GraphedPasses:
    """The passes of a model with frozen weights, as graphs; without one where recording fails.

    Not thread-safe: one worker owns the device.
    """

    def __init__(
        self, passes: EagerPasses, recorder: Recorder, largest_batch: int = LARGEST_BATCH
    ) -> None:
        """largest_batch: a power of two; larger batches are rendered in several replays."""
        self._passes = passes
        self._recorder = recorder
        self._largest_batch = largest_batch
        self._inputs: dict[tuple[str, torch.Size], Tensor] = {}
        self._graphs: dict[tuple[str, int], _Recorded | None] = {}  # None: could not be recorded

    def encode(self, image: Tensor, hole: Tensor) -> Encoding:
        """Return the encoding of an image uint8 [1, R, R, 3] and a hole bool [1, R, R]."""
        given = {"image": image, "hole": hole}
        return Encoding(*self._run("encode", 1, self._passes.encode, given))

    def code(self, encoding: Encoding, z: Tensor, truncation_psi: float) -> Tensor:
        """Return ws_out [1, num_ws, w_dim] of an encoding of one image and z [1, z_dim]."""

        def work(z: Tensor, psi: Tensor, **encoded: Tensor) -> tuple[Tensor]:
            return (self._passes.code(Encoding(**encoded), z, psi),)

        psi = torch.full((), truncation_psi, device=z.device)
        return self._run("code", 1, work, {"z": z, "psi": psi, **encoding._asdict()})[0]

    def render(self, encoding: Encoding, ws: Tensor) -> Tensor:
        """Return float32 [N, R, R, 3] of 0..1, of N codes ws and one encoding, or N of them."""

        def work(ws: Tensor, **encoded: Tensor) -> tuple[Tensor]:
            return (self._passes.render(Encoding(**encoded), ws),)

        sizes = batch_sizes(len(ws), self._largest_batch)
        encodings = [encoding] * len(sizes)
        if len(encoding.tokens) > 1:
            encodings = encoding.split(sizes)
        images: list[Tensor] = []
        for part, own in zip(ws.split(sizes), encodings, strict=True):
            name = "render" if len(own.tokens) == 1 else "render each"
            given = {"ws": part, **own._asdict()}
            images += self._run(name, len(part), work, given)
        return images[0] if len(images) == 1 else torch.cat(images)

    def _run(
        self,
        name: str,
        count: int,
        work: Callable[..., tuple[Tensor, ...]],
        given: dict[str, Tensor],
    ) -> tuple[Tensor, ...]:
        """Return what `work(**given)` returns, in memory of its own. `count` decides all shapes."""
        if (name, count) not in self._graphs:
            self._graphs[name, count] = self._record(name, count, work, given)
        recorded = self._graphs[name, count]
        if recorded is None:
            return work(**given)
        self._write(given)
        recorded.replay()
        return tuple(x.clone() for x in recorded.output)

    def _record(
        self,
        name: str,
        count: int,
        work: Callable[..., tuple[Tensor, ...]],
        given: dict[str, Tensor],
    ) -> _Recorded | None:
        try:
            inputs = self._write(given)
            return _Recorded(*self._recorder.record(lambda: work(**inputs)))
        except Exception as error:  # if the device itself is lost, the same work fails without it
            reason = " ".join(str(error).split()) or type(error).__name__
            log.warning("no CUDA graph for %s %d, which runs without one: %s", name, count, reason)
            return None

    def _write(self, given: dict[str, Tensor]) -> dict[str, Tensor]:
        """Write into the tensors that the graphs read; an encoding's serve all batch sizes."""
        for name, value in given.items():
            if (name, value.shape) not in self._inputs:
                self._inputs[name, value.shape] = torch.empty_like(value)
            self._inputs[name, value.shape].copy_(value)
        return {name: self._inputs[name, value.shape] for name, value in given.items()}


def batch_sizes(count: int, largest: int) -> list[int]:
    """Return `count` as a sum of powers of two, none above `largest`, the largest first."""
    sizes = [largest] * (count // largest)
    rest = count % largest
    return sizes + [1 << k for k in reversed(range(rest.bit_length())) if rest >> k & 1]
