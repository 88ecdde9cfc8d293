"""Undo of sliders: one entry for one drag, and every state is found again."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from inpaint_client.session.value_history import MOST, ValueHistory

# One drag: which candidate, which slider, and the positions that it passes.
drags = st.lists(
    st.tuples(
        st.sampled_from(["one", "two"]),
        st.sampled_from(["smile", "age"]),
        st.lists(st.integers(-3, 3), min_size=1, max_size=5),
    ),
    max_size=12,
)
Values = dict[tuple[str, str], int]


@given(drags, st.data())
def test_undo_and_redo_walk_through_what_the_artist_saw(
    made: list[tuple[str, str, list[int]]], data: st.DataObject
) -> None:
    history: ValueHistory[str, Values] = ValueHistory()
    values: Values = {}
    seen = [dict(values)]
    for place, control, positions in made:
        before = dict(values)
        for position in positions:
            after = {**values, (place, control): position}
            history.record(place, control, dict(values), after)
            values = after
        history.rest()
        if values != before:
            seen.append(dict(values))
    at = len(seen) - 1
    for is_undo in data.draw(st.lists(st.booleans(), max_size=30)):
        assert (history.can_undo, history.can_redo) == (at > 0, at < len(seen) - 1)
        change = history.undo() if is_undo else history.redo()
        if change is None:
            assert at == (0 if is_undo else len(seen) - 1)
            continue
        at += -1 if is_undo else 1
        assert (change.before if is_undo else change.after) == seen[at]


def test_a_drag_back_to_its_start_leaves_nothing() -> None:
    history: ValueHistory[str, int] = ValueHistory()
    for before, after in ((0, 1), (1, 2), (2, 0)):
        history.record("one", "smile", before, after)
    assert history.undo() is None


def test_a_new_change_ends_what_could_be_redone() -> None:
    history: ValueHistory[str, int] = ValueHistory()
    history.record("one", "smile", 0, 1)
    history.undo()
    history.record("one", "age", 0, 2)
    assert not history.can_redo
    history.forget()
    assert not history.can_undo


def test_the_oldest_changes_are_forgotten() -> None:
    history: ValueHistory[str, int] = ValueHistory()
    for value in range(MOST + 5):
        history.record("one", "smile", value, value + 1)
        history.rest()
    undone = 0
    while history.undo() is not None:
        undone += 1
    assert undone == MOST
