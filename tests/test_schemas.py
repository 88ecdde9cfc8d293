"""The JSON Schemas in docs/schemas are those of the dataclasses."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.mark.slow
def test_they_are_up_to_date(tmp_path: Path) -> None:
    subprocess.run([sys.executable, ROOT / "scripts" / "write-schemas", tmp_path], check=True)
    committed = ROOT / "docs" / "schemas"
    made = sorted(path.name for path in tmp_path.iterdir())
    assert made == sorted(path.name for path in committed.iterdir())
    for name in made:
        assert (tmp_path / name).read_text() == (committed / name).read_text(), (
            f"docs/schemas/{name} is older than the code; run `make schemas`"
        )
