"""Measure two ways of collapse that losses do not show.

A fill may ignore the image, or the sampled code, which makes all candidates alike.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from inpaint_model.data.transfer import read_scalars
from inpaint_model.networks.hierarchical_model import HierarchicalModel
from inpaint_model.networks.inpainting_model import Encoding, InpaintingModel
from inpaint_model.training.inpainter_step import Batch

MIN_DIVERSITY = 0.05  # share of two random images' distance
MIN_DEPENDENCE = 0.02  # sensitivity, as below


@torch.no_grad()
def measure_dependence(model: InpaintingModel, batch: Batch) -> dict[str, float]:
    """Measure a batch of at least two images.

    Returns:
        diversity: distance of two candidates / distance of two random images, in the hole; for
            models whose candidates differ.
        sensitivity_*: how far W_out moves, in standard deviations of w, when the image (encoder),
            the sampled code (z) or every second encoder token (confidence) is exchanged; for models
            that mix codes.
    """
    if not model.config.abilities.diverse:
        return {}
    encoding = model.encode(batch.same, batch.hole)
    spread = model.w_std
    ws = model.mix(encoding, batch.w_new)
    other = model.mix(encoding, batch.w_new.roll(1, 0))
    first, second = model.render(encoding, ws), model.render(encoding, other)

    def moved(codes: Tensor) -> Tensor:
        return ((codes - ws) / spread).square().mean().sqrt()

    def distance(a: Tensor, b: Tensor) -> Tensor:
        return ((a - b).abs() * batch.hole).sum()

    random = distance(batch.same, batch.same.roll(1, 0))
    diversity = distance(first, second) / random.clamp_min(1e-6)
    if not isinstance(model, HierarchicalModel):
        return {"diversity": read_scalars(diversity)[0]}
    exchanged = Encoding({**encoding, "tokens": encoding["tokens"].roll(1, 0)})
    result = {
        "diversity": diversity,
        "sensitivity_encoder": moved(model.mix(exchanged, batch.w_new)),
        "sensitivity_z": moved(other),
    }
    if model.config.mixer.tokens_per_style == 2:
        tokens = encoding["tokens"].clone()
        tokens[:, 1::2] = tokens[:, 1::2].roll(1, 0)
        result["sensitivity_confidence"] = moved(
            model.mix(Encoding({**encoding, "tokens": tokens}), batch.w_new)
        )
    return dict(zip(result, read_scalars(*result.values()), strict=True))


def warnings_of(dependence: Mapping[str, float]) -> list[str]:
    """Return one sentence with a remedy for each collapse."""
    found = []
    if dependence.get("sensitivity_encoder", 1) < MIN_DEPENDENCE:
        found.append("the fill ignores the image; raise --lambda-rr or train longer")
    alike = dependence.get("diversity", 1) < MIN_DIVERSITY
    if alike or dependence.get("sensitivity_z", 1) < MIN_DEPENDENCE:
        found.append("all candidates are alike; raise --lambda-rg or lower --lambda-rr")
    return found
