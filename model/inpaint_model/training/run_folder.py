"""A run's folder tells its own story.

options.jsonl      what was asked for, one JSON object a start
stats.jsonl        one JSON object a tick
metrics.jsonl      one JSON object an evaluation
fakes000123.png    numbered grids (the number is kimg)
state.safetensors  everything that continuing needs, replaced atomically
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
from safetensors import safe_open
from torch import Tensor, nn

from inpaint_model.bundle.tensor_files import write_tensors
from inpaint_model.training.optimizers import load_moments


class RunFolder:
    """The files of one training run."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.mkdir(parents=True, exist_ok=True)

    @property
    def state_path(self) -> Path:
        """Where the state of the training is kept, to go on from."""
        return self.path / "state.safetensors"

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
        """Write everything to one file and swap it in: a kill at any moment leaves a whole one."""
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
        temporary.replace(self.state_path)

    def load_state(
        self,
        modules: Mapping[str, nn.Module],
        optimizers: Mapping[str, torch.optim.Optimizer],
    ) -> dict[str, Any] | None:
        """Restore in place; returns the numbers, or None when there is nothing to continue.

        ValueError if the state is that of other networks.
        """
        if not self.state_path.exists():
            return None
        with safe_open(self.state_path, framework="pt") as file:
            numbers: dict[str, Any] = json.loads(file.metadata()["numbers"])
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
        for name, module in modules.items():
            prefix = f"{name}/"
            own = {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}
            try:
                module.load_state_dict(own)
            except RuntimeError as error:
                raise ValueError(
                    f"{self.state_path} is the state of a run with other networks ({name} differs);"
                    " continue it with the options it was started with, or give another --out"
                ) from error
        for name, optimizer in optimizers.items():
            state: dict[int, dict[str, Tensor]] = {}
            for key, value in tensors.items():
                owner, _, rest = key.partition("/")
                index, _, field = rest.partition("/")
                if owner == name:
                    state.setdefault(int(index), {})[field] = value
            load_moments(optimizer, state)
        return numbers
