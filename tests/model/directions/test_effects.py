"""Checks of directions whose effects are known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from inpaint_model.bundle.directions import Direction
from inpaint_model.directions.calibrate import limited, with_range, with_unit
from inpaint_model.directions.effects import (
    Response,
    Subject,
    judge,
    respond,
    step_of,
    values_of,
)
from torch import Tensor

STYLES, D, R = 4, 3, 8


def paint(ws: Tensor) -> Tensor:
    """Red, green and blue are the first style's three numbers."""
    return ws[:, 0, :, None, None].expand(-1, -1, R, R)


def red(images: Tensor) -> Tensor:
    return images[:, 0].mean(dim=(1, 2))


def green(images: Tensor) -> Tensor:
    return images[:, 1].mean(dim=(1, 2))


def subjects(kept: float | None = None) -> list[Subject]:
    """Three images; with `kept`, a skip encoder that leaves that share of any change."""
    rng = torch.Generator().manual_seed(0)
    made = [Subject(torch.randn(STYLES, D, generator=rng) * 0.1, paint) for _ in range(3)]
    if kept is None:
        return made
    hole = torch.zeros(1, 1, R, R)
    hole[..., :4] = 1
    return [
        replace(s, bare=paint, render=lambda ws: 0.3 + kept * paint(ws), hole=hole) for s in made
    ]


DIRECTION = Direction("redder", "color", (0,), 0.2, (-3.0, 3.0))
SPREADS = {"red": 0.2, "green": 0.2}
SCORES = {"red": red, "green": green}


def verdict_of(vector: list[float], kept: float | None = None):  # type: ignore[no-untyped-def]
    step = step_of(DIRECTION, torch.tensor(vector), STYLES)
    response = respond(subjects(kept), step, values_of(DIRECTION), SCORES)
    return judge(response, "red", SPREADS)


def test_a_clean_direction_passes_with_its_figures() -> None:
    verdict = verdict_of([1.0, 0.1, 0.0])
    assert verdict.passed
    assert verdict.spearman == pytest.approx(1)
    assert verdict.per_unit == pytest.approx(1, abs=1e-4)  # 0.2 of a spread of 0.2
    assert verdict.leaks["green"] == pytest.approx(0.1, abs=1e-4)
    assert verdict.effects() == {"spearman": 1.0, "per_unit": 1.0, "change of green": 0.1}


@pytest.mark.parametrize(
    ("vector", "kept", "reason"),
    [
        ([0.0, 1.0, 0.0], None, "Spearman correlation of only 0.00"),
        ([-1.0, 0.0, 0.0], None, "Spearman correlation of only -1.00"),
        ([0.2, 0.0, 0.0], None, "by only 0.20 standard deviations"),
        ([1.0, 0.8, 0.0], None, "changes green, by 0.80"),
        ([1.0, 0.0, 0.0], 0.25, "keeps only 0.25 of it"),
    ],
)
def test_a_failure_has_a_reason(vector: list[float], kept: float | None, reason: str) -> None:
    verdict = verdict_of(vector, kept)
    assert not verdict.passed
    assert any(reason in text for text in verdict.reasons)


def test_a_side_effect_counts_in_the_images_that_show_it() -> None:
    """As with hair and skin: no hole shows both, but one that shows skin is edited as well."""
    values = values_of(DIRECTION)
    flat = np.zeros_like(values)
    curves = {"red": np.stack([values, values, flat]), "green": np.stack([flat, flat, values])}
    verdict = judge(Response(values, curves, flat, None), "red", {"red": 1.0, "green": 1.0})
    assert verdict.seen == 2
    assert verdict.per_unit == pytest.approx(1)
    assert verdict.leaks == {"green": pytest.approx(1)}
    assert not verdict.passed


def test_a_range_that_is_too_short_to_show_anything_is_refused() -> None:
    direction = replace(DIRECTION, range=(-0.5, 0.5))
    step = step_of(direction, torch.tensor([0.4, 0.0, 0.0]), STYLES)
    response = respond(subjects(), step, values_of(direction), SCORES)
    verdict = judge(response, "red", SPREADS)
    assert verdict.reasons == (
        "its whole range changes its validation score by only 0.40 standard deviations",
    )


def test_retention_is_the_share_that_the_skip_encoder_keeps() -> None:
    assert verdict_of([1.0, 0.0, 0.0], 0.75).retention == pytest.approx(0.75, abs=1e-5)
    assert verdict_of([1.0, 0.0, 0.0]).retention is None


def test_other_layers_stay() -> None:
    step = step_of(replace(DIRECTION, layers=(1, 3)), torch.ones(D), STYLES)
    assert step[:, 0].tolist() == pytest.approx([0, 0.2, 0, 0.2])
    own = torch.arange(STYLES * D).float().reshape(STYLES, D)  # one vector a style
    step = step_of(replace(DIRECTION, layers=(2,), unit=1.0), own, STYLES)
    assert step[2].tolist() == own[2].tolist()
    assert step[[0, 1, 3]].abs().max() == 0


def test_one_unit_moves_the_score_by_one_deviation() -> None:
    vector = torch.tensor([1.0, 0.0, 0.0])
    direction = with_unit(DIRECTION, vector, 0.5, subjects(), red, spread=0.2)
    assert direction.unit == pytest.approx(0.2, abs=1e-5)
    direction = with_unit(DIRECTION, vector, 0.5, subjects(), green, spread=0.2)
    assert direction.unit == pytest.approx(1.5)  # it does not move: three deviations of codes


def test_the_range_ends_where_images_clip_or_the_critic_objects() -> None:
    vector = torch.tensor([1.0, 0.0, 0.0])
    direction = replace(DIRECTION, unit=0.4)
    free = with_range(replace(direction, unit=0.1), vector, 1.0, subjects())
    assert (free.minimum, free.maximum) == (-2.5, 2.5)
    clipping = with_range(direction, vector, 1.0, subjects())
    assert -2.5 <= clipping.minimum <= -1.5
    assert 1.5 <= clipping.maximum <= 2.5

    def discriminator(images: Tensor) -> Tensor:
        return -10 * red(images).clamp(min=0.3)

    judged = with_range(direction, vector, 1.0, subjects(), discriminator)
    assert judged.minimum == clipping.minimum
    assert judged.maximum < clipping.maximum


@pytest.mark.parametrize(
    ("furthest", "range_"),
    [(10.0, (-3.0, 2.0)), (2.4, (-2.0, 2.0)), (1.5, (-1.5, 1.5)), (0.1, (-0.5, 0.5))],
)
def test_a_limit_shortens_the_range_by_whole_steps(
    furthest: float, range_: tuple[float, float]
) -> None:
    direction = replace(DIRECTION, range=(-3.0, 2.0))
    assert limited(direction, furthest).range == range_


def test_values_are_seven_steps_over_the_range() -> None:
    np.testing.assert_allclose(values_of(DIRECTION), [-3, -2, -1, 0, 1, 2, 3])
