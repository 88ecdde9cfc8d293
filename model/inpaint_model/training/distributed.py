"""Training in processes started by torchrun, one per GPU; without torchrun, in one.

Parameters and averaged tensors must be on the type of device given to `start`.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass

import torch
import torch.distributed as dist
from torch import Tensor, nn

from inpaint_model.data.devices import BACKENDS


@dataclass(frozen=True)
class DistributedContext:
    """This process's rank and the number of processes."""

    rank: int = 0
    size: int = 1
    local_rank: int = 0

    @property
    def is_main(self) -> bool:
        """Whether this process writes files and prints."""
        return self.rank == 0

    def share_of(self, batch_size: int) -> int:
        """Return the samples per process, or raise `ValueError` if a batch cannot be divided."""
        if batch_size % self.size:
            raise ValueError(
                f"the batch size {batch_size} is not a multiple of the {self.size} processes"
            )
        return batch_size // self.size

    def shard(self, batch: Tensor) -> Tensor:
        """Return this process's samples of a global batch: rank, rank + size, ...

        The stride keeps the groups of the discriminator's minibatch standard deviation.
        """
        return batch[self.rank :: self.size]

    def average_gradients(self, parameters: Iterable[nn.Parameter]) -> None:
        """Average gradients in one all-reduce."""
        if self.size == 1:
            return
        gradients = [p.grad for p in parameters if p.grad is not None]
        flat = torch.cat([g.flatten() for g in gradients])
        dist.all_reduce(flat)
        flat /= self.size
        sizes = [g.numel() for g in gradients]
        for gradient, part in zip(gradients, flat.split(sizes), strict=True):
            gradient.copy_(part.view_as(gradient))

    def step(self, optimizer: torch.optim.Optimizer, parameters: Iterable[nn.Parameter]) -> None:
        """Step an optimizer with averaged gradients."""
        self.average_gradients(parameters)
        optimizer.step()

    def agree(self, answer: bool) -> bool:
        """Return the main process's answer, since clocks differ."""
        if self.size == 1:
            return answer
        shared = torch.tensor([answer])
        dist.broadcast(shared, src=0)
        return bool(shared)

    def mean(self, value: Tensor) -> Tensor:
        """Average a tensor over processes."""
        if self.size == 1:
            return value
        value = value.clone()
        dist.all_reduce(value)
        return value / self.size


def start(device_type: str) -> DistributedContext:
    """Join torchrun's process group; CPU tensors use gloo, which does not wait for the GPU.

    Raises:
        ValueError: MPS, which has no backend.
    """
    if "RANK" not in os.environ:
        return DistributedContext()
    if device_type == "mps":
        raise ValueError("MPS does not support several processes: start one, or use --device cpu")
    group = "cpu:gloo"
    if device_type in BACKENDS:
        group += f",{device_type}:{BACKENDS[device_type]}"
    dist.init_process_group(group)
    return DistributedContext(
        dist.get_rank(), dist.get_world_size(), int(os.environ.get("LOCAL_RANK", "0"))
    )


def stop(world: DistributedContext) -> None:
    """Leave the group once all processes have called this.

    Without a barrier, gloo's threads may release tensors while the interpreter shuts down, which
    aborts the process ("terminate called without an active exception").
    """
    if world.size > 1:
        dist.barrier()
        dist.destroy_process_group()
