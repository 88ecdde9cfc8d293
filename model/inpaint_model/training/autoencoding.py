"""Train a generator by reconstruction in addition to adversarial training (Larsen et al. 2016).

With few images this is faster: a reconstruction has an error at every pixel, a discriminator's
verdict is one number. The generator reconstructs an image from a sample of its encoder's
distribution of z. A KL term limits the information in z (Higgins et al. 2017), so that samples from
the prior resemble reconstructions.
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

_CHANNELS = (128, 128, 128, 64, 32)  # at 4, 8, ..., 64 px
_SIDE = 64  # px
_FILE = "autoencoder.safetensors"


class VariationalEncoder(nn.Module):
    """A discriminator's network that sees images at 64 px, so a grown generator can use it, too."""

    def __init__(self, z_dim: int) -> None:
        super().__init__()
        self.trunk = Discriminator(DiscriminatorConfig(_SIDE, _CHANNELS, mbstd_num_channels=0))
        self.trunk.b4.out = FullyConnectedLayer(_CHANNELS[0], 2 * z_dim)

    def forward(self, images: Tensor, dtype: torch.dtype = torch.float32) -> tuple[Tensor, Tensor]:
        """Map images [N, 3, R, R] in -1..1 to mean and log variance of z, [N, z_dim] each."""
        small = F.interpolate(images, (_SIDE, _SIDE), mode="area")
        mean, log_variance = self.trunk(small.to(dtype)).chunk(2, dim=1)
        return mean, log_variance.clamp(-8, 4)


class Reconstruction(NamedTuple):
    """The result of one pass through the autoencoder."""

    images: Tensor  # [N, 3, R, R]
    distance: Tensor  # mean squared error, plus any perceptual distance
    rate: Tensor  # KL divergence in nats, mean over the batch


def kl_divergence(mean: Tensor, log_variance: Tensor) -> Tensor:
    """Return the KL divergence of N(mean, variance) from N(0, 1), [N] in nats."""
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
    """Encode images with labels c [N, c_dim], sample z, generate, and compare.

    `draw`, unit normal [N, z_dim], samples z. A generator in training mode includes the codes in
    its average w.
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
    """Return the loss of a beta-VAE."""
    return result.distance + kl_weight * result.rate


def save_encoder(E: VariationalEncoder, folder: Path) -> None:
    """Save the encoder next to a run's bundle."""
    state = {name: value.contiguous() for name, value in E.state_dict().items()}
    write_tensors(state, folder / _FILE)


def find_encoder(E: VariationalEncoder, bundle: Path) -> bool:
    """Load the encoder next to `bundle`, in place; return False if there is none."""
    path = bundle.parent / _FILE
    if path.exists():
        E.load_state_dict(load_file(path))
    return path.exists()
