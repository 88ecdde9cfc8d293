"""A run's folder tells its own story.

options.jsonl      what was asked for, one JSON object a start
stats.jsonl        one JSON object a tick
metrics.jsonl      one JSON object an evaluation
fakes000123.png    numbered grids (the number is kimg)
state.safetensors  everything that continuing needs, replaced atomically
state-before.safetensors  the one before, for when a disk has damaged the last one
bundle/            the model at the last snapshot, complete
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from inpaint_model.bundle.tensor_files import write_tensors
from inpaint_model.training.optimizers import load_moments


class DamagedStateError(ValueError):
    """A state that cannot be read. The message is a part of a sentence."""


class RunFolder:
    """The files of one training run."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._last_is_whole = True  # as far as anybody has looked
        path.mkdir(parents=True, exist_ok=True)

    @property
    def state_path(self) -> Path:
        """Where the state of the training is kept, to go on from."""
        return self.path / "state.safetensors"

    @property
    def before_path(self) -> Path:
        """Where the state before that is kept."""
        return self.path / "state-before.safetensors"

    @property
    def bundle_path(self) -> Path:
        """Where the trained model is kept."""
        return self.path / "bundle"

    def write_options(self, options: Mapping[str, Any]) -> None:
        """Append the options of this start, with its time, as one JSON line to options.jsonl."""
        line = json.dumps({"time": time.strftime("%Y-%m-%d %H:%M:%S"), **options}, default=str)
        with (self.path / "options.jsonl").open("a", encoding="utf-8") as file:
            file.write(line + "\n")

    def log(self, name: str, values: Mapping[str, Any]) -> None:
        """Append one JSON line to `name`.jsonl."""
        with (self.path / f"{name}.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps(values) + "\n")

    def save_state(
        self,
        modules: Mapping[str, nn.Module],
        optimizers: Mapping[str, torch.optim.Optimizer],
        numbers: Mapping[str, Any],
    ) -> None:
        """Write everything to one file and swap it in: a kill at any moment leaves a whole one.

        The file that was there is kept as the state before, unless it was damaged.
        """
        tensors: dict[str, Tensor] = {}
        for name, module in modules.items():
            for key, value in module.state_dict().items():
                tensors[f"{name}/{key}"] = value
        for name, optimizer in optimizers.items():
            for index, state in optimizer.state_dict()["state"].items():
                for key, value in state.items():
                    tensors[f"{name}/{index}/{key}"] = torch.as_tensor(value)
        owned = {key: value.detach().cpu().contiguous() for key, value in tensors.items()}
        temporary = self.state_path.with_suffix(".tmp")
        write_tensors(owned, temporary, metadata={"numbers": json.dumps(numbers)})
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        if self.state_path.exists() and self._last_is_whole:
            self._keep_last()
        temporary.replace(self.state_path)
        self._last_is_whole = True

    def _keep_last(self) -> None:
        """Give the last state its second name. There is a whole state at every moment."""
        link = self.before_path.with_suffix(".tmp")
        link.unlink(missing_ok=True)
        try:
            os.link(self.state_path, link)
        except OSError:  # a file system without hard links
            self.state_path.replace(self.before_path)
        else:
            link.replace(self.before_path)

    def load_state(
        self,
        modules: Mapping[str, nn.Module],
        optimizers: Mapping[str, torch.optim.Optimizer],
    ) -> dict[str, Any] | None:
        """Restore in place; returns the numbers, or None when there is nothing to continue.

        Where the last state is damaged, the one before is taken, and a line says so.

        Raises:
            ValueError: the state is that of other networks, or no state can be read.
        """
        found = self._read_state()
        if found is None:
            return None
        path, numbers, tensors = found
        owners = {name.partition("/")[0] for name in tensors}
        for name in (*modules, *optimizers):
            # Adam has no state before the first step.
            if name in modules and name not in owners:
                raise _other_run(path, f"it has no {name}")
        for name in sorted(owners - set(modules) - set(optimizers)):
            raise _other_run(path, f"it also has {name}")
        for name, module in modules.items():
            prefix = f"{name}/"
            own = {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}
            try:
                module.load_state_dict(own)
            except RuntimeError as error:
                raise _other_run(path, f"{name} differs") from error
        for name, optimizer in optimizers.items():
            state: dict[int, dict[str, Tensor]] = {}
            for key, value in tensors.items():
                owner, _, rest = key.partition("/")
                index, _, field = rest.partition("/")
                if owner == name:
                    state.setdefault(int(index), {})[field] = value
            try:
                load_moments(optimizer, state)
            except (ValueError, RuntimeError) as error:
                raise _other_run(path, f"{name} differs") from error
        return numbers

    def _read_state(self) -> tuple[Path, dict[str, Any], dict[str, Tensor]] | None:
        """Return the last state that can be read: its file, its numbers and its tensors."""
        problem = ""
        for path in (self.state_path, self.before_path):
            if not path.exists():
                continue
            try:
                numbers, tensors = _read(path)
            except DamagedStateError as error:
                problem = problem or f"{path} {error}"
                self._last_is_whole = False
                continue
            if path == self.before_path:
                problem = problem or f"{self.state_path} is missing"
                print(f"{problem}: going on from the state before it, {path.name}", flush=True)
            return path, numbers, tensors
        if problem:
            raise ValueError(
                f"{problem}, and there is no whole one before it; delete it to begin anew, or give "
                "another --out"
            )
        return None


def _read(path: Path) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Return numbers and tensors of a state.

    Raises:
        DamagedStateError: it is not whole.
    """
    if path.stat().st_size == 0:
        raise DamagedStateError("is empty")
    try:
        with safe_open(path, framework="pt") as file:
            numbers = json.loads((file.metadata() or {}).get("numbers", ""))
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
    except (SafetensorError, ValueError) as error:
        raise DamagedStateError(f"is damaged ({str(error).partition(chr(10))[0]})") from None
    if not isinstance(numbers, dict):
        raise DamagedStateError("is damaged (it has no numbers)")
    return numbers, tensors


def _other_run(path: Path, difference: str) -> ValueError:
    return ValueError(
        f"{path} is the state of a run with other networks ({difference}); continue it with the "
        "options it was started with (the first line of options.jsonl), or give another --out"
    )
