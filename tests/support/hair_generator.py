"""A generator in which only the lightness of hair varies, linearly in one latent direction.

Its images are gray except for the crown and the temples of the alignment.
"""

from __future__ import annotations

import math

import torch
from inpaint_model.directions.face_regions import CROWN, TEMPLES
from inpaint_model.inference.tiny import tiny_model
from inpaint_model.networks.inpainting_model import InpaintingModel
from torch import Tensor


def hair_model(amplitude: float = 0.3) -> tuple[InpaintingModel, Tensor]:
    """Return an inpainting model with this generator at 32 px, and the unit direction [w_dim].

    One standard deviation of w along the direction changes the hair by `amplitude` (-1..1).
    """
    model = tiny_model(0, 32)
    generator = model.generator
    R, w_dim = generator.config.resolution, generator.config.w_dim
    rng = torch.Generator().manual_seed(7)
    z = torch.randn(500, generator.config.z_dim, generator=rng)
    w = generator.mapping.map(z)
    direction = torch.randn(w_dim, generator=rng)
    direction /= direction.norm()
    with torch.no_grad():
        for name, parameter in generator.synthesis.named_parameters():
            if ".to_rgb." in name or name.startswith(f"b{R}.conv1"):
                parameter.zero_()
        last = generator.synthesis.block(R)
        last.conv1.noise_strength.fill_(1 / math.sqrt(2))  # lrelu's gain makes it 1
        last.conv1.noise_const.zero_()
        for left, top, right, bottom in (*CROWN, *TEMPLES):
            rows = slice(round(top * R), max(round(bottom * R), round(top * R) + 1))
            columns = slice(round(left * R), max(round(right * R), round(left * R) + 1))
            last.conv1.noise_const[rows, columns] = 1
        channels = last.to_rgb.weight.shape[1]
        last.to_rgb.weight.fill_(1 / channels / last.to_rgb.weight_gain)
        gain = amplitude / float((w @ direction).std()) / last.to_rgb.affine.weight_gain
        last.to_rgb.affine.weight.copy_(gain * direction.expand(channels, -1))
        offset = -amplitude / float((w @ direction).std()) * float(w.mean(dim=0) @ direction)
        last.to_rgb.affine.bias.fill_(offset)
    return model, direction
