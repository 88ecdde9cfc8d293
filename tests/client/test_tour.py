"""The tour goes forward, follows the artist, and ends."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from inpaint_client.session.tour import Stop, Tour

SOMEWHERE = st.sampled_from([Tour(), *map(Tour, Stop)])


def test_the_tour_follows_selecting_and_filling() -> None:
    tour = Tour(Stop.SELECTION)
    assert tour.follow(is_selected=False, is_filling=False) == tour
    tour = tour.follow(is_selected=True, is_filling=False)
    assert tour.stop is Stop.FILL
    assert tour.follow(is_selected=True, is_filling=False) == tour
    tour = tour.follow(is_selected=True, is_filling=True)
    assert tour.stop is Stop.CANDIDATES
    assert tour.follow(is_selected=False, is_filling=False) == tour


def test_a_fill_of_the_transparent_part_needs_no_selection() -> None:
    tour = Tour(Stop.SELECTION).follow(is_selected=False, is_filling=True)
    assert tour.stop is Stop.CANDIDATES


def test_the_button_shows_three_bubbles_and_ends() -> None:
    tour = Tour(Stop.SELECTION)
    shown = []
    while tour.stop is not None:
        shown.append(tour.stop)
        assert tour.is_last == (len(shown) == len(Stop))
        tour = tour.next()
    assert shown == list(Stop)
    assert tour.next() == tour


@given(tour=SOMEWHERE, is_selected=st.booleans(), is_filling=st.booleans())
def test_following_never_goes_back_starts_or_ends_the_tour(
    tour: Tour, is_selected: bool, is_filling: bool
) -> None:
    after = tour.follow(is_selected=is_selected, is_filling=is_filling)
    assert (tour.stop is None) == (after.stop is None)
    assert (after.stop or 0) >= (tour.stop or 0)
    assert after.follow(is_selected=is_selected, is_filling=is_filling) == after
