"""Run `inpaint-model` as a user would: real files, and a real process where that differs."""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys
from pathlib import Path

import inpaint_model
import numpy as np
import pytest
import torch
from checkpoint_files import state_dict, write_nvidia, write_torch
from foreign_networks import (
    Sizes,
    nvidia_discriminator,
    nvidia_generator,
    rosinality_generator,
)
from inpaint_model.cli.main import COMMANDS, main
from inpaint_model.importing import import_checkpoint
from inpaint_model.networks.ops import channels_last
from PIL import Image

TINY = Sizes()


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "inpaint_model.cli", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def pixels(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image)


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("checkpoint") / "faces.pkl"
    return write_nvidia(path, nvidia_generator(TINY), nvidia_discriminator(TINY), conv_clamp=256)


@pytest.mark.parametrize("command", [[], *([c.name] for c in COMMANDS)], ids=str)
def test_help_does_not_import_torch(command: list[str]) -> None:
    """torch takes seconds; a help text must not."""
    script = (
        "import sys\n"
        "from inpaint_model.cli.main import main\n"
        "try:\n    main(sys.argv[1:])\n"
        "except SystemExit as stop:\n    assert stop.code == 0\n"
        "assert 'torch' not in sys.modules and 'numpy' not in sys.modules\n"
    )
    arguments = [sys.executable, "-c", script, *command, "--help"]
    done = subprocess.run(arguments, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("usage: ")


@pytest.mark.slow
def test_import_info_and_sample(
    tmp_path: Path, checkpoint: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bundle, grid = tmp_path / "bundle", tmp_path / "grid.png"
    done = run("import", checkpoint, "--out", bundle, "--license", "CC0-1.0", "--title", "Faces")
    assert (done.returncode, done.stderr) == (0, "")
    assert "32 px" in done.stdout

    assert main(["info", str(bundle), "--json"]) == 0
    info = json.loads(capsys.readouterr().out)
    assert info["kind"] == "generator"
    assert info["licence"] == "CC0-1.0"
    assert info["generator"]["channels"] == list(TINY.channels)
    assert info["generator"]["conv_clamp"] == 256
    assert info["discriminator"] is True
    assert checkpoint.name in info["provenance"]

    sizes = ["--rows", "1", "--cols", "2", "--seed", "5"]
    assert main(["sample", str(bundle), "--out", str(grid), *sizes]) == 0
    assert capsys.readouterr().err == ""
    assert pixels(grid).shape == (32, 32 + 2 + 32, 3)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bundle", "grid.png"]


def test_a_bundle_is_the_checkpoint(tmp_path: Path, checkpoint: Path) -> None:
    assert main(["import", str(checkpoint), "--out", str(tmp_path / "bundle")]) == 0
    first, second = import_checkpoint(checkpoint), import_checkpoint(tmp_path / "bundle")
    assert second.source.format == "bundle"
    assert first.generator.config == second.generator.config
    z = torch.randn(2, TINY.z_dim, generator=torch.Generator().manual_seed(0))
    image = channels_last(first.generator)(z)  # the layout decides the order of sums
    assert torch.equal(image, channels_last(second.generator)(z))
    assert first.discriminator is not None
    assert second.discriminator is not None
    logits = channels_last(first.discriminator)(image)
    assert torch.equal(logits, channels_last(second.discriminator)(image))


def test_a_grid_from_a_file_shows_the_seeds_in_order(tmp_path: Path, checkpoint: Path) -> None:
    def grid(seed: int, count: int) -> np.ndarray:
        out = tmp_path / "grid.png"
        sizes = ["--rows", "1", "--cols", str(count), "--seed", str(seed)]
        assert main(["sample", str(checkpoint), "--out", str(out), *sizes]) == 0
        return pixels(out)

    pair = grid(2**32 - 1, 2)  # the seed after the last is 0
    assert np.array_equal(pair[:, :32], grid(2**32 - 1, 1))
    assert np.array_equal(pair[:, 34:], grid(0, 1))


def test_classes_can_be_chosen(tmp_path: Path) -> None:
    path = write_nvidia(tmp_path / "x.pkl", nvidia_generator(Sizes(c_dim=2)))
    images = []
    for label in (["--label", "0"], ["--label", "1"], []):
        out = tmp_path / "grid.png"
        sizes = ["--rows", "1", "--cols", "1", "--seed", "1"]
        assert main(["sample", str(path), "--out", str(out), *sizes, *label]) == 0
        images.append(pixels(out))
    assert not np.array_equal(images[0], images[1])
    assert np.array_equal(images[1], images[2])  # classes cycle with the seed: seed 1 is class 1


@pytest.mark.slow
def test_notes_reach_the_user(tmp_path: Path) -> None:
    path = write_torch(tmp_path / "x.pt", {"g_ema": state_dict(rosinality_generator(TINY))})
    done = run("import", path, "--out", tmp_path / "bundle")
    assert done.returncode == 0
    assert done.stderr.startswith("note: it holds no mean latent")


class Harmful:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, ("touch harmed",)


@pytest.mark.parametrize("kind", ["hostile", "truncated", "text", "empty", "absent", "folder"])
@pytest.mark.parametrize("command", ["import", "info", "sample"])
def test_bad_input_gives_one_line_and_writes_nothing(
    tmp_path: Path,
    checkpoint: Path,
    kind: str,
    command: str,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    source = tmp_path / "source"
    if kind == "folder":
        source.mkdir()
    elif kind != "absent":
        data = {
            "hostile": pickle.dumps(Harmful()),
            "truncated": checkpoint.read_bytes()[:5000],
            "text": b"hello",
            "empty": b"",
        }[kind]
        source.write_bytes(data)
    before = sorted(tmp_path.iterdir())
    out = [] if command == "info" else ["--out", str(tmp_path / "out.png")]
    assert main([command, str(source), *out]) == 2
    stdout, stderr = capfd.readouterr()
    assert stdout == ""
    assert stderr.startswith(f"inpaint-model: {source}: ")
    assert stderr.count("\n") == 1
    assert sorted(tmp_path.iterdir()) == before


PUBLISHED = Path(__file__).parents[1] / "importing" / "published"


def test_info_describes_a_checkpoint_on_one_screen(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["info", str(PUBLISHED / "clamped-labels.pkl")]) == 0
    out = capsys.readouterr().out
    said = {key: value.strip() for key, _, value in (x.partition("  ") for x in out.splitlines())}
    assert len(said) == len(out.splitlines()) <= 30
    assert said["family"] == "StyleGAN2 in the layout of stylegan2-ada-pytorch and stylegan3"
    assert said["can be imported"] == "yes"
    assert said["images"] == "32 px, RGB"
    assert said["labels"] == "3 classes"
    assert said["clamps"] == "1.5 in the generator; 1.5 in the discriminator except in its skips"
    assert said["precision"] == "stored in float32, computed in fp16 from 8 px up"
    assert said["generator: channels"] == "8, 8, 8, 8"
    assert said["generator: num mapping layers"] == "2"
    assert said["ignored"] == "training_set_kwargs"


def test_info_shows_why_a_checkpoint_cannot_be_imported(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["info", str(PUBLISHED / "stylegan3-t.pkl"), "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["family"] == "StyleGAN3 (alias-free)"
    assert said["images"] == "32 px, 3 channels"
    assert said["can_be_imported"] is False
    assert said["because"] == (
        "it holds a StyleGAN3 generator (alias-free); only StyleGAN2 can be used"
    )
    fork = rosinality_generator(TINY) | {"convs.0.attention.weight": torch.zeros(3)}
    assert main(["info", str(write_torch(tmp_path / "x.pt", {"g_ema": fork}))]) == 0
    out = capsys.readouterr().out
    assert "StyleGAN2" in out
    assert "convs.0.attention.weight" in out


def test_nothing_else_is_replaced(
    tmp_path: Path, checkpoint: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    letters = tmp_path / "letters"
    letters.mkdir()
    (letters / "dear.txt").write_text("dear")
    assert main(["import", str(checkpoint), "--out", str(letters), "--replace"]) == 2
    assert "is not a bundle" in capsys.readouterr().err
    assert (letters / "dear.txt").read_text() == "dear"

    bundle = tmp_path / "bundle"
    assert main(["import", str(checkpoint), "--out", str(bundle)]) == 0
    assert main(["import", str(checkpoint), "--out", str(bundle), "--name", "again"]) == 2
    assert "--replace" in capsys.readouterr().err
    assert main(["import", str(checkpoint), "--out", str(bundle), "--name", "x", "--replace"]) == 0
    assert "name: x\n" in (bundle / "model.yaml").read_text()


def test_bad_usage_of_sample(
    tmp_path: Path, checkpoint: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    grid = str(tmp_path / "grid.png")
    for arguments in (["--rows", "0"], ["--rows", "999", "--cols", "999"], ["--label", "0"]):
        assert main(["sample", str(checkpoint), "--out", grid, *arguments]) == 2
    assert main(["sample", str(checkpoint), "--out", str(tmp_path / "no" / "grid.png")]) == 2
    assert capsys.readouterr().err.count("\n") == 4
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_command_is_bad_usage() -> None:
    done = run("fly")
    assert done.returncode == 2
    assert "invalid choice: 'fly'" in done.stderr


def test_every_public_name_exists() -> None:
    for name in inpaint_model.__all__:
        assert getattr(inpaint_model, name) is not None
    assert sorted(inpaint_model.__all__) == sorted(inpaint_model._HOMES)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = inpaint_model.nothing


@pytest.mark.parametrize(
    "command", [["inpaint_model.cli", "info", "portrait"], ["inpaint_server", "--model", "tiny"]]
)
def test_a_removed_current_folder_is_reported(tmp_path: Path, command: list[str]) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    code = "import os, sys; os.rmdir(os.getcwd()); os.execv(sys.argv[1], sys.argv[1:])"
    done = subprocess.run(
        [sys.executable, "-c", code, sys.executable, "-m", *command],
        capture_output=True, text=True, check=False, cwd=gone,
    )  # fmt: skip
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "the current folder was deleted" in done.stderr
