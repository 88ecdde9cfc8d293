"""The folder of a training run.

options.jsonl      the options, one JSON object per start
stats.jsonl        one JSON object per tick
metrics.jsonl      one JSON object per evaluation
fakes000123.png    contact sheets, numbered by kimg
state.safetensors  the state for resuming
state-before.safetensors  the previous one, in case that is damaged
bundle/            the model at the last snapshot
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
    """A state cannot be read; the message continues after the file's name."""


class RunFolder:
    """The files of one training run."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._last_is_whole = True
        path.mkdir(parents=True, exist_ok=True)

    @property
    def state_path(self) -> Path:
        """File of the latest state."""
        return self.path / "state.safetensors"

    @property
    def before_path(self) -> Path:
        """The previous state."""
        return self.path / "state-before.safetensors"

    @property
    def bundle_path(self) -> Path:
        """The trained model."""
        return self.path / "bundle"

    def write_options(self, options: Mapping[str, Any]) -> None:
        """Append options and time to options.jsonl."""
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
        """Replace the state; the old one becomes the previous one, unless it was damaged.

        A process killed at any moment leaves a complete state.
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
        """Load the state in place; return its numbers, or None if there is none.

        If it is damaged, print that and load the previous one.

        Raises:
            ValueError: the state is from other networks, or no state can be read.
        """
        found = self._read_state()
        if found is None:
            return None
        path, numbers, tensors = found
        owners = {name.partition("/")[0] for name in tensors}
        for name in (*modules, *optimizers):
            # An optimizer has no state before its first step.
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
                print(f"{problem}: continuing from the previous state, {path.name}", flush=True)
            return path, numbers, tensors
        if problem:
            raise ValueError(
                f"{problem}, and there is no intact previous state; delete it to start over, or "
                "give another --out"
            )
        return None


def _read(path: Path) -> tuple[dict[str, Any], dict[str, Tensor]]:
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
        f"{path} is the state of a run with other networks ({difference}); continue it with its "
        "original options (the first line of options.jsonl), or give another --out"
    )
