"""All functions and classes named in the walks of CONTRIBUTING.md exist."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SECTION = re.search(
    r"^## Four walks.*?(?=^## )", (ROOT / "CONTRIBUTING.md").read_text("utf-8"), re.M | re.S
)
assert SECTION is not None
WALKS = [
    re.findall(r"^\d+\. `([^`:]+)::([^`]+)`", walk, re.M) for walk in SECTION[0].split("\n**")[1:]
]
STEPS = sorted({step for walk in WALKS for step in walk})


def test_there_are_four_of_at_most_ten_steps() -> None:
    assert len(WALKS) == 4
    assert all(5 <= len(walk) <= 10 for walk in WALKS)


def defines(body: list[ast.stmt], names: list[str]) -> bool:
    """Return whether a module or class defines a name, or a name inside a class."""
    for node in body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef) and node.name == names[0]:
            return len(names) == 1 or defines(node.body, names[1:])
    return False


@pytest.mark.parametrize(("path", "name"), STEPS)
def test_every_step_leads_somewhere(path: str, name: str) -> None:
    tree = ast.parse((ROOT / path).read_text("utf-8"))
    assert defines(tree.body, name.split("."))
