"""Train a network that becomes part of a bundle: averaging, states and reports."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

import torch
from torch import Tensor, nn

from inpaint_model.training.adversaries import Moment, ProjectedAdversary
from inpaint_model.training.deadline import Deadline
from inpaint_model.training.ema import frozen_copy, update_ema
from inpaint_model.training.progress import Progress, Stats
from inpaint_model.training.run_folder import RunFolder

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Network = TypeVar("Network", bound=nn.Module)


class PartOptions(Protocol):
    """The settings that all such trainings have; lengths are in thousands of images (kimg)."""

    @property
    def total_kimg(self) -> float: ...  # noqa: D102
    @property
    def batch_size(self) -> int: ...  # noqa: D102
    @property
    def ema_kimg(self) -> float: ...  # noqa: D102
    @property
    def snapshot_kimg(self) -> float: ...  # noqa: D102


@dataclass(frozen=True, eq=False)
class PartTraining(Generic[Network]):
    """A training in a folder, with its networks on their device."""

    options: PartOptions
    folder: RunFolder
    name: str  # of the network in the state file
    network: Network
    optimizer: torch.optim.Optimizer
    stats: Stats
    adversaries: Mapping[str, ProjectedAdversary] = field(default_factory=dict)  # name -> adversary

    @cached_property
    def average(self) -> Network:
        """The averaged network."""
        return frozen_copy(self.network)

    def restored(self) -> Moment:
        """Load the state in the folder, if there is one; return the moment that it is from."""
        numbers = self.folder.load_state(*self._parts())
        if numbers is None:
            return Moment(0, 0)
        nimg = int(numbers["cur_nimg"])
        return Moment(nimg, int(numbers.get("step", nimg // self.options.batch_size)))

    def learn(self, loss: Tensor) -> None:
        """Step on the gradient of a loss, clipped to a norm of 1."""
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward(inputs=list(self.network.parameters()))
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
        self.optimizer.step()

    def run(
        self,
        start: Moment,
        step: Callable[[Moment], None],
        on_snapshot: Callable[[float], None],
        deadline: Deadline,
    ) -> Network:
        """Call `step` until the end or the deadline; return the averaged network.

        The state is saved every `snapshot_kimg` and at the end. Then `on_snapshot` gets the kimg
        seen.
        """
        options = self.options
        nimg, count = start
        total = round(options.total_kimg * 1000)
        due = nimg + options.snapshot_kimg * 1000
        progress = Progress(self.folder, self.stats, options.total_kimg, nimg)
        over = deadline.passed
        while nimg < total and not over:
            step(Moment(nimg, count))
            nimg, count = nimg + options.batch_size, count + 1
            update_ema(
                self.average, self.network, options.batch_size, nimg, options.ema_kimg, rampup=0.1
            )
            over = deadline.passed
            if nimg < min(due, total) and not over:
                continue
            due += options.snapshot_kimg * 1000
            record = progress.take(nimg)
            self._save(nimg, count)
            progress.write(record)
            on_snapshot(nimg / 1000)
            progress.restart(nimg)
        return self.average

    def _save(self, nimg: int, count: int) -> None:
        settings: DataclassInstance = self.options  # type: ignore[assignment]
        state = {"cur_nimg": nimg, "step": count, "options": asdict(settings)}
        self.folder.save_state(*self._parts(), state)

    def _parts(self) -> tuple[dict[str, nn.Module], dict[str, torch.optim.Optimizer]]:
        modules: dict[str, nn.Module] = {self.name: self.network, "average": self.average}
        optimizers = {"optimizer": self.optimizer}
        for name, adversary in self.adversaries.items():
            modules[name] = adversary.network
            optimizers[f"adam_{name}"] = adversary.optimizer
        return modules, optimizers
