"""The square that is shown is the one that the daemon takes."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from inpaint_client.geometry import Box, Extent, Frame
from inpaint_client.session.frame_preview import leaves, square_around
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
