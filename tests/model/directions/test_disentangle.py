"""Moves that change one measurement alone, on a generator whose colors are linear in its codes."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from inpaint_model.directions.disentangle import (
    LENGTH_PENALTIES,
    LONGEST,
    TOLERATED,
    AttributeSlopes,
    Axes,
    Trials,
    axes_of,
    least_move,
    random_moves,
    shortened,
    slopes,
    specific_move,
    try_moves,
)
from inpaint_model.directions.effects import Subject
from torch import Tensor

STYLES, R = 10, 4
SPREADS = {"red": 0.5, "green": 0.25}
AXES = Axes(np.eye(3), STYLES)


def paint(ws: Tensor) -> Tensor:
    """Structure moves red and green together; features mix them; colors move red alone."""
    structure, features, colors = ws[:, 0], ws[:, 4], ws[:, 8]
    red = structure[:, 0] + features[:, 0] + colors[:, 0]
    green = structure[:, 0] + 0.5 * features[:, 0] + features[:, 1]
    return torch.stack([red, green, 0 * red], dim=1)[:, :, None, None].expand(-1, -1, R, R)


def red(images: Tensor) -> Tensor:
    return images[:, 0].mean(dim=(1, 2))


def green(images: Tensor) -> Tensor:
    return images[:, 1].mean(dim=(1, 2))


SCORES = {"red": red, "green": green}
TRUTH = np.zeros((15, 2))  # five pairs of styles, three axes; deviations of red and green
TRUTH[0], TRUTH[6], TRUTH[7], TRUTH[12] = (2, 4), (2, 2), (0, 4), (2, 0)


def trials(images: int = 6, moves: int = 40) -> list[Trials]:
    rng = np.random.default_rng(0)
    subject = Subject(torch.zeros(STYLES, 3), paint)
    return [
        try_moves(subject, random_moves(moves, AXES, rng), AXES, SCORES, SPREADS)
        for _ in range(images)
    ]


@pytest.mark.parametrize(
    ("num_ws", "pairs"),
    [
        (8, [0, 0, 1, 1, 2, 2, 3, 3]),
        (9, [0, 0, 1, 1, 2, 2, 3, 3, 4]),
        (14, [0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 5, 5]),
    ],
)
def test_a_move_acts_on_one_pair_of_styles(num_ws: int, pairs: list[int]) -> None:
    axes = Axes(np.eye(3), num_ws)
    assert axes.size == 3 * (max(pairs) + 1)
    move = np.arange(float(axes.size))
    np.testing.assert_array_equal(axes.step(move), move.reshape(-1, 3)[pairs])


def test_axes_are_what_codes_vary_along() -> None:
    w = np.random.default_rng(0).standard_normal((4000, 3)) * [3.0, 1.0, 0.5]
    np.testing.assert_allclose(np.abs(axes_of(w, STYLES).rows), np.diag([3, 1, 0.5]), atol=0.15)


def test_changes_are_half_of_there_and_back_in_deviations() -> None:
    move = np.zeros(15)
    move[0] = 0.1
    subject = Subject(torch.zeros(STYLES, 3), paint)
    found = try_moves(subject, move[None], AXES, SCORES, SPREADS)
    np.testing.assert_allclose(found.changes, [[0.2, 0.4]], rtol=1e-5)


def test_what_moves_do_is_regressed() -> None:
    np.testing.assert_allclose(slopes(trials(images=100)), TRUTH, atol=0.2)


def test_images_that_do_not_show_a_measurement_do_not_count() -> None:
    first, second = trials(images=2, moves=200)
    red_alone = Trials(first.moves, first.changes * [1.0, 0.0])
    green_alone = Trials(second.moves, second.changes * [0.0, 1.0])
    found = slopes([red_alone, green_alone])
    np.testing.assert_array_equal(found[:, 0], slopes([first])[:, 0])
    np.testing.assert_array_equal(found[:, 1], slopes([second])[:, 1])
    np.testing.assert_array_equal(slopes([red_alone])[:, 1], 0.0)


def test_a_tried_move_weighs_more() -> None:
    tried = Trials(np.eye(15)[:1], np.array([[0.1, 0.0]]), weight=100.0)
    assert slopes([*trials(), tried])[0, 0] == pytest.approx(0.1, abs=0.05)


def test_the_least_move_changes_one_measurement_alone() -> None:
    move = least_move(TRUTH[:, 0], TRUTH[:, 1:].T, 0.05)
    change = move @ TRUTH
    assert change[0] == pytest.approx(1)
    assert abs(change[1]) < 0.05
    assert np.abs(move[12]) > 2 * np.abs(move[0])  # colors move red alone; structure both
    alone = least_move(TRUTH[:, 0], np.empty((0, 15)), 0.05)
    assert np.linalg.norm(alone) < np.linalg.norm(move)
    np.testing.assert_allclose(alone, TRUTH[:, 0] / (TRUTH[:, 0] @ TRUTH[:, 0]), rtol=1e-6)


def test_a_move_is_as_short_as_side_effects_allow() -> None:
    own, others = TRUTH[:, 0], (TRUTH[:, 1:] + 2 * TRUTH[:, :1]).T
    specific = AttributeSlopes(own, own, others, others)
    move = specific_move(specific)
    assert specific.side_effect(move) <= TOLERATED
    shortest, *_, longest = (
        least_move(own, np.concatenate([others, others]), penalty) for penalty in LENGTH_PENALTIES
    )
    assert specific.side_effect(shortest) > TOLERATED
    assert np.linalg.norm(shortest) < np.linalg.norm(move) <= np.linalg.norm(longest)
    alone = AttributeSlopes(own, own, *2 * (np.empty((0, 15)),))
    np.testing.assert_allclose(specific_move(alone) @ own, 1.0)
    assert alone.side_effect(move) == 0.0
    # Where no move is specific enough, the most specific one is taken.
    alike = AttributeSlopes(own, own, np.empty((0, 15)), own[None])
    assert alike.side_effect(specific_move(alike)) == pytest.approx(1.0)


def test_a_long_move_is_found_where_short_ones_have_no_effect() -> None:
    own = np.array([1.0, 0.0])
    others = 100 * np.array([[0.98, -0.2]])  # only moves along (0.2, 0.98) spare it
    with pytest.raises(ValueError, match="no move changes it"):
        least_move(own, others, LENGTH_PENALTIES[0])
    move = specific_move(AttributeSlopes(own, own, others, others))
    np.testing.assert_allclose(move, [1.0, 4.9], rtol=0.01)


def test_inseparable_attributes_are_refused() -> None:
    nothing = np.zeros(15)
    with pytest.raises(ValueError, match="no move changes it"):
        specific_move(AttributeSlopes(nothing, nothing, TRUTH[:, 1:].T, TRUTH[:, 1:].T))
    with pytest.raises(ValueError, match="no move changes it"):
        least_move(np.zeros(15), TRUTH[:, 1:].T, 0.05)
    with pytest.raises(ValueError, match="no move changes it"):
        least_move(TRUTH[:, 0] * 0.01, TRUTH[:, :1].T, 0.05)


def test_long_moves_are_shortened() -> None:
    assert np.linalg.norm(shortened(np.full(15, 10.0))) == pytest.approx(LONGEST)
    np.testing.assert_array_equal(shortened(np.full(15, 0.1)), np.full(15, 0.1))
