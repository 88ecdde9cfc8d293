"""Every image of the documentation is used and has a command; how a recording is timed."""

from __future__ import annotations

import re
from collections.abc import Sequence
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from itertools import accumulate, pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
IMAGES = sorted(
    path.relative_to(DOCS)
    for folder in DOCS.rglob("images")
    for path in folder.rglob("*")
    if path.is_file()
)
PAGES = [
    ROOT / "README.md",
    *sorted((ROOT / "docs").rglob("*.md")),
    *sorted((ROOT / "model").rglob("card.md")),
]
HEADING = "## Images and the commands that make them"


def loaded(script: str) -> Any:
    """The module that a script without a suffix is."""
    loader = SourceFileLoader(script.replace("-", "_"), str(ROOT / "scripts" / script))
    spec = spec_from_loader(loader.name, loader)
    assert spec is not None
    module = module_from_spec(spec)
    loader.exec_module(module)
    return module


recorder = loaded("record-animation")


def rows() -> list[tuple[list[str], str]]:
    """The table of CONTRIBUTING.md: the patterns of each row, and what makes these images."""
    text = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
    table = text.partition(HEADING)[2].partition("\n## ")[0]
    cells = [line.strip("| ").split(" | ") for line in table.splitlines() if line.startswith("|")]
    return [(re.findall(r"`([^`]+)`", row[0]), row[1]) for row in cells[2:]]


@pytest.mark.parametrize("image", IMAGES, ids=str)
def test_an_image_says_what_makes_it_and_is_used(image: Path) -> None:
    makers = [maker for patterns, maker in rows() if any(map(image.match, patterns))]
    assert len(makers) == 1, "CONTRIBUTING.md names every image once"
    using = [
        page
        for page in PAGES
        if f"images/{image.as_posix().partition('images/')[2]}" in page.read_text("utf-8")
    ]
    assert using, "no page uses it"


def test_what_makes_the_images_exists() -> None:
    for patterns, maker in rows():
        assert all(any(image.match(each) for image in IMAGES) for each in patterns)
        for path in re.findall(r"(?:scripts|examples|tests)/[\w./-]+", maker):
            assert (ROOT / path).exists(), path


def test_the_animation_is_small_and_short() -> None:
    path = DOCS / "images" / "krita.webp"
    assert path.stat().st_size < recorder.LIMIT == 3_000_000
    with Image.open(path) as animation:
        frames: int = getattr(animation, "n_frames", 1)
        duration = 0
        for place in range(frames):
            animation.seek(place)
            animation.load()
            duration += animation.info["duration"]
    assert frames > 50
    assert animation.width <= 960
    assert 15_000 < duration < 25_000
    readme = (ROOT / "README.md").read_text("utf-8")
    assert "docs/images/krita.webp" in readme.partition("\n## ")[0]


seconds = st.floats(0.01, 20)


@given(
    scenes=st.lists(st.tuples(seconds, st.floats(0, 20)), min_size=1, max_size=6),
    gaps=st.lists(st.floats(0.001, 3), min_size=1, max_size=60),
    before=st.floats(-10, 0),
)
def test_a_recording_plays_as_long_as_its_scenes_may(
    scenes: list[tuple[float, float]], gaps: list[float], before: float
) -> None:
    starts = list(accumulate((lasted for lasted, _ in scenes), initial=0.0))
    marks = [*zip(starts, [allowed for _, allowed in scenes] + [0.0], strict=True)]
    times = list(accumulate(gaps, initial=before))
    shown = recorder.timed(times, marks)
    expected = 1000 * sum(min(lasted, allowed) for lasted, allowed in scenes)
    assert sum(duration for _, duration in shown) == pytest.approx(
        expected, abs=recorder.SHORTEST_MS + 1
    )
    assert all(duration >= recorder.SHORTEST_MS for _, duration in shown)
    assert in_order([place for place, _ in shown], len(times))


def in_order(places: Sequence[int], count: int) -> bool:
    """Whether they go up, and are places of so many frames."""
    return all(a < b for a, b in pairwise([-1, *places, count]))


def test_a_scene_is_never_slower_than_it_was() -> None:
    marks = [(0.0, 10.0), (2.0, 1.0), (4.0, 0.0), (5.0, 0.0)]
    assert recorder.timed([-1.0, 1.0, 3.0, 4.5], marks) == [(0, 1000), (1, 1500), (2, 500)]
