"""The page that compares the code with the paper names files, functions and options that exist."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "research" / "method.md"
FOLDERS = [ROOT / name for name in ("model/inpaint_model", "tests/model", "tests/model/training")]
CODE = sorted(set(re.findall(r"`([^`\n]+)`", PAGE.read_text("utf-8"))))


@cache
def words() -> frozenset[str]:
    """All words in the sources and tests of the model."""
    sources = (path.read_text("utf-8") for folder in FOLDERS[:2] for path in folder.rglob("*.py"))
    return frozenset(word for source in sources for word in re.findall(r"[\w-]+", source))


@pytest.mark.parametrize("code", CODE)
def test_what_the_page_names_exists(code: str) -> None:
    if re.fullmatch(r"[\w/.-]+\.(py|md)", code):
        assert any((folder / code).exists() for folder in FOLDERS)
        return
    for word in re.findall(r"[A-Za-z_][\w-]*", code):
        assert word in words() or word.replace("-", "_") in words()


def test_the_page_is_checked() -> None:
    assert len(CODE) > 100
