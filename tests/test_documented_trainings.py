"""The commands of the training pages work in the order in which the pages show them.

Each runs with the real command, on a few small images and for a step or two: what makes it short
is added at its end, where it overrides what the page says. Commands that cannot run here are listed
with the reason; tests/test_documented_commands.py parses them.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from zipfile import ZipFile

import numpy as np
import pytest
import torch
from checkpoint_files import write_nvidia
from daemons import DaemonProcess
from documented_commands import ROOT, Command, commands_of
from foreign_networks import Sizes, nvidia_discriminator, nvidia_generator
from inpaint_client.example import MASK, PORTRAIT
from inpaint_model.baselines.archs import make_model
from inpaint_model.bundle.manifest import Card, read_bundle
from inpaint_model.bundle.writer import save_bundle
from inpaint_model.cli.main import main
from inpaint_model.inference.tiny import tiny_model
from PIL import Image
from tiny_feature_networks import tiny_feature_network
from tiny_onnx import tiny_recognition

pytestmark = pytest.mark.slow

STEP = ("--total-kimg", "0.004", "--batch-size", "2")
FEW = ("--samples", "100")
SHORTER = {
    "train generator": STEP,
    "train inpainter": STEP,
    "train framer": ("--total-kimg", "0.064", "--batch-size", "16"),
    "train refinement": STEP,
    "train detail": STEP,
    "train naturalness": ("--images", "10"),
    "directions auto": (*FEW, "--count", "4", "--fit-samples", "100", "--fit-count", "8"),
    "directions svm": (*FEW, "--extremes", "0.2"),
    "directions sefa": FEW,
    "directions pca": FEW,
    "directions label": (*FEW, "--count", "24"),
    "directions check": (*FEW, "--count", "4"),
    "nearest": ("--samples", "8"),
}
RUN = (
    "docs/train/from-a-folder.md",
    "docs/train/schedule.md",
    "docs/train/from-a-checkpoint.md",
    "docs/train/edits.md",
    "docs/research/evaluation.md",
)
NOT_RUN = {
    "--weights scripts/portrait-weights.csv": "needs the portrait model's 4,059 images",
    "--preset paper-256 --batch-size": "takes 11 GiB of memory and minutes for a step",
    "inpaint-model evaluate": "needs metric networks that may not be copied",
    "--scorer face_width=shape.pt:0": "needs a network of landmarks that may not be copied",
    "inpaint-server": "the daemon is started by a test of its own, below",
}


def whole(pages: Iterable[str]) -> list[Command]:
    """Return the commands of ours that stand on lines of their own."""
    ours = ("inpaint-model", "inpaint-server")
    found = [command for page in pages for command in commands_of(ROOT / page)]
    return [command for command in found if command.program in ours and command.is_whole]


def is_run(command: Command) -> bool:
    return not any(part in " ".join(command.words) for part in NOT_RUN)


def run(command: Command) -> None:
    words = list(command.words[1:])
    shorter = SHORTER.get(" ".join(words[:2]), SHORTER.get(words[0], ()))
    try:
        status = main([*words, *shorter])
    except SystemExit as stop:
        status = int(stop.code or 0)
    assert status == 0, f"{command} ends with status {status}"


def write_zip(path: Path, names: Iterable[str], **others: str) -> None:
    """Write variations of the example portrait under these names, and other files."""
    portrait = Image.open(PORTRAIT).convert("RGB").resize((64, 64))
    pixels = np.asarray(portrait, np.float32)
    with ZipFile(path, "w") as archive:
        for number, name in enumerate(names):
            changed = pixels[:, :: 1 - 2 * (number % 2)] * (0.6 + 0.05 * (number % 8))
            buffer = BytesIO()
            Image.fromarray(changed.astype(np.uint8)).save(buffer, "png")
            archive.writestr(name, buffer.getvalue())
        for name, text in others.items():
            archive.writestr(name.replace("_", "."), text)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of somebody who has followed "From a folder of images"."""
    folder = tmp_path_factory.mktemp("folder")
    write_zip(
        folder / "faces.zip", [f"{part}/{i:02}.png" for part in ("train", "val") for i in range(8)]
    )
    with ZipFile(folder / "faces.zip") as archive:
        archive.extractall(folder / "faces")
    labels = {f"00000/img{i:08}.png": i % 3 for i in range(8)}
    classes = json.dumps({"labels": list(labels.items())})
    write_zip(folder / "labeled.zip", labels, dataset_json=classes)
    for name in ("lite0.pt", "face.pt"):
        tiny_feature_network(folder / name)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for command in filter(is_run, whole(["docs/train/from-a-folder.md"])):
            run(command)
    return folder


def test_a_folder_of_images_becomes_models(trained: Path) -> None:
    kinds = {path.parent.name: read_bundle(path).kind for path in trained.glob("runs/*/bundle")}
    assert len(kinds) >= 4
    assert kinds["faces"] == "generator"
    assert kinds["fill"] == "inpainter"


