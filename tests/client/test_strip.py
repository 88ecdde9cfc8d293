"""What an editor lists of a run after layers were deleted, undone or added."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from inpaint_client.geometry import Box, Extent
from inpaint_client.requests import MAX_SEED
from inpaint_client.session.history import PastRun, Result
from inpaint_client.session.strip import limited_to, neighbor, positions_left, seeds_after


def run_of(count: int, chosen: int = 0) -> PastRun:
    return PastRun(
        document=Extent(64, 64),
        hole_box=Box(0, 0, 8, 8),
        results=tuple(Result(i, f"layer {i}", "") for i in range(count)),
        chosen=chosen,
    )


def test_deleted_results_are_not_listed() -> None:
    assert positions_left(run_of(4), {"layer 1", "another"}) == (0, 2, 3)


def test_a_run_that_is_undone_is_listed_completely() -> None:
    assert positions_left(run_of(2), {"layer 0", "layer 1"}) == (0, 1)


@pytest.mark.parametrize(("position", "expected"), [(0, 1), (1, 1), (2, 3), (4, 3)])
def test_the_next_one_takes_the_place_or_the_last(position: int, expected: int) -> None:
    assert neighbor(position, (1, 3)) == expected


def test_a_run_limited_to_what_is_left_knows_which_one_is_chosen() -> None:
    run = limited_to(run_of(5, chosen=3), (1, 3, 4))
    assert [result.seed for result in run.results] == [1, 3, 4]
    assert run.chosen == 1
    assert limited_to(run_of(3, chosen=1), (0, 2)).chosen == 1
    assert limited_to(run_of(0), ()).results == ()


@given(st.sets(st.integers(0, 9)), st.integers(0, 9))
def test_what_is_chosen_is_always_one_of_the_listed(missing: set[int], chosen: int) -> None:
    left = positions_left(run_of(10), {f"layer {i}" for i in missing})
    run = limited_to(run_of(10, chosen), left)
    assert run.results[run.chosen].seed == neighbor(chosen, left)
    assert neighbor(chosen, left) in left


seeds = st.integers(0, 12) | st.integers(MAX_SEED - 12, MAX_SEED)


@given(st.lists(seeds, max_size=12), st.integers(0, 16))
def test_added_seeds_are_new_and_in_range(used: list[int], count: int) -> None:
    added = seeds_after(used, count)
    assert len(set(added) | set(used)) == count + len(set(used))
    assert all(0 <= seed <= MAX_SEED for seed in added)


def test_added_seeds_continue_the_sequence() -> None:
    assert seeds_after((7, 8, 9), 3) == (10, 11, 12)
    assert seeds_after((MAX_SEED - 1, MAX_SEED), 2) == (0, 1)
    assert seeds_after((7, 9, 8), 2) == (10, 11)
