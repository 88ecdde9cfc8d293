"""Descriptions of networks for `info` and `import`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn

from inpaint_model.baselines.archs import make_model
from inpaint_model.bundle.manifest import BundleInfo
from inpaint_model.importing import Checkpoint, CheckpointError
from inpaint_model.networks.config import GeneratorConfig, ModelConfig, to_dict
from inpaint_model.networks.generator import Generator

Description = Mapping[str, Any]  # ready for JSON


def describe_bundle(info: BundleInfo) -> Description:
    """Describe a bundle from its model.yaml."""
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
    if not isinstance(config, GeneratorConfig):
        description["arch"] = config.arch
        description["skip_resolution"] = (
            config.skip_resolution if config.abilities.corrected else None
        )
    return description | {"generator": to_dict(info.generator_config)}


FAMILIES = {
    "nvidia": "StyleGAN2 in the layout of stylegan2-ada-pytorch and stylegan3",
    "rosinality": "StyleGAN2 in the layout of rosinality's stylegan2-pytorch",
    "psp": "StyleGAN2, decoder of pSp, e4e or a similar encoder",
}


def describe_checkpoint(checkpoint: Checkpoint) -> Description:
    """Describe an imported file."""
    source, config = checkpoint.source, checkpoint.generator.config
    return {
        "source": str(source.path),
        "family": FAMILIES.get(source.format, source.format),
        "can_be_imported": True,
        "format": source.format,
        "kind": "generator",
        "sha256": source.sha256,
        "images": f"{config.resolution} px, RGB",
        "labels": f"{config.c_dim} classes" if config.c_dim else "none",
        "clamps": _clamps(checkpoint),
        "precision": source.precision,
        "notes": list(source.notes),
        "ignored": list(source.ignored),
        "discriminator": checkpoint.discriminator is not None,
        "parameters": _parameters(checkpoint.generator.config),
        "generator": to_dict(checkpoint.generator.config),
    }


def describe_refusal(path: Path, error: CheckpointError) -> Description:
    """Describe a file that cannot be imported."""
    reason = str(error).removeprefix(f"{path}: ")
    return {"source": str(path), **error.facts, "can_be_imported": False, "because": f"it {reason}"}


def _clamps(checkpoint: Checkpoint) -> str:
    bound = checkpoint.generator.config.conv_clamp
    clamps = [f"{bound:g} in the generator" if bound is not None else "none in the generator"]
    if checkpoint.discriminator is not None:
        config = checkpoint.discriminator.config
        if config.conv_clamp is None:
            clamps.append("none in the discriminator")
        else:
            skips = "" if config.clamp_skip else " except in its skips"
            clamps.append(f"{config.conv_clamp:g} in the discriminator{skips}")
    return "; ".join(clamps)


def size_line(config: GeneratorConfig) -> str:
    """Describe a generator in one line."""
    labels = f", {config.c_dim} classes" if config.c_dim else ""
    millions = sum(_parameters(config).values()) / 1e6
    return (
        f"StyleGAN2 generator, {config.resolution} px, {config.num_ws} styles of {config.w_dim}"
        f"{labels}, {millions:.1f} M parameters"
    )


def _parameters(config: GeneratorConfig | ModelConfig) -> dict[str, int]:
    """Count parameters without allocating them."""
    with torch.device("meta"):
        if isinstance(config, GeneratorConfig):
            return {"generator": _count(Generator(config))}
        return {name: _count(part) for name, part in make_model(config).named_children()}


def _count(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())
