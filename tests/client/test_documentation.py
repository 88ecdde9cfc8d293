"""The example of docs/guide/scripts.md, run as it stands."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from fake_daemon import FakeDaemon

PAGE = Path(__file__).resolve().parents[2] / "docs" / "guide" / "scripts.md"


def test_the_example_runs(
    daemon: FakeDaemon, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    [example] = re.findall(r"```python\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    monkeypatch.setenv("INPAINT_SERVER", daemon.address)
    exec(compile(example, str(PAGE), "exec"), {})  # noqa: S102 (our own page)
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == ["7", "8", "9", "10"]
    assert "Box(x=0, y=20, width=64, height=8)" in lines[0]
