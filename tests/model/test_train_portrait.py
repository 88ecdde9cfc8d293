"""`scripts/train-portrait`: every stage, from pictures and on from a finished model."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from inpaint_model.bundle import read_bundle
from PIL import Image

SCRIPT = Path(__file__).parents[2] / "scripts" / "train-portrait"
FEW = {
    "PRESET": "compact-128",
    "BATCH": "4",
    "KIMG_LOW": "0.004",
    "KIMG_TAUGHT": "0.008",
    "KIMG": "0.012",
    "FRAMER_KIMG": "0.032",
}


@pytest.fixture
def faces(tmp_path: Path) -> Path:
    with zipfile.ZipFile(tmp_path / "faces.zip", "w") as archive:
        for index in range(4):
            with archive.open(f"train/{index}.png", "w") as file:
                Image.new("RGB", (128, 128), (60 * index, 90, 120)).save(file, "PNG")
    return tmp_path / "faces.zip"


def train(faces: Path, runs: Path, **settings: str) -> None:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    env = os.environ | {"PATH": path, "OMP_NUM_THREADS": "1"} | FEW | settings
    done = subprocess.run([SCRIPT, faces, runs], env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_from_pictures_and_on_from_a_finished_model(faces: Path, tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    train(faces, first, FILL_KIMG="0.004")
    info = read_bundle(first / "inpainter" / "bundle")
    assert info.kind == "inpainter"
    assert info.has_framer
    assert info.card.trained_kimg == 0.004
    assert read_bundle(first / "generator" / "bundle").card.trained_kimg == 0.012
    train(faces, second, FILL_KIMG="0.008", CONTINUE=str(info.folder))
    info = read_bundle(second / "inpainter" / "bundle")
    assert info.has_framer
    assert info.card.trained_kimg == 0.008  # counted on
    # The bundle of an inpainter does not say what its generator saw.
    assert read_bundle(second / "generator" / "bundle").card.trained_kimg == 0.012
