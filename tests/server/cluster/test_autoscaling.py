"""The number of replicas that the waiting times ask for."""

from __future__ import annotations

from math import ceil

from hypothesis import given
from hypothesis import strategies as st
from inpaint_server.cluster.autoscaling import replicas_for

counts = st.integers(1, 1000)
seconds = st.floats(0, 1e4)
targets = st.floats(0.01, 100)


@given(count=counts, wait_s=seconds, busy=st.floats(0, 1), target_s=targets)
def test_there_is_always_a_replica_and_never_more_than_twice_as_many(
    count: int, wait_s: float, busy: float, target_s: float
) -> None:
    assert 1 <= replicas_for(count, wait_s, busy * count, target_s) <= 2 * count


@given(count=counts, target_s=targets, waits=st.tuples(seconds, seconds))
def test_a_longer_wait_never_asks_for_fewer(
    count: int, target_s: float, waits: tuple[float, float]
) -> None:
    short, long = (replicas_for(count, wait, 0.5 * count, target_s) for wait in sorted(waits))
    assert short <= long


@given(count=counts, target_s=targets, busy=st.floats(0, 1))
def test_a_removal_leaves_the_others_room(count: int, target_s: float, busy: float) -> None:
    left = replicas_for(count, 0.0, busy * count, target_s)
    if left < count:
        assert left == count - 1
        assert busy * count <= 0.7 * left


def test_twice_the_target_doubles_and_requests_that_no_replica_accepts_count_as_that() -> None:
    assert replicas_for(3, 1.0, 3.0, 1.0) == 3
    assert replicas_for(3, 1.5, 3.0, 1.0) == ceil(4.5)
    assert replicas_for(3, 60.0, 3.0, 1.0) == 6
    assert replicas_for(3, 0.0, 3.0, 1.0, has_rejected=True) == 6
