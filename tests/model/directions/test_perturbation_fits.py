"""Directions fitted to the effects of random moves, on a generator whose hair is known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hair_generator import hair_model
from inpaint_model.bundle.manifest import Card
from inpaint_model.bundle.writer import save_bundle
from inpaint_model.directions.attributes import PORTRAIT, chosen
from inpaint_model.directions.context import open_context
from inpaint_model.directions.effects import step_of, walk
from inpaint_model.directions.perturbation_fits import Plan, fit_by_perturbation, measures
from inpaint_model.directions.samples import draw
from inpaint_model.directions.subjects import sampled


@pytest.mark.parametrize("names", ["hair_lightness", "hair_lightness,background_lightness"])
def test_a_direction_raises_its_score(names: str, tmp_path: Path) -> None:
    save_bundle(tmp_path / "hair", hair_model()[0].generator, Card("hair"))
    context = open_context(str(tmp_path / "hair"))
    attributes = chosen(names, PORTRAIT)
    samples = draw(context.generator, measures(attributes), 100)
    images = sampled(context.generator, 16, seed=100)
    found = fit_by_perturbation(
        context, attributes, samples, images, context.subjects(200), Plan(8, 1, 4)
    )
    direction, vector = next(each for each in found if each[0].name == "hair_lightness")
    step = step_of(direction, vector, context.generator.config.num_ws)
    own = attributes[0].score
    for subject in sampled(context.generator, 4, seed=300):
        low, middle, high = own(walk(subject, step, np.array([-1.0, 0.0, 1.0])))
        assert low < middle < high
