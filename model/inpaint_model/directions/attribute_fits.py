"""Directions for attributes: samples, their scores, SVMs, and what is taken out of each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from inpaint_model.bundle.direction_store import Found
from inpaint_model.bundle.directions import Layers
from inpaint_model.directions.attributes import Attribute
from inpaint_model.directions.context import Workbench
from inpaint_model.directions.effects import Subject
from inpaint_model.directions.fitting import fit_extremes, without
from inpaint_model.directions.samples import Samples


def fit_attributes(
    bench: Workbench,
    wanted: Sequence[Attribute],
    removed: Sequence[Attribute],
    samples: Samples,
    subjects: Sequence[Subject],
    share: float,
    layers: Layers,
) -> Iterator[Found]:
    """A direction for each attribute that is wanted, without those to be removed.

    samples: measured by the attributes' scores. share: of them, at each end. layers: styles to act
    on.
    """
    every = {a.name: a for a in (*wanted, *removed)}
    fits = {name: fit_extremes(samples.w, samples.scores[name], share) for name in every}
    for attribute in wanted:
        name = attribute.name
        spared = [a for a in removed if a.name != name and a.name not in attribute.includes]
        vector = without(fits[name].vector, [fits[other.name].vector for other in spared])
        source = (
            f"linear SVM on {share:.3g} of {len(samples.w)} samples at each end, "
            f"{fits[name].accuracy:.0%} of those held out right"
        )
        if spared:
            source += f"; without {', '.join(a.name for a in spared)}"
        draft = bench.draft(name, attribute.group, layers, source, name, attribute.description)
        spread = float(samples.scores[name].std())
        yield bench.finish(draft, vector, samples.w, subjects, attribute.score, spread)
