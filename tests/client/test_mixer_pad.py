"""The geometry of the mixer pad: from the dot's position to shares and amounts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from inpaint_client.session.mixer_pad import SNAP, MixerPad, amounts

PAD = MixerPad((2, 3, 4))
UNITS = st.floats(0, 1)
PADS = st.builds(MixerPad, st.sampled_from([(2, 3, 4), (2, 3, 0)]), UNITS, UNITS)


@given(PADS)
def test_the_shares_of_all_corners_are_one(pad: MixerPad[int]) -> None:
    assert all(0 <= share <= 1 for share in pad.shares)
    own = (1 - pad.x) * (1 - pad.y)
    assert own + sum(pad.shares) == pytest.approx(1)


@given(PADS)
def test_mixing_one_after_another_gives_the_shares(pad: MixerPad[int]) -> None:
    """The state of a mixture is the share that each candidate has in it."""
    mixture = [1.0, 0.0, 0.0, 0.0]
    steps = amounts(pad.shares)
    for place, amount in enumerate(steps, start=1):
        assert 0 <= amount <= 1
        mixture = [share * (1 - amount) for share in mixture]
        mixture[place] += amount
    assert mixture == pytest.approx([1 - sum(pad.shares), *pad.shares], abs=1e-9)
    assert [bool(step) for step in steps] == [bool(share) for share in pad.shares]


def test_corners_are_exactly_their_candidate() -> None:
    def at(x: float, y: float) -> tuple[float, ...]:
        return amounts(MixerPad((2, 3, 4), x, y).shares)

    assert at(0, 0) == (0, 0, 0)
    assert not PAD.is_on
    assert at(1, 0) == (1, 0, 0)
    assert at(0, 1) == (0, 1, 0)
    assert at(1, 1) == (0, 0, 1)
    assert MixerPad((2, 3, 0), 1, 1).shares == (0.5, 0.5, 0)


@given(st.floats(-3, 4), st.floats(-3, 4))
def test_the_dot_stays_inside_and_snaps_to_the_edges(x: float, y: float) -> None:
    pad = PAD.moved(x, y)
    for value, given_value in ((pad.x, x), (pad.y, y)):
        assert 0 <= value <= 1
        if SNAP < given_value < 1 - SNAP:
            assert value == pytest.approx(given_value, abs=1e-3)
        elif abs(given_value - 0.5) > 0.5 - SNAP:
            assert value in (0, 1)
    assert pad.moved(pad.x, pad.y) == pad


def test_a_candidate_is_in_one_corner_only() -> None:
    assert PAD.with_corner(0, 9).corners == (9, 3, 4)
    assert PAD.with_corner(0, 4).corners == (4, 3, 2)
    assert PAD.moved(0.5, 0.25).with_corner(2, 9) == MixerPad((2, 3, 9), 0.5, 0.25)
