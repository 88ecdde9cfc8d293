"""The phases of a training step, each of which a CUDA graph can repeat.

A step is thousands of small operations, and on a GPU launching them takes longer than most of them
do. A graph records the launches of a whole phase once, forward, loss and backward, and from then on
launches them as one. What it repeats is the very same work on the very same memory. So a phase is
a function of tensors: everything that differs from step to step comes in as one, random choices
above all, and what it returns and the gradients that it leaves are the only things it makes.
"""

from __future__ import annotations

import gc
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Mapping
from contextlib import suppress
from typing import NamedTuple, Protocol

import torch
from torch import Tensor, nn

WARM_UPS = 3  # runs before a phase is recorded: libraries choose algorithms, constants are cached
MOST = 24  # recordings of one phase; inputs of yet another shape run as they are

Tensors = Mapping[str, Tensor]
Function = Callable[..., dict[str, Tensor]]  # (inputs, *constants) -> outputs
Replay = Callable[[], object]


class Recorder(Protocol):
    """What repeats work on a device."""

    device: torch.device

    def run(self, work: Callable[[], dict[str, Tensor]]) -> dict[str, Tensor]:
        """Do the work where it would be recorded."""

    def record(self, work: Callable[[], dict[str, Tensor]]) -> tuple[dict[str, Tensor], Replay]:
        """Note what the work does, without doing it.

        Returns the work's result, whose memory each call of the replay fills anew. May raise
        whatever a driver raises; then, too, nothing has been done.
        """


class CudaRecorder:
    """CUDA graphs in one pool of memory, on a stream of their own."""

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self._stream = torch.cuda.Stream(device)
        # Phases follow one another, so they can use the same memory for what is inside of them.
        # What comes out of one stays until that one runs again: `Phase` keeps it alive.
        self._pool = torch.cuda.graph_pool_handle()

    def run(self, work: Callable[[], dict[str, Tensor]]) -> dict[str, Tensor]:
        """Do the work on the stream of the recordings."""
        self._stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(self._stream):
            result = work()
        torch.cuda.current_stream().wait_stream(self._stream)
        return result

    def record(self, work: Callable[[], dict[str, Tensor]]) -> tuple[dict[str, Tensor], Replay]:
        """Note what the work does in a graph, without doing it; see `Recorder.record`."""
        gc.collect()  # a graph of autograd that is still alive would bring its own stream along
        torch.cuda.synchronize(self.device)
        torch.cuda.empty_cache()  # the pool needs room beside what was used without it
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.stream(self._stream):
            # Threads that draw inputs allocate page-locked memory meanwhile: only this one's
            # mistakes count.
            graph.capture_begin(pool=self._pool, capture_error_mode="thread_local")
            try:
                result = work()
            except BaseException:
                with suppress(RuntimeError):
                    graph.capture_end()
                raise
            graph.capture_end()
        return result, graph.replay


def recorder_for(device: torch.device) -> Recorder:
    """Return what records on a device; ValueError where nothing does."""
    if device.type != "cuda":
        raise ValueError(f"they need a CUDA device, not {device.type}")
    return CudaRecorder(device)


class Graphs:
    """The recordings of one training: all phases are recorded, or from the first failure on none.

    A failure prints one line. Recording does no work, so nothing has changed by then, and what
    follows equals a training without graphs.
    """

    def __init__(self, device: torch.device) -> None:
        self.recorder: Recorder | None = None
        try:
            self.recorder = recorder_for(device)
        except Exception as error:  # whatever a driver may raise: the training needs no graphs
            self.give_up(error)

    def give_up(self, error: Exception) -> None:
        """Go on without."""
        self.recorder = None
        reason = str(error).strip().partition("\n")[0] or type(error).__name__
        print(f"no CUDA graphs ({reason}): going on without", flush=True)


class Recording(NamedTuple):
    """One phase for inputs of given shapes."""

    inputs: dict[str, Tensor]  # where a replay reads
    outputs: dict[str, Tensor]  # where it writes, and
    gradients: list[Tensor | None]
    replay: Replay


class Phase:
    """A part of a step: inputs in, outputs out, and the gradients of some parameters set anew.

    Gradients and outputs of a recording share memory with its next run: use gradients up before
    it. Outputs are copies.
    """

    def __init__(
        self,
        function: Function,
        parameters: Iterable[nn.Parameter],
        graphs: Graphs | None = None,
    ) -> None:
        """Take the work of the phase.

        Args:
            function: called as `function(inputs, *constants)`. It reads nothing else that changes
                but tensors that stay where they are, such as weights, and may change buffers in
                place. Its outputs carry no gradient.
            parameters: those whose `grad` it fills; they have none when it is called.
            graphs: None = call the function as it is.
        """
        self._function, self._parameters = function, list(parameters)
        self._graphs = graphs
        self._recordings: dict[Hashable, Recording] = {}
        self._runs: Counter[Hashable] = Counter()

    def __call__(self, inputs: Tensors, *constants: Hashable) -> dict[str, Tensor]:
        """Run once. constants: what else the function depends on; each choice is a phase apart."""
        for parameter in self._parameters:
            parameter.grad = None
        recorder = self._graphs.recorder if self._graphs is not None else None
        if recorder is None:
            self._recordings.clear()
            return self._function(inputs, *constants)
        key = (constants, tuple((name, x.shape, x.dtype) for name, x in inputs.items()))
        recording = self._recordings.get(key)
        if recording is None and self._runs[key] >= WARM_UPS and len(self._recordings) < MOST:
            recording = self._record(recorder, inputs, constants)
            if recording is None:
                return self._function(inputs, *constants)
            self._recordings[key] = recording
        if recording is None:
            self._runs[key] += 1
            return recorder.run(lambda: self._function(inputs, *constants))
        for name, x in inputs.items():
            recording.inputs[name].copy_(x)
        recording.replay()
        for parameter, gradient in zip(self._parameters, recording.gradients, strict=True):
            parameter.grad = gradient
        return {name: x.clone() for name, x in recording.outputs.items()}

    def _record(
        self, recorder: Recorder, inputs: Tensors, constants: tuple[Hashable, ...]
    ) -> Recording | None:
        """Record for inputs like these; None, and no graphs from now on, if that fails."""
        assert self._graphs is not None
        try:
            elsewhere = [n for n, x in inputs.items() if x.device.type != recorder.device.type]
            if elsewhere:  # its values of now would be repeated for ever
                raise ValueError(f"{elsewhere[0]} is not on the device")
            still = {name: x.clone() for name, x in inputs.items()}
            outputs, replay = recorder.record(lambda: self._function(still, *constants))
        except Exception as error:  # whatever a driver may raise: the training needs no graphs
            for parameter in self._parameters:
                parameter.grad = None
            self._recordings.clear()
            self._graphs.give_up(error)
            return None
        return Recording(still, outputs, [p.grad for p in self._parameters], replay)
