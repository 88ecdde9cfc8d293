"""Estimate a model's memory on a device from its configuration.

Features dominate: a convolution holds its input, the input scaled by styles, and its output at
once. Workspaces of libraries and the allocator's rounding are not included.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import torch

from inpaint_model.inference.freeze import freeze_for_inference
from inpaint_model.networks.config import EncoderConfig, InpaintingConfig, resolutions
from inpaint_model.networks.inpainting_model import InpaintingModel
from inpaint_model.networks.precision import DTYPES

LIVE = 3  # tensors of a layer's size at once
FLOAT = 4  # bytes


@dataclass(frozen=True)
class Footprint:
    """Bytes on a device."""

    weights: int
    encoding: int  # peak for an image
    rendering: int  # peak per candidate
    kept: int  # inputs of a graph, and one candidate's result

    def working(self, batch_size: int) -> int:
        """Return the peak of a pass in batches of `batch_size`."""
        return max(self.encoding, batch_size * self.rendering)

    def graphs(self, batch_size: int) -> int:
        """Return the memory of CUDA graphs for batches of 1, 2, 4, ... `batch_size`.

        They share a pool of the largest's size, and keep all results.
        """
        return self.working(batch_size) + 2 * batch_size * self.kept


@cache
def footprint(config: InpaintingConfig, dtype: str) -> Footprint:
    """Return the footprint with convolutions in `dtype`."""
    p = DTYPES[dtype].itemsize
    G, R = config.generator, config.generator.resolution
    s, E = config.skip_resolution, config.encoder_resolution
    layer = LIVE * max(G.channels_at(r) * r * r for r in resolutions(R)) * p
    body = _body(config.encoder, E, p)
    skip = 0
    if config.skip is not None:
        widths = 2 * config.encoder.widths[1] + G.channels_at(s) + 3 * config.skip.widths[0]
        skip = widths * s * s * p
    second = body + 7 * E**2 * (FLOAT + p) if config.two_stage else 0
    held = G.channels_at(s) * s * s * p + 3 * R * R * FLOAT  # features before the skip; an image
    seen = 4 * E**2 + (config.encoder.widths[1] + 1) * s * s
    tokens = (1 + config.mixer.tokens_per_style) * G.num_ws * G.w_dim
    return Footprint(
        weights=weight_bytes(config, dtype),
        encoding=body + 12 * E**2 * FLOAT,  # image, hole, and twice the encoder's input
        rendering=held + max(layer, skip, second),
        kept=(seen + tokens + 3 * R * R) * FLOAT,
    )


def weight_bytes(config: InpaintingConfig, dtype: str) -> int:
    """Return the bytes of a model's tensors after `freeze_for_inference`."""
    with torch.device("meta"):
        model = InpaintingModel(config)
    model = freeze_for_inference(model, torch.device("meta"), dtype)
    return sum(x.nbytes for x in (*model.parameters(), *model.buffers()))


def _body(config: EncoderConfig, resolution: int, p: int) -> int:
    """Return the bytes of the encoder's first group, the largest."""
    return int((LIVE + 0.25) * config.widths[0] * resolution**2 * p)  # 0.25: the shortcut
