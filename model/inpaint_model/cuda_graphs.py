"""Rendering as one launch: CUDA graphs of the generator and the skip encoder.

Eager rendering is some four hundred small launches, which bound a single candidate on a GPU. A
graph is captured once for each number of candidates and replayed ever after.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from inpaint_model.networks import Encoding, InpaintingModel

WARM_UPS = 3  # before capture: libraries choose their algorithms


class _Captured(NamedTuple):
    graph: torch.cuda.CUDAGraph
    encoding: Encoding  # static inputs and output, rewritten at every replay
    ws: Tensor
    output: Tensor


class GraphedRender:
    """`model.render` on a GPU, for frozen weights. Not thread-safe: one worker owns the device."""

    def __init__(self, model: InpaintingModel) -> None:
        self._model = model
        self._captured: dict[int, _Captured] = {}

    def __call__(self, encoding: Encoding, ws: Tensor) -> Tensor:
        """Encoding of N candidates and ws [N, num_ws, w_dim] -> pictures [N, 3, R, R]."""
        count = len(ws)
        if count not in self._captured:
            self._captured[count] = self._capture(encoding, ws)
        captured = self._captured[count]
        for static, value in zip(captured.encoding, encoding, strict=True):
            static.copy_(value)
        captured.ws.copy_(ws)
        captured.graph.replay()
        return captured.output.clone()

    def _capture(self, encoding: Encoding, ws: Tensor) -> _Captured:
        inputs = Encoding(*(part.clone() for part in encoding)), ws.clone()
        side = torch.cuda.Stream()
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            for _ in range(WARM_UPS):
                self._model.render(*inputs)
        torch.cuda.current_stream().wait_stream(side)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            output = self._model.render(*inputs)
        return _Captured(graph, *inputs, output)
