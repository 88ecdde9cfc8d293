"""The generated pages and schemas in docs/ are up to date with the code."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from inpaint_model.cli.train import generator as train_generator

ROOT = Path(__file__).resolve().parents[1]
REFERENCE = ROOT / "docs" / "reference"
GENERATED = [
    *(REFERENCE / "commands").glob("*.md"),
    REFERENCE / "daemon-settings.md",
    REFERENCE / "wire.md",
]


def check(script: str, out: Path, committed: Path, expected: list[Path]) -> None:
    subprocess.run([sys.executable, ROOT / "scripts" / script, out], check=True)
    made = sorted(path.relative_to(out) for path in out.rglob("*") if path.is_file())
    assert made == sorted(path.relative_to(committed) for path in expected)
    for name in made:
        assert (out / name).read_text("utf-8") == (committed / name).read_text("utf-8"), (
            f"{committed / name} is older than the code; run `make reference`"
        )


@pytest.mark.slow
def test_schemas_match_the_dataclasses(tmp_path: Path) -> None:
    committed = ROOT / "docs" / "schemas"
    check("write-schemas", tmp_path, committed, list(committed.iterdir()))


@pytest.mark.slow
def test_pages_match_parsers_settings_and_contract(tmp_path: Path) -> None:
    check("write-reference", tmp_path, REFERENCE, GENERATED)


def test_examples_of_a_description_stay_lines() -> None:
    page = (REFERENCE / "commands" / "inpaint-model.md").read_text("utf-8").splitlines()
    for example in (train_generator.__doc__ or "").splitlines():
        if example.startswith("  "):
            assert example.strip() in page
