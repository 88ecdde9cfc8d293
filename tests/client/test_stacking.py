"""A new fill goes above every earlier one that it overlaps."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from inpaint_client.geometry import Box
from inpaint_client.session.stacking import seen_above

BOX = Box(10, 10, 20, 20)
boxes = st.builds(Box, st.integers(0, 40), st.integers(0, 40), st.integers(0, 9), st.integers(0, 9))
stacks = st.lists(st.none() | boxes, max_size=8)  # from low to high; None: no fill


def place(stack: list[Box | None], box: Box) -> int:
    """Return the index of the layer that the fill goes above; -1: the target."""
    return seen_above(-1, range(len(stack)), box, stack.__getitem__)


def test_without_earlier_fills_it_goes_above_the_target() -> None:
    assert place([None, None], BOX) == -1


def test_it_goes_above_the_highest_that_it_overlaps_and_no_higher() -> None:
    far = Box(100, 100, 5, 5)
    assert place([BOX, None, Box(25, 25, 9, 9), far, None], BOX) == 2


def test_boxes_that_only_touch_do_not_overlap() -> None:
    assert place([Box(30, 10, 5, 20)], BOX) == -1


@given(stacks, boxes)
def test_no_fill_above_it_shares_a_pixel_with_it(stack: list[Box | None], box: Box) -> None:
    def shares(other: Box | None) -> bool:
        return other is not None and not other.clamp(box).is_empty

    place_above = place(stack, box)
    assert not any(map(shares, stack[place_above + 1 :]))
    assert place_above == -1 or shares(stack[place_above])
