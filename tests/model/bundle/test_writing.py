"""A bundle is written whole or not at all."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from inpaint_model.bundle.writer import rewriting
from limited_files import with_file_limit

CHECKPOINT = Path(__file__).parents[1] / "importing" / "published" / "clamped.pkl"


def import_command(out: Path) -> list[str]:
    """Return the command that imports a small checkpoint."""
    return [sys.executable, "-m", "inpaint_model.cli", "import", str(CHECKPOINT), "--out", str(out)]


def run(command: list[str]) -> subprocess.CompletedProcess[str]:
    """Run a command in a separate process."""
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.slow
@pytest.mark.full_disk
def test_a_full_disk_leaves_no_part_of_a_bundle(tmp_path: Path) -> None:
    ended = run(with_file_limit(5000, import_command(tmp_path / "b")))
    assert ended.returncode == 2
    assert ended.stderr.count("\n") == 1
    assert "Traceback" not in ended.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
@pytest.mark.parametrize("out", ["file", "file/below"])
def test_a_file_in_the_place_of_the_folder(tmp_path: Path, out: str) -> None:
    (tmp_path / "file").write_text("mine")
    ended = run(import_command(tmp_path / out))
    assert ended.returncode == 2
    assert ended.stderr.count("\n") == 1
    assert "choose another" in ended.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
    assert (tmp_path / "file").read_text() == "mine"


@pytest.mark.parametrize("keep", [False, True])
def test_what_is_interrupted_leaves_the_bundle_that_was_there(tmp_path: Path, keep: bool) -> None:
    folder = tmp_path / "b"
    folder.mkdir()
    (folder / "model.yaml").write_text("before")

    def interrupt() -> None:
        with rewriting(folder, keep=keep) as new:
            (new / "other").write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupt()
    assert os.listdir(tmp_path) == ["b"]  # noqa: PTH208
    assert [path.name for path in folder.iterdir()] == ["model.yaml"]
    assert (folder / "model.yaml").read_text() == "before"
