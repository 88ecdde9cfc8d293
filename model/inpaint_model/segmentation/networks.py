"""The networks that find faces and their parts, with their published weights."""

from __future__ import annotations

from functools import cache
from importlib.resources import as_file, files

import torch
from safetensors.torch import load_file
from torch import nn

from inpaint_model.document.arrays import FloatImage
from inpaint_model.segmentation.detector import DetectorNetwork
from inpaint_model.segmentation.mesh_network import MeshNetwork
from inpaint_model.segmentation.person_network import PersonNetwork

WEIGHTS = "pretrained/face_networks.safetensors"


class FaceNetworks(nn.Module):
    """All three networks."""

    def __init__(self) -> None:
        super().__init__()
        self.detector = DetectorNetwork()
        self.mesh = MeshNetwork()
        self.person = PersonNetwork()


@cache
def face_networks() -> FaceNetworks:
    """Load the networks from the package: float32, CPU, no gradients."""
    with torch.device("meta"):
        networks = FaceNetworks()
    with as_file(files("inpaint_model.segmentation") / WEIGHTS) as path:
        weights = {name: value.float() for name, value in load_file(path).items()}
    networks.load_state_dict(weights, assign=True)
    return networks.eval().requires_grad_(False)


@torch.inference_mode()
def person_probability(image: FloatImage) -> FloatImage:
    """Return the probability that a pixel shows a person, 0..1: [S, S].

    The image is RGB [S, S, 3] in 0..1 with the side S of the person network.
    """
    pixels = torch.from_numpy(image).permute(2, 0, 1)[None]
    probability: FloatImage = face_networks().person(pixels * 2 - 1)[0, 0].numpy()
    return probability
