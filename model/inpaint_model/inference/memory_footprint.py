"""Measure a model's memory on a device by running it on torch's meta device, without values.

Workspaces of libraries and the allocator's rounding are not included.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from inpaint_model.baselines.archs import make_model
from inpaint_model.inference.freeze import freeze_for_inference
from inpaint_model.inference.passes import EagerPasses
from inpaint_model.networks.config import ModelConfig
from inpaint_model.networks.inpainting_model import Encoding, InpaintingModel
from inpaint_model.networks.precision import DTYPES
from inpaint_model.networks.refinement_network import RefinementConfig, RefinementNetwork

META = torch.device("meta")


@dataclass(frozen=True)
class Footprint:
    """Bytes on a device."""

    weights: int
    encoding: int  # peak for an image
    rendering: int  # peak per candidate
    kept: int  # inputs of a graph, and one candidate's result

    def working(self, batch_size: int) -> int:
        """Return the peak of a pass in batches of `batch_size`."""
        return max(self.encoding, batch_size * self.rendering)

    def graphs(self, batch_size: int) -> int:
        """Return the memory of CUDA graphs for batches of 1, 2, 4, ... `batch_size`.

        They share a pool of the largest's size, and keep all results.
        """
        return self.working(batch_size) + 2 * batch_size * self.kept


@cache
def footprint(
    config: ModelConfig, dtype: str, refinement: RefinementConfig | None = None
) -> Footprint:
    """Return the footprint with convolutions in `dtype`."""
    model, refiner, G = _frozen(config, dtype), _refiner(refinement, dtype), config.generator
    passes, R = EagerPasses(model, refiner), G.resolution
    image = torch.empty(1, R, R, 3, dtype=torch.uint8, device=META)
    hole = torch.empty(1, R, R, dtype=torch.bool, device=META)
    ws = torch.empty(1, G.num_ws, G.w_dim, device=META)
    made: list[Encoding] = []
    with torch.inference_mode():
        encoding = peak_bytes(lambda: made.append(passes.encode(image, hole)))
        rendered: list[Tensor] = []
        rendering = peak_bytes(lambda: rendered.append(passes.render(made[0], ws)))
    kept = (*made[0].values(), ws, *rendered)
    weights = _bytes(model) + (0 if refiner is None else _bytes(refiner))
    return Footprint(weights, encoding, rendering, sum(x.nbytes for x in kept))


def weight_bytes(config: ModelConfig, dtype: str) -> int:
    """Return the bytes of a model's tensors after `freeze_for_inference`."""
    return _bytes(_frozen(config, dtype))


def _frozen(config: ModelConfig, dtype: str) -> InpaintingModel:
    with META:
        model = make_model(config)
    return freeze_for_inference(model, META, dtype)


def _refiner(config: RefinementConfig | None, dtype: str) -> RefinementNetwork | None:
    with META:
        return None if config is None else RefinementNetwork(config).to(DTYPES[dtype])


def _bytes(model: nn.Module) -> int:
    return sum(x.nbytes for x in (*model.parameters(), *model.buffers()))


def peak_bytes(call: Callable[[], object]) -> int:
    """Return the peak size in bytes of the meta tensors that `call` allocates."""
    living = _LivingTensors()
    with living:
        call()
    return living.peak


class _LivingTensors(TorchDispatchMode):
    """Count the bytes of all storages that operations allocate and that are still alive."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.peak = 0
        self._now = 0
        self._known: set[int] = set()

    def __torch_dispatch__(
        self,
        func: Callable[..., object],
        types: object,
        args: tuple[object, ...] = (),
        kwargs: dict[str, object] | None = None,
    ) -> object:
        given = {x.untyped_storage()._cdata for x in _tensors((args, kwargs))}
        result = func(*args, **(kwargs or {}))
        for x in _tensors(result):
            storage = x.untyped_storage()
            if storage._cdata not in given | self._known:
                self._known.add(storage._cdata)
                self._now += storage.nbytes()
                self.peak = max(self.peak, self._now)
                weakref.finalize(storage, self._freed, storage._cdata, storage.nbytes())
        return result

    def _freed(self, key: int, size: int) -> None:
        self._known.discard(key)
        self._now -= size


def _tensors(tree: object) -> list[Tensor]:
    return [x for x in tree_leaves(tree) if isinstance(x, Tensor) and x.device == META]
