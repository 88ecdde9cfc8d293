"""How much of an edit a fill keeps: `python -m benchmarks.retention [BUNDLE ...] [--images F]`.

For each attribute, samples of the generator are scored, and codes are moved on all styles by the
average difference to samples whose score is one standard deviation higher (and lower). The table
shows the change of the score in its standard deviations over the samples (that of the validation
score in parentheses): in samples, in fills without the skip encoder, and in fills with it. The
difference between the last two is what the skip encoder undoes.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import torch
from inpaint_model.cli.directions.options import evenly
from inpaint_model.directions.attributes import PORTRAIT, Attribute, chosen
from inpaint_model.directions.context import open_context
from inpaint_model.directions.effects import Render, Subject
from inpaint_model.directions.perturbation_fits import judged, measures
from inpaint_model.directions.samples import Samples, draw, measure
from inpaint_model.directions.subjects import imagined, photographs, sampled
from inpaint_model.document.arrays import Float64Array
from inpaint_model.inference.inpainter import load_bundle
from torch import Tensor

STRUCTURAL = "hair_volume,hair_length,fringe,face_width,yaw,smile"
COLORS = "hair_lightness,light_direction"


class Change(NamedTuple):
    """Change of a score and its validation score, in their standard deviations."""

    score: float
    judge: float

    def __str__(self) -> str:
        return f"{self.score:.2f} ({self.judge:.2f})"


def direction(samples: Samples, name: str) -> Tensor:
    """Return the mean difference of codes per standard deviation of a score: [w_dim]."""
    score = samples.scores[name]
    likely: Float64Array = (samples.w - samples.w.mean(axis=0)).T @ (score - score.mean())
    return torch.from_numpy(likely / (len(score) * score.std())).float()


@torch.inference_mode()
def change(
    subjects: Sequence[Subject],
    renders: Sequence[Render],
    step: Tensor,
    attribute: Attribute,
    spreads: Mapping[str, float],
) -> Change:
    """Return half the change from one step below to one step above, averaged over all subjects."""
    scores = {"score": attribute.score, "judge": attribute.judge}
    moved = []
    for subject, render in zip(subjects, renders, strict=True):
        images = subject.shown(render(torch.stack([subject.ws - step, subject.ws + step])))
        moved.append({k: np.diff(v)[0] / 2 for k, v in measure(scores, images).items()})
    names = attribute.name, judged(attribute.name)
    return Change(
        *(
            float(np.mean([one[key] for one in moved])) / spreads[name]
            for key, name in zip(scores, names, strict=True)
        )
    )


def retention(
    bundle: str,
    attributes: Sequence[Attribute],
    images: Sequence[str] | None,
    count: int,
    samples: int,
) -> list[str]:
    """Return the rows of one bundle's table."""
    context, inpainter = open_context(bundle), load_bundle(bundle)
    drawn = draw(context.generator, measures(attributes), samples)
    spreads = {name: float(values.std()) for name, values in drawn.scores.items()}
    whole = sampled(context.generator, count, seed=samples)
    filled = (
        imagined(context.generator, count, seed=samples)
        if images is None
        else evenly(images, inpainter.resolution, count)
    )
    fills = photographs(inpainter, filled)
    rows = []
    for attribute in attributes:
        step = direction(drawn, attribute.name)
        cells = [change(whole, [each.render for each in whole], step, attribute, spreads)]
        for renders in ([each.bare or each.render for each in fills], [s.render for s in fills]):
            cells.append(change(fills, renders, step, attribute, spreads))
        rows.append(f"| {attribute.name} | " + " | ".join(map(str, cells)) + " |")
    return rows


def main() -> None:
    """Print a table for each bundle."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument(
        "bundles",
        nargs="*",
        default=["portrait"],
        metavar="BUNDLE",
        help="bundles to measure (default: portrait)",
    )
    parser.add_argument(
        "--images", nargs="+", help="images to fill (default: samples of the generator)"
    )
    parser.add_argument("--count", type=int, default=24, help="number of fills (default 24)")
    parser.add_argument(
        "--samples",
        type=int,
        default=800,
        help="number of samples for finding the directions (default 800)",
    )
    parser.add_argument(
        "--attributes",
        default=f"{COLORS},{STRUCTURAL}",
        help="comma-separated attributes to measure (default: %(default)s)",
    )
    args = parser.parse_args()
    attributes = chosen(args.attributes, PORTRAIT)
    for bundle in args.bundles:
        print(f"\n{bundle}\n\n| score | samples | fills without skip encoder | with it |")
        print("|---|---|---|---|")
        rows = retention(bundle, attributes, args.images, args.count, args.samples)
        print(*rows, sep="\n", flush=True)


if __name__ == "__main__":
    main()
