"""Teach a generator by reconstruction as well as by the adversarial game (Larsen et al. 2016).

From few images the adversarial game alone is slow: the discriminator's verdict is one number a
image, while a reconstruction says at every pixel what was wrong. A variational encoder maps a
image to a distribution of z; the generator must give the image back from a sample of it. What
z may hold of an image has a price in nats (Higgins et al. 2017), so that images from the prior,
which is what the generator is for, resemble the reconstructions.

The encoder serves this purpose only. It is no part of a bundle.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from torch import Tensor, nn

from inpaint_model.bundle.tensor_files import write_tensors
from inpaint_model.networks.config import DiscriminatorConfig
from inpaint_model.networks.discriminator import Discriminator
from inpaint_model.networks.generator import Generator
from inpaint_model.networks.ops import FullyConnectedLayer
from inpaint_model.training.perceptual_loss import PerceptualLoss

_CHANNELS = (128, 128, 128, 64, 32)  # of the encoder at 4, 8, ..., 64 px
_SIDE = 64  # px at which images are encoded
_FILE = "autoencoder.safetensors"


class VariationalEncoder(nn.Module):
    """Images [N, 3, R, R] in -1..1 -> mean and log variance of z, [N, z_dim] each.

    The trunk of a discriminator. It sees every image at 64 px, so that it stays useful when its
    generator grows.
    """

    def __init__(self, z_dim: int) -> None:
        super().__init__()
        self.trunk = Discriminator(DiscriminatorConfig(_SIDE, _CHANNELS, mbstd_num_channels=0))
        self.trunk.b4.out = FullyConnectedLayer(_CHANNELS[0], 2 * z_dim)

    def forward(self, images: Tensor, dtype: torch.dtype = torch.float32) -> tuple[Tensor, Tensor]:
        """Return mean and log variance of z, [N, z_dim] each, of images [N, 3, R, R]."""
        small = F.interpolate(images, (_SIDE, _SIDE), mode="area")
        mean, log_variance = self.trunk(small.to(dtype)).chunk(2, dim=1)
        return mean, log_variance.clamp(-8, 4)


class Reconstruction(NamedTuple):
    """What one pass through the autoencoder gives."""

    images: Tensor  # [N, 3, R, R]
    distance: Tensor  # mean squared error, plus the perceptual distance if there is one
    rate: Tensor  # nats of information about an image in its code, mean over the batch


def kl_divergence(mean: Tensor, log_variance: Tensor) -> Tensor:
    """KL divergence of N(mean, variance) from N(0, 1) in nats: [N, z_dim] twice -> [N]."""
    return (mean.square() + log_variance.exp() - 1 - log_variance).sum(dim=1) / 2


def reconstruct(
    E: VariationalEncoder,
    G: Generator,
    images: Tensor,
    draw: Tensor,
    perceptual: PerceptualLoss | None = None,
    window: Tensor | None = None,
    dtype: torch.dtype = torch.float32,
    c: Tensor | None = None,
) -> Reconstruction:
    """Encode images [N, 3, R, R], sample a z for each, generate, compare.

    draw: unit normal [N, z_dim], which picks the samples. window: that of `perceptual`.
    c: the images' labels [N, c_dim], for a conditional generator.
    A generator that trains counts the codes into its average.
    """
    mean, log_variance = E(images, dtype)
    w = G.mapping.map(mean + draw * (log_variance / 2).exp(), c)
    if G.training:
        G.mapping.track_w_avg(w)
    output = G.synthesis(w[:, None].expand(-1, G.config.num_ws, -1), "const", None, dtype)
    distance = F.mse_loss(output, images)
    if perceptual is not None:
        distance = distance + perceptual(output, images, window)
    return Reconstruction(output, distance, kl_divergence(mean, log_variance).mean())


def autoencoding_loss(result: Reconstruction, kl_weight: float) -> Tensor:
    """Return the distance, and `price` for every nat that the codes hold (a beta-VAE's loss)."""
    return result.distance + kl_weight * result.rate


def save_encoder(E: VariationalEncoder, folder: Path) -> None:
    """Keep the encoder beside a run's bundle, so that training can go on from the two."""
    state = {name: value.contiguous() for name, value in E.state_dict().items()}
    write_tensors(state, folder / _FILE)


def find_encoder(E: VariationalEncoder, bundle: Path) -> bool:
    """Restore in place what `save_encoder` kept beside `bundle`; False if there is nothing."""
    path = bundle.parent / _FILE
    if path.exists():
        E.load_state_dict(load_file(path))
    return path.exists()
