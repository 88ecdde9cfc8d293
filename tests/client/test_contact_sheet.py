"""The contact sheet: what it shows, how it is arranged, and its captions."""

from __future__ import annotations

from itertools import combinations

import pytest
from inpaint_client.events import Method
from inpaint_client.geometry import Box, Extent
from inpaint_client.session.contact_sheet import (
    CELL,
    area_around,
    arrange,
    before,
    caption,
    captions_of,
    cell_extent,
    column_width,
)
from inpaint_client.session.history import Result


def test_the_area_is_a_square_around_the_hole_inside_the_canvas() -> None:
    canvas = Box(0, 0, 1000, 800)
    assert area_around(Box(400, 300, 100, 60), canvas) == Box(340, 220, 220, 220)
    assert area_around(Box(0, 700, 100, 100), canvas) == Box(0, 580, 220, 220)
    assert area_around(Box(100, 0, 700, 800), canvas) == canvas


def test_a_cell_has_the_documents_resolution_up_to_a_limit() -> None:
    assert cell_extent(Extent(300, 200)) == (300, 200)
    assert cell_extent(Extent(2048, 1024)) == (CELL, CELL // 2)
    assert cell_extent(Extent(9000, 1)) == (CELL, 1)


@pytest.mark.parametrize(
    ("count", "columns"),
    [(1, 1), (2, 2), (3, 3), (4, 2), (5, 3), (7, 4), (9, 3), (13, 5), (17, 6)],
)
def test_rows_are_balanced(count: int, columns: int) -> None:
    layout = arrange(Extent(512, 512), [30] * count)
    assert len(layout.places) == count
    assert len({place.image.x for place in layout.places}) == columns


@pytest.mark.parametrize("image", [Extent(512, 512), Extent(512, 200), Extent(40, 64)])
def test_cells_and_captions_are_apart_and_inside(image: Extent) -> None:
    layout = arrange(image, [50] * 7)
    boxes = [box for place in layout.places for box in place]
    sheet = Box.of_extent(layout.extent)
    assert all(sheet.grow(-30).contains(box) for box in boxes)
    assert all(one.clamp(other).is_empty for one, other in combinations(boxes, 2))
    for place in layout.places:
        assert place.image.extent == image
        assert place.caption.extent == (column_width(image), 50)
        middles = [2 * box.x + box.width for box in place]
        assert abs(middles[0] - middles[1]) <= 1


def test_margins_are_even() -> None:
    layout = arrange(Extent(512, 384), [30, 90, 30, 30, 60, 30])
    first, last = layout.places[0], layout.places[-1]
    margins = (first.image.x, first.image.y)
    assert margins == (
        layout.extent.width - last.caption.right,
        layout.extent.height - last.caption.bottom,
    )


def test_each_row_is_as_high_as_its_highest_caption() -> None:
    layout = arrange(Extent(512, 384), [30, 90, 30, 30, 60, 30])
    assert [place.caption.height for place in layout.places] == [90] * 3 + [60] * 3
    assert layout.places[3].image.y - layout.places[0].caption.bottom == 24


def test_captions_say_what_a_candidate_is() -> None:
    results = (
        Result(43, "a", "", 0),
        Result(43, "b", "", 0, variant=0, edits={"smile": 1.0}, starred=True),
        Result(0, "c", "", 1, method=Method.SMOOTH),
    )
    captions = captions_of(results, lambda result: [f"{name}!" for name in result.edits])
    assert [str(each.title) for each in captions] == ["1 · seed 43", "1 · seed 43", "2 · smooth"]
    assert [each.changes for each in captions] == [(), ("smile!",), ()]
    assert [each.is_starred for each in captions] == [False, True, False]
    assert str(before().title) == "Before"
    assert str(caption(2, 7, copy=1).title) == "2 · copy 1 · seed 7"


def test_a_caption_breaks_between_its_changes() -> None:
    def fits(line: str) -> bool:
        return len(line) <= 22

    changed = caption(1, 5, is_starred=True, changes=("Smile +1", "Yaw +0.5", "Contrast +2"))
    assert changed.lines("1 · Seed 5", fits) == [
        "★ 1 · Seed 5",
        "Smile +1, Yaw +0.5",
        "Contrast +2",
    ]
    assert before().lines("Vorher", fits) == ["Vorher"]
