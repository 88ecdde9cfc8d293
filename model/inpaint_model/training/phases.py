"""Phases of a training step, which CUDA graphs can record and replay.

Most of the thousands of operations in a step take longer to launch on a GPU than to run. A graph
replays all launches of a phase as one, on the same memory. So everything that changes between
steps, such as random choices, is an input tensor, and the only effects are outputs and gradients.
"""

from __future__ import annotations

import gc
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Mapping
from contextlib import suppress
from typing import NamedTuple, Protocol

import torch
from torch import Tensor, nn

WARM_UPS = 3  # runs before recording, in which libraries choose algorithms and cache constants
MOST = 24  # recordings of one phase; further shapes run without one

Tensors = Mapping[str, Tensor]
Function = Callable[..., dict[str, Tensor]]  # (inputs, *constants) -> outputs
Replay = Callable[[], object]


class Recorder(Protocol):
    """Records and replays work on a device."""

    device: torch.device

    def run(self, work: Callable[[], dict[str, Tensor]]) -> dict[str, Tensor]:
        """Run the work where `record` would record it."""

    def record(self, work: Callable[[], dict[str, Tensor]]) -> tuple[dict[str, Tensor], Replay]:
        """Record the work without running it; return its result, and a replay that overwrites it.

        Drivers raise any exception.
        """


class CudaRecorder:
    """CUDA graphs with a shared memory pool, on a separate stream."""

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self._stream = torch.cuda.Stream(device)
        # Phases do not overlap, so they share temporaries; `Phase` keeps outputs alive.
        self._pool = torch.cuda.graph_pool_handle()

    def run(self, work: Callable[[], dict[str, Tensor]]) -> dict[str, Tensor]:
        """Run it on the recording stream."""
        self._stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(self._stream):
            result = work()
        torch.cuda.current_stream().wait_stream(self._stream)
        return result

    def record(self, work: Callable[[], dict[str, Tensor]]) -> tuple[dict[str, Tensor], Replay]:
        """Record a CUDA graph."""
        gc.collect()  # autograd graphs that are still alive would involve their own streams
        torch.cuda.synchronize(self.device)
        torch.cuda.empty_cache()
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.stream(self._stream):
            # Other threads may allocate page-locked memory meanwhile.
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
    """Return the recorder of a device, or raise `ValueError` if it has none."""
    if device.type != "cuda":
        raise ValueError(f"they need a CUDA device, not {device.type}")
    return CudaRecorder(device)


class Graphs:
    """Enables recording for one training, until a first failure, which prints a line."""

    def __init__(self, device: torch.device) -> None:
        self.recorder: Recorder | None = None
        try:
            self.recorder = recorder_for(device)
        except Exception as error:  # drivers raise anything, and training works without graphs
            self.give_up(error)

    def give_up(self, error: Exception) -> None:
        """Disable recording and print why."""
        self.recorder = None
        reason = str(error).strip().partition("\n")[0] or type(error).__name__
        print(f"no CUDA graphs ({reason}); continuing without them", flush=True)


class Recording(NamedTuple):
    """A recorded phase; a replay reads the inputs and overwrites outputs and gradients."""

    inputs: dict[str, Tensor]
    outputs: dict[str, Tensor]
    gradients: list[Tensor | None]
    replay: Replay


class Phase:
    """A part of a step: computes outputs, and sets the gradients of some parameters.

    Use the gradients before the next run, which overwrites them. Outputs are copies.
    """

    def __init__(
        self,
        function: Function,
        parameters: Iterable[nn.Parameter],
        graphs: Graphs | None = None,
    ) -> None:
        """Make a phase of `function`, which sets the `grad` of `parameters` from None.

        Its state besides inputs and constants must be tensors at fixed addresses, such as weights.
        Its outputs have no gradient.
        """
        self._function, self._parameters = function, list(parameters)
        self._graphs = graphs
        self._recordings: dict[Hashable, Recording] = {}
        self._runs: Counter[Hashable] = Counter()

    def __call__(self, inputs: Tensors, *constants: Hashable) -> dict[str, Tensor]:
        """Run once. Each combination of `constants` and input shapes has its own recording."""
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
        """Record; on failure return None and disable recording."""
        assert self._graphs is not None
        try:
            elsewhere = [n for n, x in inputs.items() if x.device.type != recorder.device.type]
            if elsewhere:  # replays would use its current values forever
                raise ValueError(f"{elsewhere[0]} is not on the device")
            still = {name: x.clone() for name, x in inputs.items()}
            outputs, replay = recorder.record(lambda: self._function(still, *constants))
        except Exception as error:
            for parameter in self._parameters:
                parameter.grad = None
            self._recordings.clear()
            self._graphs.give_up(error)
            return None
        return Recording(still, outputs, [p.grad for p in self._parameters], replay)
