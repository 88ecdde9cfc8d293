"""Presets: matching sizes of all networks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import overload

from inpaint_model.networks.config import (
    ARCHS,
    BASELINES,
    Ablation,
    Arch,
    BaselineConfig,
    DiscriminatorConfig,
    EncoderConfig,
    GeneratorConfig,
    InpaintingConfig,
    MixerConfig,
    ModelConfig,
    SkipConfig,
    channel_table,
    resolutions,
)


@dataclass(frozen=True)
class Preset:
    """Sizes from which `inpainting_config` builds any arch."""

    generator: GeneratorConfig
    discriminator: DiscriminatorConfig
    encoder: EncoderConfig
    skip: SkipConfig


def _preset(
    resolution: int,
    channel_base: int,
    *,
    channel_max: int = 512,
    w_dim: int = 512,
    num_mapping_layers: int = 8,
    encoder: EncoderConfig | None = None,
    skip: SkipConfig | None = None,
) -> Preset:
    channels = channel_table(resolution, channel_base, channel_max)
    generator = GeneratorConfig(
        resolution=resolution,
        z_dim=w_dim,
        w_dim=w_dim,
        channels=channels,
        num_mapping_layers=num_mapping_layers,
    )
    return Preset(
        generator,
        DiscriminatorConfig(resolution, channels),
        encoder or EncoderConfig(),
        skip or SkipConfig(),
    )


def _narrow(resolution: int, channel_base: int) -> Preset:
    return _preset(
        resolution,
        channel_base,
        channel_max=192,
        w_dim=192,
        num_mapping_layers=4,
        encoder=EncoderConfig((24, 48, 96, 128), (1, 2, 4, 2), 96, "shared", "group"),
        skip=SkipConfig((64, 96, 128)),
    )


# The encoder sees 256 px at any resolution (`ENCODER_MAX_RESOLUTION`), so above that only the
# generators differ.
PRESETS: Mapping[str, Preset] = {
    "paper-256": _preset(256, 32768),
    "paper-256-half": _preset(256, 16384),
    "paper-512": _preset(512, 32768),
    "paper-1024": _preset(1024, 32768),
    "compact-256": _narrow(256, 6144),
    # compact-256 with fewer channels at high resolutions, where they are expensive: its generator
    # needs half the time (docs/train/from-a-folder.md). The skip encoder's widths match its
    # channels (64 at 64 px).
    "portrait-256": _narrow(256, 4096),
    "portrait-512": _narrow(512, 4096),  # what portrait-256 grows into
    "compact-128": _preset(
        128,
        2048,
        channel_max=128,
        w_dim=128,
        num_mapping_layers=4,
        encoder=EncoderConfig((16, 32, 64, 96), (1, 2, 3, 2), 96, "shared", "group"),
        skip=SkipConfig((32, 64, 96)),
    ),
    # For experiments that take minutes on a CPU, as in docs/research/ablation.md.
    "compact-64": _preset(
        64,
        1024,
        channel_max=64,
        w_dim=64,
        num_mapping_layers=4,
        encoder=EncoderConfig((12, 24, 48, 64), (1, 2, 2, 1), 64, "shared", "group"),
        skip=SkipConfig((16, 32, 64)),
    ),
    "tiny": _preset(
        32,
        256,
        channel_max=16,
        w_dim=16,
        num_mapping_layers=2,
        encoder=EncoderConfig((4, 8, 8, 8), (1, 1, 1, 1), 8, "shared", "group"),
        skip=SkipConfig((8, 8, 8)),
    ),
}


def preset(name: str) -> Preset:
    """Return a preset by its name.

    Raises:
        ValueError: No such preset.
    """
    if name not in PRESETS:
        raise ValueError(f"unknown preset {name!r}; known are {', '.join(PRESETS)}")
    return PRESETS[name]


def reduced(sizes: Preset, factor: int) -> Preset:
    """Return a preset at 1 / `factor` of its resolution, for progressive growing.

    Raises:
        ValueError: `factor` is not a power of two, or too large.
    """
    levels = factor.bit_length() - 1
    if factor != 2**levels:
        raise ValueError(f"a resolution can be reduced by a power of two only, not by {factor}")
    R = sizes.generator.resolution // factor
    channels = sizes.generator.channels[: len(resolutions(R))]
    return replace(
        sizes,
        generator=replace(sizes.generator, resolution=R, channels=channels),
        discriminator=replace(sizes.discriminator, resolution=R, channels=channels),
    )


@overload
def inpainting_config(
    sizes: Preset, arch: Ablation = ..., generator: GeneratorConfig | None = ...
) -> InpaintingConfig: ...


@overload
def inpainting_config(
    sizes: Preset, arch: Arch, generator: GeneratorConfig | None = ...
) -> ModelConfig: ...


def inpainting_config(
    sizes: Preset, arch: Arch = "hierarchical", generator: GeneratorConfig | None = None
) -> ModelConfig:
    """Return the configuration of an arch; `generator` replaces the preset's.

    Raises:
        ValueError: No such arch.
    """
    if arch not in ARCHS:
        raise ValueError(f"unknown arch {arch!r}; known are {', '.join(ARCHS)}")
    generator = generator or sizes.generator
    skip_resolution = min(64, generator.resolution // 4)
    if arch in BASELINES:
        return BaselineConfig(arch, generator, sizes.encoder, sizes.skip, skip_resolution)
    divinversion = arch.startswith("divinversion")
    return InpaintingConfig(
        generator=generator,
        encoder=sizes.encoder,
        mixer=MixerConfig(context="none", gated=True, tokens_per_style=1)
        if divinversion
        else MixerConfig(),
        skip=None if arch in ("divinversion-first", "hierarchical-w") else sizes.skip,
        two_stage=arch.endswith("two-stage"),
        skip_resolution=skip_resolution,
    )
