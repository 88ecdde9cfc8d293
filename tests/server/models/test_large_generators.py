"""Generators of 512 and 1024 px with random weights: import, train, serve, fill and edit."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from checkpoint_files import write_nvidia
from daemons import Caller, DaemonProcess, header, noise, pixels_of
from foreign_networks import Sizes, nvidia_discriminator, nvidia_generator
from inpaint_model.bundle.manifest import Card, read_bundle
from inpaint_model.bundle.writer import save_bundle
from inpaint_model.cli.main import main
from inpaint_model.inference.tiny import tiny_model
from inpaint_model.networks.config import InpaintingConfig
from inpaint_protos.v1 import inpaint_pb2 as pb

pytestmark = pytest.mark.slow

NAMES = {256: "small", 512: "medium", 1024: "large"}
TRAINING = (
    "--preset=tiny",
    "--total-kimg=0.002",
    "--batch-size=1",
    "--snapshot-kimg=0.002",
    "--tick-kimg=0.002",
    "--threads=1",
    "--device=cpu",
)


@pytest.fixture(scope="module")
def bundles(tmp_path_factory: pytest.TempPathFactory) -> dict[int, Path]:
    """A model of 256 px, and models around imported checkpoints that start from it."""
    folder = tmp_path_factory.mktemp("large")
    made = {256: folder / NAMES[256]}
    save_bundle(made[256], tiny_model(resolution=256), Card(NAMES[256]))
    for R in (512, 1024):
        sizes = Sizes(resolution=R, channels=(16,) * 7 + (8,) * (R // 512), z_dim=16, w_dim=16)
        checkpoint = write_nvidia(
            folder / f"{R}.pkl", nvidia_generator(sizes), nvidia_discriminator(sizes)
        )
        generator, run = folder / f"generator-{R}", folder / f"run-{R}"
        assert main(["import", str(checkpoint), "--out", str(generator)]) == 0
        started = ["--generator", str(generator), "--init", str(made[256]), "--name", NAMES[R]]
        assert main(["train", "inpainter", *started, "--out", str(run), *TRAINING]) == 0
        made[R] = run / "bundle"
    return made


@pytest.fixture(scope="module")
def caller(bundles: dict[int, Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Caller]:
    models = [word for path in bundles.values() for word in ("--model", str(path))]
    folder = tmp_path_factory.mktemp("daemon")
    with DaemonProcess(folder, *models) as daemon, daemon.caller() as caller:
        yield caller


@pytest.mark.parametrize("R", [512, 1024])
def test_the_encoder_stays_at_256_px(bundles: dict[int, Path], R: int) -> None:
    info = read_bundle(bundles[R])
    assert isinstance(info.config, InpaintingConfig)
    assert info.config.generator.resolution == R
    assert info.config.encoder_resolution == 256
    assert info.card.alignment == "ffhq"
    assert info.card.trained_kimg == pytest.approx(0.002)


@pytest.mark.parametrize(("side", "resolution"), [(120, 256), (250, 512), (500, 1024)])
def test_the_model_with_enough_detail_fills_and_edits(
    caller: Caller, side: int, resolution: int
) -> None:
    """A square around the selection is twice as large; outside the selection nothing changes."""
    pixels, hole = noise(1200, 1100), np.zeros((1100, 1200), np.uint8)
    hole[300 : 300 + side, 400 : 400 + side] = 255
    fill = header(pixels, hole, seeds=[3], count=2)
    answer = caller.fill(fill)
    (frame,) = answer.frames
    assert (frame.model, frame.model_resolution) == (NAMES[resolution], resolution)
    assert frame.enlargement <= 1
    assert len(answer.candidates) == 2
    for candidate in answer.candidates:
        (patch,) = candidate.patches
        coverage, filled = pixels_of(patch.coverage)[..., 0], pixels_of(patch.fill)
        rows = np.s_[patch.box.y : patch.box.y + patch.box.height]
        columns = np.s_[patch.box.x : patch.box.x + patch.box.width]
        before = pixels[rows, columns]
        assert (filled[coverage == 0] == before[coverage == 0]).all()
        assert (filled[coverage == 255] != before[coverage == 255]).any()
        assert (coverage == hole[rows, columns]).all()
    again = caller.edit(pb.EditHeader(session_id=answer.session_id))
    assert again.frames[0].model == NAMES[resolution]
    assert again.candidates[0].patches == answer.candidates[0].patches
