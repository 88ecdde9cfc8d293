"""The face recognition network that all models share, with its published weights."""

from __future__ import annotations

from functools import cache
from importlib.resources import as_file, files

import torch
from safetensors.torch import load_file

from inpaint_model.networks.ops import channels_last
from inpaint_model.networks.recognition_network import RecognitionNetwork

WEIGHTS = "pretrained/recognition_network.safetensors"


@cache
def recognition_network(dtype: torch.dtype = torch.float32) -> RecognitionNetwork:
    """Load the network from the package: CPU, no gradients."""
    with torch.device("meta"):
        network = RecognitionNetwork()
    with as_file(files("inpaint_model.bundle") / WEIGHTS) as path:
        weights = {name: value.float() for name, value in load_file(path).items()}
    network.load_state_dict(weights, assign=True)
    return channels_last(network.to(dtype)).eval().requires_grad_(False)
