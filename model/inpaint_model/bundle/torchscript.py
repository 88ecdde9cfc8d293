"""Load TorchScript, in which networks for metrics are published."""

from __future__ import annotations

import warnings
from pathlib import Path

import torch


def load_torchscript(path: Path, device: torch.device | str = "cpu") -> torch.jit.ScriptModule:
    """Return a network in float32, for evaluation.

    Raises:
        ValueError: The file is damaged or not TorchScript.
    """
    with warnings.catch_warnings():  # deprecated, but published files remain
        warnings.simplefilter("ignore", DeprecationWarning)
        try:
            module: torch.jit.ScriptModule = torch.jit.load(str(path), map_location=device)
        except RuntimeError as error:
            raise ValueError(f"{path} is not a TorchScript file, or it is damaged") from error
    module.float().eval()
    return module
