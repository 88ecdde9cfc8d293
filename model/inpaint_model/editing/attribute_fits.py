"""Directions for attributes: samples, their scores, SVMs, and what is taken out of each."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from inpaint_model.direction_store import Found
from inpaint_model.directions import Layers
from inpaint_model.editing.attributes import Attribute
from inpaint_model.editing.decoupling import Tries, try_levels, unmix
from inpaint_model.editing.effects import Subject
from inpaint_model.editing.fitting import Fit, fit_extremes, without
from inpaint_model.editing.samples import Samples
from inpaint_model.editing.statistics import Score
from inpaint_model.editing.workbench import Workbench, spread_along

TRIED = 12  # pictures on which levels are tried


def fit_attributes(
    bench: Workbench,
    wanted: Sequence[Attribute],
    removed: Sequence[Attribute],
    samples: Samples,
    subjects: Sequence[Subject],
    share: float,
    layers: Layers | None,
) -> Iterator[Found]:
    """A direction for each attribute that is wanted, without those to be removed.

    samples: measured as `measures` says. share: of the samples, at each end. layers: styles to act
    on; None lets measurements decide (see `decoupling`).
    """
    every = {a.name: a for a in (*wanted, *removed)}
    fits = {name: fit_extremes(samples.w, samples.scores[name], share) for name in every}
    tries = None if layers is not None else _tries(every.values(), fits, samples, subjects)
    for attribute in wanted:
        name = attribute.name
        spared = [a for a in removed if a.name != name and a.name not in attribute.includes]
        styles = layers
        if styles is not None:
            vector = without(fits[name].vector, [fits[other.name].vector for other in spared])
        else:
            assert tries is not None
            names = {a.name: (a.name, judged(a.name)) for a in spared}
            vector, styles, _ = unmix(tries, name, names, bench.generator.config.num_ws)
        source = (
            f"linear SVM on {share:.3g} of {len(samples.w)} samples at each end, "
            f"{fits[name].accuracy:.0%} of those held out right"
        )
        if spared:
            source += f"; without {', '.join(a.name for a in spared)}"
        draft = bench.draft(name, attribute.group, styles, source, name, attribute.description)
        spread = float(samples.scores[name].std())
        yield bench.finish(draft, vector, samples.w, subjects, attribute.score, spread)


def measures(attributes: Sequence[Attribute], with_judges: bool) -> dict[str, Score]:
    """What samples are measured by: scores, and judges where styles are to be found.

    A judge never decides on what a direction does to its own attribute, only on what others do
    to it: their check on other pictures is by the same judge.
    """
    scores = {a.name: a.score for a in attributes}
    return scores | ({judged(a.name): a.judge for a in attributes} if with_judges else {})


def judged(name: str) -> str:
    """What the judge of an attribute is called among measurements."""
    return f"{name}, judged"


def _tries(
    attributes: Iterable[Attribute],
    fits: Mapping[str, Fit],
    samples: Samples,
    subjects: Sequence[Subject],
) -> Tries:
    scores = measures(list(attributes), with_judges=True)
    spreads = {name: max(float(samples.scores[name].std()), 1e-6) for name in scores}
    steps = {name: fit.vector * spread_along(samples.w, fit.vector) for name, fit in fits.items()}
    return try_levels(steps, subjects[:TRIED], scores, spreads)
