"""A generator's samples."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from inpaint_model.directions.measurements import Score
from inpaint_model.document.arrays import Float64Array
from inpaint_model.inference.freeze import best_dtype
from inpaint_model.inference.inpainter import latent_of_seed, seed_sequence
from inpaint_model.networks.generator import Generator
from inpaint_model.networks.precision import DTYPES


@dataclass(frozen=True)
class Samples:
    """N codes and the scores of their images."""

    w: Float64Array  # [N, w_dim]
    scores: Mapping[str, Float64Array]  # [N] each


@torch.inference_mode()
def codes(
    generator: Generator, count: int, seed: int, truncation_psi: float = 1.0, batch: int = 1000
) -> Tensor:
    """Return w [count, w_dim] of the seeds from `seed` on."""
    mapping = generator.mapping
    device = mapping.w_avg.device
    parts = []
    seeds = seed_sequence(seed, count)
    for start in range(0, count, batch):
        latents = [latent_of_seed(s, mapping.z_dim) for s in seeds[start : start + batch]]
        z = torch.stack(latents).to(device)
        labels = torch.zeros(len(z), mapping.c_dim, device=device) if mapping.c_dim else None
        parts.append(mapping(z, labels, truncation_psi)[:, 0])
    return torch.cat(parts)


@torch.inference_mode()
def images(generator: Generator, w: Tensor, batch: int, title: str = "") -> Iterator[Tensor]:
    """Yield batches of images [B, 3, R, R] in -1..1 of codes [N, w_dim]."""
    ws = w[:, None].expand(-1, generator.config.num_ws, -1)
    for part in tqdm(ws.split(batch), title, disable=None if title else True, leave=False):
        yield generator.synthesis(part, "const", None, fast(part.device)).float()


def fast(device: torch.device) -> torch.dtype:
    """Return the fastest precision that is exact enough for measurements."""
    return DTYPES[best_dtype(device)]


def draw(
    generator: Generator,
    scores: Mapping[str, Score],
    count: int,
    *,
    seed: int = 0,
    truncation_psi: float = 1.0,
    batch: int = 16,
) -> Samples:
    """Generate samples without keeping images."""
    w = codes(generator, count, seed, truncation_psi)
    parts = [measure(scores, part) for part in images(generator, w, batch, "samples")]
    values = {name: np.concatenate([part[name] for part in parts]) for name in scores}
    return Samples(w.cpu().double().numpy(), values)


@torch.inference_mode()
def measure(scores: Mapping[str, Score], images: Tensor) -> dict[str, Float64Array]:
    """Compute all scores of images: [N] each.

    Raises:
        ValueError: if a score is not finite.
    """
    values = {}
    for name, score in scores.items():
        value = score(images).cpu().double().numpy()
        if value.shape != (len(images),) or not np.isfinite(value).all():
            raise ValueError(f"the score {name!r} does not return one finite number per image")
        values[name] = value
    return values
