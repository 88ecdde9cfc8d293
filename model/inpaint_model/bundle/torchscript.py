"""Networks from TorchScript files: the form in which the field publishes its judge networks."""

from __future__ import annotations

import warnings
from pathlib import Path

import torch


def load_torchscript(path: Path, device: torch.device | str = "cpu") -> torch.jit.ScriptModule:
    """Return the network of a file in float32, whatever it is stored in, ready for inference.

    Raises:
        ValueError: the file is of another kind, or damaged.
    """
    with warnings.catch_warnings():  # deprecated for new exports; the published files stay
        warnings.simplefilter("ignore", DeprecationWarning)
        try:
            module: torch.jit.ScriptModule = torch.jit.load(str(path), map_location=device)
        except RuntimeError as error:
            raise ValueError(f"{path} is not a TorchScript file, or it is damaged") from error
    module.float().eval()
    return module
