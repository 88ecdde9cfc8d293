"""Check one direction on images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from torch import Tensor

from inpaint_model.bundle.directions import Direction
from inpaint_model.directions.attributes import Attribute
from inpaint_model.directions.effects import Response, Subject, judge, respond, step_of, values_of
from inpaint_model.directions.identity import Likeness
from inpaint_model.directions.report import entry


@dataclass(frozen=True)
class Instruments:
    """What a check measures."""

    attributes: Sequence[Attribute]
    std_devs: Mapping[str, float]  # of each validation score, over the generator's samples
    likeness: Likeness | None = None  # None: not measured


@dataclass(frozen=True)
class Checked:
    """The result of a check."""

    direction: Direction  # with updated `effects` and `offered`
    entry: dict[str, Any]  # of the report
    response: Response
    step: Tensor  # what one unit adds to codes [num_ws, w_dim]


def check(
    direction: Direction, vector: Tensor, instruments: Instruments, subjects: Sequence[Subject]
) -> Checked:
    """Measure a direction on `subjects` and set `offered`, if an attribute can validate it."""
    judges = {attribute.name: attribute.judge for attribute in instruments.attributes}
    step = step_of(direction, vector, len(subjects[0].ws))
    response = respond(subjects, step, values_of(direction), judges, instruments.likeness)
    own = next((a for a in instruments.attributes if a.name == direction.attribute), None)
    verdict = None
    if own is not None:
        verdict = judge(response, own.name, instruments.std_devs, own.includes)
        effects = {**direction.effects, **verdict.effects()}
        direction = replace(direction, effects=effects, offered=verdict.passed)
    return Checked(direction, entry(direction, response, verdict), response, step)
