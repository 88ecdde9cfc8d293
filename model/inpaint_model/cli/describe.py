"""What `info` and `import` say of networks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from inpaint_model.bundle.manifest import BundleInfo
from inpaint_model.importing import Checkpoint
from inpaint_model.networks.config import GeneratorConfig, InpaintingConfig, to_dict
from inpaint_model.networks.generator import Generator
from inpaint_model.networks.inpainting_model import InpaintingModel

Description = Mapping[str, Any]  # ready for JSON


def describe_bundle(info: BundleInfo) -> Description:
    """Return the contents of a bundle, from its model.yaml."""
    config, card = info.config, info.card
    description: dict[str, Any] = {
        "source": str(info.folder),
        "format": "bundle",
        "kind": info.kind,
        "name": info.name,
        "title": card.title,
        "licence": card.licence,
        "alignment": card.alignment,
        "provenance": card.provenance,
        "trained_kimg": card.trained_kimg,
        "metrics": dict(card.metrics),
        "dtype": info.dtype,
        "weights_sha256": info.weights_sha256,
        "generator_sha256": info.generator_sha256,
        "directions": [direction.name for direction in info.directions],
        "discriminator": info.discriminator is not None,
        "parameters": _parameters(config),
    }
    if isinstance(config, InpaintingConfig):
        description["arch"] = config.arch
        description["skip_resolution"] = config.skip_resolution if config.skip else None
    return description | {"generator": to_dict(info.generator_config)}


def describe_checkpoint(checkpoint: Checkpoint) -> Description:
    """Return the contents of an imported file."""
    source = checkpoint.source
    return {
        "source": str(source.path),
        "format": source.format,
        "kind": "generator",
        "sha256": source.sha256,
        "notes": list(source.notes),
        "discriminator": checkpoint.discriminator is not None,
        "parameters": _parameters(checkpoint.generator.config),
        "generator": to_dict(checkpoint.generator.config),
    }


def size_line(config: GeneratorConfig) -> str:
    """Return a generator in a line."""
    labels = f", {config.c_dim} classes" if config.c_dim else ""
    millions = sum(_parameters(config).values()) / 1e6
    return (
        f"StyleGAN2 generator, {config.resolution} px, {config.num_ws} styles of {config.w_dim}"
        f"{labels}, {millions:.1f} M parameters"
    )


def _parameters(config: GeneratorConfig | InpaintingConfig) -> dict[str, int]:
    """Numbers of parameters by part, counted without allocating any."""
    with torch.device("meta"):
        if isinstance(config, GeneratorConfig):
            return {"generator": _count(Generator(config))}
        return {name: _count(part) for name, part in InpaintingModel(config).named_children()}


def _count(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())