def test_the_daemon_fills_with_the_model(trained: Path, tmp_path: Path) -> None:
    page = commands_of(ROOT / "docs/train/from-a-folder.md")
    [serve] = [command for command in page if command.program == "inpaint-server"]
    fills = [command for command in page if command.program == "inpaint" and command.is_whole]
    for path in (PORTRAIT, MASK):
        with Image.open(path) as image:
            image.convert("RGB").resize((96, 96)).save(tmp_path / path.name)
    model = [str(trained / word) if word.startswith("runs/") else word for word in serve.words[1:]]
    with DaemonProcess(tmp_path, *model) as daemon:
        daemon.runtime()
        for command in fills:
            done = subprocess.run(
                [sys.executable, "-m", "inpaint_cli", *command.words[1:]], cwd=tmp_path,
                capture_output=True, text=True,
                env={**os.environ, "XDG_RUNTIME_DIR": str(tmp_path)},
            )  # fmt: skip
            assert done.returncode == 0, f"{command}\n{done.stderr}"
    assert (tmp_path / "fills" / "sheet.png").exists()


def test_a_finished_model_is_continued(trained: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(trained)
    shutil.copytree("runs/fill/bundle", "BUNDLE")
    shutil.rmtree("runs/fill")
    for command in filter(is_run, whole(["docs/train/schedule.md"])):
        run(command)
    assert read_bundle(trained / "runs" / "fill" / "bundle").kind == "inpainter"


def test_a_checkpoint_becomes_a_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = Sizes()
    networks = nvidia_generator(sizes), nvidia_discriminator(sizes)
    write_nvidia(tmp_path / "faces.pkl", *networks, conv_clamp=256)
    larger = Sizes(resolution=64, channels=(8, 8, 6, 4, 4))  # for the one of 1024 px
    networks = nvidia_generator(larger), nvidia_discriminator(larger)
    write_nvidia(tmp_path / "faces-1024.pkl", *networks, conv_clamp=256)
    monkeypatch.chdir(tmp_path)
    for command in filter(is_run, whole(["docs/train/from-a-checkpoint.md"])):
        run(command)
    for run_folder in ("fill", "fill-1024"):
        assert read_bundle(tmp_path / "runs" / run_folder / "bundle").kind == "inpainter"
    assert (tmp_path / "grid.png").exists()


def test_directions_are_found_checked_and_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a generator of 32 px with random weights: the 256 px of the shipped one take minutes."""
    monkeypatch.chdir(tmp_path)
    names = [f"{part}/{i:02}.png" for part in ("train", "val") for i in range(8)]
    write_zip(tmp_path / "portraits.zip", names)
    # Codes of more numbers than there are attributes, so that all others can be projected out.
    config = tiny_model(0, 32).config
    wide = replace(config, generator=replace(config.generator, z_dim=64, w_dim=64))
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = make_model(wide)
    model.estimate_w_statistics(1000)
    save_bundle(tmp_path / "BUNDLE", model, Card("tiny"))
    save_bundle(tmp_path / "OTHER_BUNDLE", model, Card("other"))
    assert main(["directions", "sefa", "OTHER_BUNDLE", "--layers", "4-5", "--count", "1"]) == 0
    np.save("smile.npy", np.ones(64, np.float32))
    for command in filter(is_run, whole(["docs/train/edits.md"])):
        if "--marks" in command.words:
            mark(Path("beard.html"), Path(command.words[-1]))
        run(command)
    names = [direction.name for direction in read_bundle(tmp_path / "BUNDLE").directions]
    assert "open air" in names
    assert "sefa 0-3 component 1" not in names


def mark(page: Path, marks: Path) -> None:
    """Write what the browser saves when every other sample is marked as having more of it."""
    found = re.search(r"const about = (.*);\n", page.read_text("utf-8"))
    assert found
    about = json.loads(found[1])
    marks.write_text(json.dumps(about | {"more": [*range(0, 24, 2)], "less": [*range(1, 24, 2)]}))


def test_near_copies_are_looked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_zip(tmp_path / "faces.zip", [f"train/{i:02}.png" for i in range(4)])
    save_bundle(tmp_path / "BUNDLE", tiny_model(0, 32), Card("tiny"))
    tiny_recognition(tmp_path / "MobileFaceNet.onnx")
    for command in filter(is_run, whole(["docs/research/evaluation.md"])):
        run(command)
    assert (tmp_path / "copies" / "nearest.png").exists()


def test_every_command_of_these_pages_is_run_or_has_a_reason() -> None:
    pages = [
        str(path.relative_to(ROOT))
        for folder in ("train", "research")
        for path in sorted((ROOT / "docs" / folder).glob("*.md"))
    ]
    commands = whole(pages)
    elsewhere = [c for c in commands if is_run(c) and c.place.rpartition(":")[0] not in RUN]
    assert not elsewhere, "\n".join(map(str, elsewhere))
    text = "\n".join(" ".join(command.words) for command in commands)
    assert [reason for part, reason in NOT_RUN.items() if part not in text] == []
