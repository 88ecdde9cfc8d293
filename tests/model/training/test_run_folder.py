"""The files of a run's folder."""

from __future__ import annotations

import json
from pathlib import Path

from inpaint_model.training.run_folder import RunFolder


def test_every_start_adds_a_line_to_the_options(tmp_path: Path) -> None:
    RunFolder(tmp_path / "run").write_options({"batch": 4, "out": tmp_path})
    RunFolder(tmp_path / "run").write_options({"batch": 8})
    lines = (tmp_path / "run" / "options.jsonl").read_text("utf-8").splitlines()
    first, second = map(json.loads, lines)
    assert (first["batch"], first["out"], second["batch"]) == (4, str(tmp_path), 8)
