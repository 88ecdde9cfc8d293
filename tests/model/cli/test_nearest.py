"""Near-copies are found: a generator "trained" on its own samples copies all of them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from inpaint_model.bundle.manifest import Card
from inpaint_model.bundle.writer import save_bundle
from inpaint_model.cli.main import main
from inpaint_model.data.image_tensors import to_uint8
from inpaint_model.networks.generator import Generator
from inpaint_model.networks.presets import preset
from PIL import Image
from shared_files import SHARED
from tiny_onnx import tiny_recognition

NETWORK = "metrics/MobileFaceNet.onnx"


@pytest.mark.slow
@pytest.mark.parametrize(
    "published", [False, pytest.param(True, marks=pytest.mark.shared(NETWORK))]
)
def test_copies_stand_out(published: bool, tmp_path: Path) -> None:
    network = SHARED / NETWORK if published else tiny_recognition(tmp_path / "tiny.onnx")
    with torch.random.fork_rng():
        torch.manual_seed(0)
        generator = Generator(preset("tiny").generator)
    save_bundle(tmp_path / "bundle", generator, Card("g"))
    copied = generator(
        torch.randn(16, generator.config.z_dim, generator=torch.Generator().manual_seed(0))
    )
    data, other = tmp_path / "data", tmp_path / "other"
    data.mkdir()
    other.mkdir()
    for index, image in enumerate(to_uint8(copied[:3])):
        Image.fromarray(image).save(data / f"copied{index}.png")
    for index in range(3):
        Image.new("RGB", (32, 32), (60 * index, 90, 200)).save(other / f"plain{index}.png")
    out = tmp_path / "out"
    command = ["nearest", str(tmp_path / "bundle"), "--data", str(data), str(other)]
    command += ["--samples", "16"]
    assert main([*command, "--identity", str(network), "--out", str(out)]) == 0
    report = json.loads((out / "nearest.json").read_text())
    copies = {(sample, name) for sample, name, cosine in report["pairs"] if cosine > 0.98}
    assert {(index, f"copied{index}.png") for index in range(3)} <= copies
    assert report["closest"]["highest"] > 0.98 > report["closest"]["5%"]
    assert (out / "nearest.png").exists()


def test_bad_counts_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--data", "x", "--identity", "y", "--out", str(tmp_path), "--samples", "0"]
    assert main(["nearest", "tiny", *arguments]) == 2
    assert "--samples" in capsys.readouterr().err
