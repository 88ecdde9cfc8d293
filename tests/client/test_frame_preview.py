"""The square that is shown is the one that the daemon takes."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from inpaint_client.geometry import Box, Extent, Frame
from inpaint_client.requests import FrameMode
from inpaint_client.session.frame_preview import expected, leaves, overlay, square_around
from inpaint_model.document import geometry

sides = st.integers(1, 4000)


@given(st.data(), sides, sides, st.integers(0, 1024))
def test_it_is_the_daemons_square(
    data: st.DataObject, width: int, height: int, resolution: int
) -> None:
    x, y = data.draw(st.integers(0, width - 1)), data.draw(st.integers(0, height - 1))
    hole = Box(x, y, data.draw(st.integers(1, width - x)), data.draw(st.integers(1, height - y)))
    seen = square_around(hole, Extent(width, height), resolution)
    theirs = geometry.box_frame(geometry.Box(*hole), width, height, resolution)
    assert seen[:3] == theirs[:3]
    inside = geometry.overlap_fraction(theirs, geometry.Box(*hole))
    assert leaves(hole, seen) == (inside < 1)


@given(st.integers(10, 500), st.floats(-180, 180), st.integers(2, 300))
def test_a_turned_square_holds_what_is_inside_it(size: int, angle: float, hole: int) -> None:
    """A small box in the middle is inside for every angle, and a large one never is."""
    box = Box(1000 - hole // 2, 1000 - hole // 2, hole // 2 * 2, hole // 2 * 2)
    frame = Frame(1000, 1000, size, angle)
    if box.width * 2**0.5 < size - 1:
        assert not leaves(box, frame)
    if box.width > size * 2**0.5 + 1:
        assert leaves(box, frame)


def test_which_way_a_square_is_turned() -> None:
    """A rotation excludes the same corner as the daemon's frame does."""
    box = Box(60, 40, 40, 10)
    for angle in (0.0, 20.0, -20.0, 45.0, 70.0):
        frame = Frame(80, 60, 60, angle)
        theirs = geometry.overlap_fraction(geometry.Frame(*frame), geometry.Box(*box))
        assert leaves(box, frame) == (theirs < 1), angle


HOLE, DOCUMENT = Box(40, 40, 20, 10), Extent(100, 80)


def test_what_is_said_about_the_frame() -> None:
    around = Frame(50, 45, 60)
    known = expected(HOLE, DOCUMENT, around, 0)
    assert (known.frame, known.is_warning) == (around, False)
    known = expected(HOLE, DOCUMENT, around._replace(side=12), 0)
    assert known.is_warning
    assert known.words.startswith("The selection extends beyond the frame.")
    known = expected(HOLE, DOCUMENT, FrameMode.BOX, 0)
    assert known.frame == square_around(HOLE, DOCUMENT)
    known = expected(HOLE, DOCUMENT, FrameMode.AUTO, 0)
    assert (known.frame, known.is_warning) == (None, False)
    assert "The daemon finds the frame" in known.words
    for nothing in (None, Box(0, 0, 0, 0)):
        known = expected(nothing, DOCUMENT, FrameMode.BOX, 0)
        assert (known.frame, known.is_warning) == (None, True)


def pixels(frame: Frame, extent: Extent) -> list[list[str]]:
    """What the overlay shows: "#" for the outline, "." inside, and " " outside."""
    data = overlay(frame, Box.of_extent(DOCUMENT), extent)
    assert len(data) == 4 * extent.area
    names = {b"\xff" * 4: "#", bytes(4): "."}
    each = [names.get(data[i : i + 4], " ") for i in range(0, len(data), 4)]
    return [each[y * extent.width : (y + 1) * extent.width] for y in range(extent.height)]


def test_the_outline_of_a_square() -> None:
    rows = ["".join(row) for row in pixels(Frame(30, 40, 20), Extent(50, 40))]
    assert rows[14] == " " * 50
    assert rows[15] == " " * 10 + "#" * 10 + " " * 30
    assert rows[20].strip() == "##......##"
    assert rows[24].strip() == "#" * 10
    assert rows[25] == " " * 50


@given(st.floats(-50, 150), st.floats(-50, 150), st.floats(0.1, 300), st.floats(-180, 180))
def test_the_overlay_agrees_with_the_corners(
    cx: float, cy: float, side: float, angle: float
) -> None:
    frame = Frame(cx, cy, side, angle)
    rows = pixels(frame, Extent(50, 40))
    for y in range(0, 40, 7):
        for x in range(0, 50, 7):
            spot = Box(2 * x, 2 * y, 2, 2)
            if not leaves(spot, frame._replace(side=max(0.0, side - 12))):
                assert rows[y][x] == "."
            if rows[y][x] != " ":
                assert not leaves(spot, frame._replace(side=side + 12))


def test_a_frame_outside_the_image_only_shades_it() -> None:
    rows = pixels(Frame(-500, 40, 20), Extent(50, 40))
    assert {each for row in rows for each in row} == {" "}
