"""The generator with its weights changed for each image (HyperStyle, Alaluf et al. 2022).

A convolution's weight [O, I, 3, 3] becomes weight * (1 + offset), with one offset [O, I] for all
positions of the kernel; toRGB layers keep theirs. The offsets of all convolutions are one tensor
[N, D], in the order in which they run.
"""

from __future__ import annotations

import math
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor

from inpaint_model.networks.config import GeneratorConfig, resolutions
from inpaint_model.networks.generator import SynthesisLayer, SynthesisNetwork
from inpaint_model.networks.ops import EPSILON, bias_act, filter2d, up_conv2d, upsample2d


def offset_shapes(config: GeneratorConfig) -> list[tuple[int, int]]:
    """Return (O, I) of every convolution; the one at index k has style k."""
    shapes = [(config.channels[0], config.channels[0])]
    for before, after in pairwise(config.channels):
        shapes += [(after, before), (after, after)]
    return shapes


def synthesize(
    synthesis: SynthesisNetwork, ws: Tensor, offsets: Tensor, dtype: torch.dtype
) -> Tensor:
    """Return images [N, 3, R, R] of codes [N, num_ws, w_dim]; convolutions compute in `dtype`.

    `offsets` is [N, D], or [1, D] if all codes have the same, which is faster. The noise is
    constant.
    """
    shapes = offset_shapes(synthesis.config)
    parts = offsets.split([math.prod(shape) for shape in shapes], dim=1)
    changes = [1 + part.unflatten(1, shape) for part, shape in zip(parts, shapes, strict=True)]
    x = synthesis.block(4).start(len(ws), dtype)
    image: Tensor | None = None
    for k, side in enumerate(resolutions(synthesis.config.resolution)):
        block = synthesis.block(side)
        if side > 4:
            x = changed_layer(block.conv0, x, ws[:, 2 * k - 1], changes[2 * k - 1])
        x = changed_layer(block.conv1, x, ws[:, 2 * k], changes[2 * k])
        rgb = block.to_rgb(x, ws[:, 2 * k + 1]).float()
        image = rgb if image is None else upsample2d(image) + rgb
    assert image is not None
    return image


def changed_layer(layer: SynthesisLayer, x: Tensor, w: Tensor, change: Tensor) -> Tensor:
    """Apply a layer whose weights are multiplied by `change` [N, O, I] or [1, O, I].

    Styles scale the activations, as in `modulated_conv2d`.
    """
    weight, styles = layer.weight.float(), layer.affine(w).float()
    if x.dtype == torch.float16:
        # Demodulation cancels any scale of weights and styles; keep sums below 65504.
        fan_in = weight[0].numel()
        largest = (weight.abs().amax(dim=(2, 3)) * change.abs()).amax(dim=2, keepdim=True)
        change = change / (largest.clamp_min(1e-12) * fan_in**0.5)
        styles = styles / styles.abs().amax(dim=1, keepdim=True).clamp_min(1e-12)
    changed = (weight * change[..., None, None]).to(x.dtype)
    y = _convolve(x * styles.to(x.dtype)[:, :, None, None], changed, layer.up)
    y = y * _demodulation(weight, styles, change).to(y.dtype)[:, :, None, None]
    y = y + (layer.noise_const * layer.noise_strength).to(y.dtype)
    return bias_act(y, layer.bias, clamp=layer.conv_clamp)


def _demodulation(weight: Tensor, styles: Tensor, change: Tensor) -> Tensor:
    """Return [N, O]: 1 / norm of the changed weights, scaled by styles [N, I]."""
    energy = weight.square().sum(dim=(2, 3)) * change.square()  # [N or 1, O, I]
    squares = styles.square()
    norms = squares @ energy[0].T if len(energy) == 1 else (energy @ squares[:, :, None])[:, :, 0]
    return (norms + EPSILON).rsqrt()


def _convolve(x: Tensor, weight: Tensor, up: bool) -> Tensor:
    """Convolve each image [I, h, w] with its own weight [O, I, 3, 3]; `up` doubles the size."""
    if len(weight) == 1:
        return up_conv2d(x, weight[0]) if up else F.conv2d(x, weight[0], padding=1)
    N = len(x)
    x = x.flatten(0, 1)[None]
    if not up:
        y: Tensor = F.conv2d(x, weight.flatten(0, 1), padding=1, groups=N)[0].unflatten(0, (N, -1))
        return y
    y = F.conv_transpose2d(x, weight.transpose(1, 2).flatten(0, 1), stride=2, groups=N)
    return filter2d(y[0].unflatten(0, (N, -1)), padding=1, gain=4.0)
