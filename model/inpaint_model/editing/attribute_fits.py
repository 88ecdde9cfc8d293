"""Directions for attributes: samples, their scores, SVMs, and what is taken out of each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from inpaint_model.direction_store import Found
from inpaint_model.directions import Layers
from inpaint_model.editing.attributes import Attribute
from inpaint_model.editing.decoupling import Tries, try_levels, unmix
from inpaint_model.editing.effects import Subject
from inpaint_model.editing.fitting import Fit, fit_extremes, without
from inpaint_model.editing.samples import Floats, Samples
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

    samples: scored by all of them. share: of the samples, at each end. layers: styles to act on;
    None lets measurements decide (see `decoupling`).
    """
    scores = {a.name: a.score for a in (*wanted, *removed)}
    spreads = {name: float(samples.scores[name].std()) for name in scores}
    fits = {name: fit_extremes(samples.w, samples.scores[name], share) for name in scores}
    tries = None
    if layers is None:
        steps = {
            name: fit.vector * spread_along(samples.w, fit.vector) for name, fit in fits.items()
        }
        tries = try_levels(steps, subjects[:TRIED], scores, spreads)
    for attribute in wanted:
        name = attribute.name
        spared = [a.name for a in removed if a.name != name and a.name not in attribute.includes]
        vector, styles = _refined(fits, name, spared, layers, tries, bench.generator.config.num_ws)
        source = (
            f"linear SVM on {share:.3g} of {len(samples.w)} samples at each end, "
            f"{fits[name].accuracy:.0%} of those held out right"
        )
        if spared:
            source += f"; without {', '.join(spared)}"
        draft = bench.draft(name, attribute.group, styles, source, name, attribute.description)
        yield bench.finish(draft, vector, samples.w, subjects, attribute.score, spreads[name])


def _refined(
    fits: Mapping[str, Fit],
    name: str,
    spared: Sequence[str],
    layers: Layers | None,
    tries: Tries | None,
    num_ws: int,
) -> tuple[Floats, Layers]:
    """The vector of a fit without the spared ones, and its styles."""
    if tries is not None:
        mixture = unmix(tries, name, spared)
        return mixture.vector, mixture.layers(num_ws)
    assert layers is not None
    return without(fits[name].vector, [fits[other].vector for other in spared]), layers
