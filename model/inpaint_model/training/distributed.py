"""Several processes, one a GPU, started by torchrun. Without torchrun: a world of one.

Parameters, gradients and what is averaged lie on the device that `start` was told.
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
    """This process among all of them."""

    rank: int = 0
    size: int = 1
    local_rank: int = 0

    @property
    def is_main(self) -> bool:
        """True in the process that writes files and prints."""
        return self.rank == 0

    def share_of(self, batch_size: int) -> int:
        """Return how many samples of a global batch are this process's; ValueError if uneven."""
        if batch_size % self.size:
            raise ValueError(f"batch {batch_size} does not divide among {self.size} processes")
        return batch_size // self.size

    def shard(self, batch: Tensor) -> Tensor:
        """Return this process's samples of a global batch [N, ...]: rank, rank + size, ...

        Strided, so that the groups of the discriminator's minibatch standard deviation are the
        same whatever the number of processes.
        """
        return batch[self.rank :: self.size]

    def average_gradients(self, parameters: Iterable[nn.Parameter]) -> None:
        """Average gradients over the processes, in one message."""
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
        """Let an optimizer take a step by the mean of the processes' gradients."""
        self.average_gradients(parameters)
        optimizer.step()

    def agree(self, answer: bool) -> bool:
        """Return the main process's answer to a question that clocks answer differently."""
        if self.size == 1:
            return answer
        shared = torch.tensor([answer])
        dist.broadcast(shared, src=0)
        return bool(shared)

    def mean(self, value: Tensor) -> Tensor:
        """Return the mean of a tensor over the processes."""
        if self.size == 1:
            return value
        value = value.clone()
        dist.all_reduce(value)
        return value / self.size


def start(device_type: str) -> DistributedContext:
    """Join the group that torchrun describes in the environment.

    Tensors on GPUs go through nccl or xccl; those of the processor, such as the answers of
    `agree`, through gloo, so that no GPU is waited for. ValueError for MPS, which has neither.
    """
    if "RANK" not in os.environ:
        return DistributedContext()
    if device_type == "mps":
        raise ValueError("several processes cannot train on MPS together: start one, or use CPUs")
    group = "cpu:gloo"
    if device_type in BACKENDS:
        group += f",{device_type}:{BACKENDS[device_type]}"
    dist.init_process_group(group)
    return DistributedContext(
        dist.get_rank(), dist.get_world_size(), int(os.environ.get("LOCAL_RANK", "0"))
    )


def stop(world: DistributedContext) -> None:
    """Leave the group, once every process has come here.

    The barrier is the group's last work because it holds no tensor. gloo's threads let go of a
    work's tensors a little after the work is done; when the interpreter has begun to shut down by
    then, the process aborts ("terminate called without an active exception").
    """
    if world.size > 1:
        dist.barrier()
        dist.destroy_process_group()
