"""An untrained model of the smallest size, for tests and the daemon's model `tiny`."""

from __future__ import annotations

from pathlib import Path
from typing import overload

import torch

from inpaint_model.baselines.archs import make_model
from inpaint_model.bundle.directions import Direction
from inpaint_model.bundle.manifest import BundleInfo, Card
from inpaint_model.bundle.weights import generator_sha256
from inpaint_model.inference.inpainter import Inpainter
from inpaint_model.networks.config import Ablation, Arch
from inpaint_model.networks.hierarchical_model import HierarchicalModel
from inpaint_model.networks.inpainting_model import InpaintingModel
from inpaint_model.networks.presets import inpainting_config, preset


def tiny_inpainter(
    seed: int = 0,
    resolution: int = 32,
    arch: Arch = "hierarchical",
    dtype: str = "fp32",
    device: torch.device | str = "cpu",
) -> Inpainter:
    """Return an untrained model that runs in milliseconds; `resolution` is a power of two from 32.

    Its directions, "brighter" and "warmer", change the image somehow.
    """
    model = tiny_model(seed, resolution, arch=arch)
    rng = torch.Generator().manual_seed(seed)
    config = model.config.generator
    names = ("brighter", "warmer")
    vectors = {name: torch.randn(config.w_dim, generator=rng) for name in names}
    vectors = {name: vector / vector.norm() for name, vector in vectors.items()}
    own = dict(model.generator.state_dict())
    info = BundleInfo(
        folder=Path(),
        kind="inpainter",
        card=Card(name="tiny", title="Tiny (random weights)", licence="Apache-2.0"),
        config=model.config,
        weights_sha256=generator_sha256(model.state_dict()),
        generator_sha256=generator_sha256(own),
        dtype="fp32",
        directions=tuple(
            Direction(name, "demo", tuple(range(config.num_ws)), 1.0, (-3.0, 3.0)) for name in names
        ),
    )
    return Inpainter(model, info, device, dtype, vectors)


@overload
def tiny_model(
    seed: int = ..., resolution: int = ..., arch: Ablation = ...
) -> HierarchicalModel: ...


@overload
def tiny_model(seed: int = ..., resolution: int = ..., *, arch: Arch) -> InpaintingModel: ...


def tiny_model(seed: int = 0, resolution: int = 32, arch: Arch = "hierarchical") -> InpaintingModel:
    """Return the networks of `tiny_inpainter`."""
    from dataclasses import replace

    from inpaint_model.networks.config import channel_table

    sizes = preset("tiny")
    generator = replace(
        sizes.generator,
        resolution=resolution,
        channels=channel_table(resolution, 8 * resolution, 16),
    )
    with torch.random.fork_rng():  # initialization draws from the global generator
        torch.manual_seed(seed)
        model = make_model(inpainting_config(sizes, arch, generator))
    with torch.no_grad():
        for name, parameter in model.generator.named_parameters():
            if name.endswith("noise_strength"):
                parameter.fill_(0.1)
        model.generator.mapping.track_w_avg(
            model.generator.mapping.map(
                torch.randn(256, generator.z_dim, generator=torch.Generator().manual_seed(seed))
            ),
            beta=0.0,
        )
        model.estimate_w_statistics(256)
    return model.eval().requires_grad_(False)
