"""The page about directions: numbers, grids of offered directions, reasons for the others."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from inpaint_model.bundle.directions import Direction
from inpaint_model.directions.attributes import Attribute
from inpaint_model.directions.checking import Instruments, check
from inpaint_model.directions.effects import Subject
from inpaint_model.directions.gallery import BEGIN, END, write_page
from PIL import Image
from torch import Tensor

R = 8
JUDGES = {name: lambda x, k=k: x[:, k].mean(dim=(1, 2)) for k, name in enumerate(("red", "green"))}
ATTRIBUTES = [Attribute(name, "", name, judge, judge) for name, judge in JUDGES.items()]
RED = Direction("red!", "", (0,), 0.2, (-3.0, 3.0), attribute="red", description="redder")


def paint(ws: Tensor) -> Tensor:
    return ws[:, 0, :, None, None].expand(-1, -1, R, R)


def subjects() -> list[Subject]:
    hole = torch.zeros(1, 1, R, R)
    hole[..., :4] = 1
    known = torch.zeros(1, 3, R, R)
    return [Subject(torch.full((2, 3), 0.1 * k), paint, paint, hole, known) for k in range(5)]


def write(page: Path) -> None:
    instruments = Instruments(ATTRIBUTES, {"red": 0.2, "green": 0.2})
    good = check(RED, torch.tensor([1.0, 0.0, 0.0]), instruments, subjects())
    bad = replace(RED, name="both")
    both = check(bad, torch.tensor([1.0, 1.0, 0.0]), instruments, subjects())
    write_page(page, [good, both], subjects(), JUDGES)


def test_the_page(tmp_path: Path) -> None:
    page = tmp_path / "edits.md"
    page.write_text(f"Before\n{BEGIN}\nold\n{END}\nAfter\n")
    write(page)
    text = page.read_text()
    assert text.startswith(f"Before\n{BEGIN}\n| Direction |")
    assert text.endswith(f"{END}\nAfter\n")
    assert "old" not in text
    assert (
        "| red! | 0 to 0 | -3 to 3 | 1.00 | 0.50 | 0.00 (green) | not measured | 1.00 | yes |"
        in text
    )
    assert "**red!**: redder\n\n![red!](images/edits/red.webp)" in text
    assert "not offered: both (it also changes green, by 1.00 of its own effect)" in text
    images = list((tmp_path / "images" / "edits").iterdir())
    assert [path.name for path in images] == ["red.webp"]
    with Image.open(images[0]) as grid:
        assert grid.size == (8 * (R + 2) - 2, 3 * (R + 2) - 2)  # erased, then seven steps


def test_a_new_page_is_all_of_it_and_another_is_left_alone(tmp_path: Path) -> None:
    write(tmp_path / "new.md")
    assert (tmp_path / "new.md").read_text().startswith(BEGIN)
    (tmp_path / "other.md").write_text("no marks")
    with pytest.raises(ValueError, match="has no lines <!-- directions: begin -->"):
        write(tmp_path / "other.md")
    assert (tmp_path / "other.md").read_text() == "no marks"
