"""Outputs of the published implementations, stored with their checkpoints in ../shared.

The same formulas are compared with slow implementations in test_nvidia.py and test_rosinality.py.
"""

from __future__ import annotations

import numpy as np
import pytest
import torch
from inpaint_model.importing import Checkpoint, import_checkpoint
from shared_files import SHARED

REFERENCE = SHARED / "reference"
pytestmark = pytest.mark.shared("reference")
TOLERANCE = 1e-4  # norm of the difference over norm of the reference


class Stored:
    """One checkpoint and its stored outputs."""

    def __init__(self, checkpoint: str) -> None:
        path = REFERENCE / checkpoint
        self.checkpoint: Checkpoint = import_checkpoint(path)
        self.outputs = np.load(path.with_suffix(".npz"), allow_pickle=False)

    def input(self, name: str) -> torch.Tensor:
        return torch.from_numpy(self.outputs[name])

    def agrees(self, output: torch.Tensor, name: str) -> bool:
        expected = self.outputs[name]
        assert output.shape == expected.shape
        error = np.linalg.norm(output.numpy() - expected) / np.linalg.norm(expected)
        return bool(error <= TOLERANCE)


@pytest.fixture(scope="module")
def nvidia() -> Stored:
    return Stored("nvidia_ada_256.pkl")


@pytest.fixture(scope="module")
def rosinality() -> Stored:
    return Stored("rosinality_256.pt")


def test_nvidia_mapping_and_truncation(nvidia: Stored) -> None:
    mapping = nvidia.checkpoint.generator.mapping
    assert nvidia.agrees(mapping(nvidia.input("z")), "ws")
    assert nvidia.agrees(mapping(nvidia.input("z"), truncation_psi=0.7), "ws_psi07")


def test_nvidia_images(nvidia: Stored) -> None:
    synthesis = nvidia.checkpoint.generator.synthesis
    assert nvidia.agrees(synthesis(nvidia.input("ws"), noise_mode="const"), "img_const")
    assert nvidia.agrees(
        synthesis(nvidia.input("ws_psi07"), noise_mode="none"), "img_psi07_nonoise"
    )


def test_nvidia_features(nvidia: Stored) -> None:
    synthesis, ws = nvidia.checkpoint.generator.synthesis, nvidia.input("ws")
    x, image = synthesis.head(ws, 64)
    assert nvidia.agrees(x, "feat64_conv0")
    x, image = synthesis.block(64).finish(x, image, ws[:, 8], ws[:, 9], "const")
    assert nvidia.agrees(x, "feat64")
    assert nvidia.agrees(image, "rgb64")


def test_nvidia_discriminator(nvidia: Stored) -> None:
    discriminator = nvidia.checkpoint.discriminator
    assert discriminator is not None
    assert nvidia.agrees(discriminator(nvidia.input("img_const")), "d_logits")


def test_rosinality_mapping_and_images(rosinality: Stored) -> None:
    generator = rosinality.checkpoint.generator
    ws = generator.mapping(rosinality.input("z"))
    assert rosinality.agrees(ws, "ws")
    assert rosinality.agrees(ws[:, 0], "w")
    assert rosinality.agrees(generator.synthesis(ws), "img_const")
    truncated = generator.mapping(rosinality.input("z"), truncation_psi=0.7)
    assert rosinality.agrees(generator.synthesis(truncated), "img_psi07_const")


def test_rosinality_features_and_discriminator(rosinality: Stored) -> None:
    x, _ = rosinality.checkpoint.generator.synthesis.head(rosinality.input("ws"), 64)
    assert rosinality.agrees(x, "feat64_conv0")
    discriminator = rosinality.checkpoint.discriminator
    assert discriminator is not None
    assert rosinality.agrees(discriminator(rosinality.input("img_const")), "d_logits")
