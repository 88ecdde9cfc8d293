"""Where results go: folders that cannot be, disks that are full, terminals that cannot show."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from daemons import DaemonProcess
from inpaint_cli.whole_files import whole_file
from limited_files import with_file_limit
from PIL import Image

Command = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Path, Path]:
    """An image and its mask."""
    rng = np.random.default_rng(0)
    image, mask = tmp_path / "p.png", tmp_path / "m.png"
    Image.fromarray(rng.integers(0, 256, (96, 96, 3), dtype=np.uint8)).save(image)
    hole = np.zeros((96, 96), np.uint8)
    hole[30:60, 30:60] = 255
    Image.fromarray(hole).save(mask)
    return image, mask


@pytest.mark.parametrize("out", ["file", "file/below", "file/far/below"])
def test_a_file_in_the_place_of_the_folder(
    inpaint: Command, pair: tuple[Path, Path], tmp_path: Path, out: str
) -> None:
    (tmp_path / "file").write_text("mine")
    ended = inpaint("fill", pair[0], "--mask", pair[1], "--out", tmp_path / out, "-n", "1")
    assert ended.returncode == 2
    assert ended.stderr.count("\n") == 1
    assert "choose another --out" in ended.stderr
    assert (tmp_path / "file").read_text() == "mine"


@pytest.mark.full_disk
@pytest.mark.parametrize("form", ["png", "jpeg", "tiff", "webp"])
def test_a_full_disk_leaves_no_part_of_a_file(
    daemon: DaemonProcess, pair: tuple[Path, Path], tmp_path: Path, form: str
) -> None:
    """Writing fails after 300 bytes, as on a full disk."""
    out = tmp_path / "out"
    out.mkdir()
    (out / "candidate-00.png").write_bytes(b"of an earlier run")

    fill = [sys.executable, "-m", "inpaint_cli", "fill", str(pair[0]), "--mask", str(pair[1]),
            "--out", str(out), "-n", "1", "--format", form]  # fmt: skip
    ended = subprocess.run(
        with_file_limit(300, fill),
        env={**os.environ, "XDG_RUNTIME_DIR": str(daemon.folder)},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert ended.returncode == 2
    assert ended.stderr.count("\n") == 1
    assert "cannot be written (file too large)" in ended.stderr
    assert [path.name for path in out.iterdir()] == ["candidate-00.png"]
    assert (out / "candidate-00.png").read_bytes() == b"of an earlier run"


@pytest.mark.parametrize("encoding", ["cp1252", "ascii", "cp437"])
def test_names_that_the_terminal_cannot_show(
    inpaint: Command, pair: tuple[Path, Path], tmp_path: Path, encoding: str
) -> None:
    out = tmp_path / "肖像"
    ended = inpaint(
        "fill", pair[0], "--mask", pair[1], "--out", out, "-n", "1", PYTHONIOENCODING=encoding
    )
    assert ended.returncode == 0
    assert "Traceback" not in ended.stderr
    assert r"\u8096\u50cf" in ended.stdout
    assert (out / "candidate-00.png").exists()
    ended = inpaint(
        "fill", out / "nothing.png", "--mask", pair[1], "--out", out, PYTHONIOENCODING=encoding
    )
    assert ended.returncode == 2
    assert r"\u8096\u50cf" in ended.stderr


@pytest.mark.parametrize(("place", "status"), [("/dev/full", 2), ("a closed pipe", 4)])
def test_output_without_a_reader(daemon: DaemonProcess, place: str, status: int) -> None:
    if place == "a closed pipe":
        reading, writing = os.pipe()
        os.close(reading)
    else:
        writing = os.open(place, os.O_WRONLY)
    try:
        ended = subprocess.run(
            [sys.executable, "-m", "inpaint_cli", "info"],
            env={**os.environ, "XDG_RUNTIME_DIR": str(daemon.folder), "PYTHONUNBUFFERED": "1"},
            stdout=writing, stderr=subprocess.PIPE, text=True, check=False,
        )  # fmt: skip
    finally:
        os.close(writing)
    assert ended.returncode == status
    assert "Traceback" not in ended.stderr


def test_what_fails_leaves_the_file_that_was_there(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("before")

    def fail() -> None:
        with whole_file(path) as beside:
            beside.write_text("half of")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert [each.name for each in tmp_path.iterdir()] == ["a.txt"]
    assert path.read_text() == "before"
    with whole_file(path) as beside:
        beside.write_text("after")
    assert [each.name for each in tmp_path.iterdir()] == ["a.txt"]
    assert path.read_text() == "after"
