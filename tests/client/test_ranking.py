"""The order in which candidates are shown, and their scores in words."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from inpaint_client.events import Scores
from inpaint_client.session.ranking import Ranked, described, is_ranked, most_natural_first

SHARES = st.floats(0, 1)
SCORES = st.builds(Scores, st.none() | SHARES, st.none() | SHARES)


def candidates(*natural: float | None) -> list[Ranked]:
    return [Ranked(k, Scores(None, value)) for k, value in enumerate(natural)]


def test_the_most_natural_candidate_is_first() -> None:
    assert most_natural_first(candidates(0.2, 0.9, 0.5)) == (1, 2, 0)
    assert is_ranked(candidates(0.2, 0.9))


def test_without_scores_the_order_stays() -> None:
    assert most_natural_first(candidates(None, None, None)) == (0, 1, 2)
    assert most_natural_first(candidates(None, 0.1, None, 0.3)) == (3, 1, 0, 2)
    assert not is_ranked(candidates(None, 0.3))
    assert not is_ranked([])


def test_variants_follow_their_candidate_and_a_smooth_one_is_the_last() -> None:
    shown = [
        Ranked(0, Scores(None, 0.4)),
        Ranked(0, Scores(None, 0.99)),
        Ranked(1, Scores(), is_smooth=True),
        Ranked(2, Scores(None, 0.6)),
        Ranked(2, Scores()),
    ]
    assert most_natural_first(shown) == (3, 4, 0, 1, 2)


@given(st.lists(st.builds(Ranked, st.integers(0, 5), SCORES, st.booleans())))
def test_every_result_has_one_place(shown: list[Ranked]) -> None:
    order = most_natural_first(shown)
    assert sorted(order) == list(range(len(shown)))
    smooth = [shown[position].is_smooth for position in order]
    assert smooth == sorted(smooth)


def test_scores_in_words() -> None:
    assert described(Scores()) == ()
    assert described(Scores(0.816, 0.6)) == (
        "Likeness 82%: how much the face is still that of the person.",
        "Naturalness 60%: the fill looks more natural than 60% of this model's.",
    )
