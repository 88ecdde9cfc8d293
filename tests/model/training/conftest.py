"""What the trainings work on."""

from __future__ import annotations

from pathlib import Path

import pytest
from short_trainings import images
from tiny_feature_networks import tiny_feature_network


@pytest.fixture
def network(tmp_path: Path) -> Path:
    """A feature network's file."""
    return tiny_feature_network(tmp_path / "network.pt")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    from PIL import Image

    folder = tmp_path / "data"
    folder.mkdir()
    for name, image in zip(images().names, images().pixels, strict=True):
        Image.fromarray(image.permute(1, 2, 0).numpy()).save(folder / name)
    return folder
