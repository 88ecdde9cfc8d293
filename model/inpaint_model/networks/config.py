"""Configurations of the networks: frozen dataclasses, stored in `model.yaml`.

An inpainting model has a *preset*, which gives the sizes, and an *arch*, a row of the paper's
tables.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args

from annotated_types import Interval

from inpaint_model.networks.validation import Finite, Flag, Several, Whole, closed

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Context = Literal["prev", "all", "sum", "none"]
Heads = Literal["separate", "shared"]
Norm = Literal["batch", "group"]
Ablation = Literal[
    "divinversion-first",
    "hierarchical-w",
    "divinversion-two-stage",
    "hierarchical-two-stage",
    "hierarchical",
]
Baseline = Literal["psp", "hfgi", "hyperstyle", "comodgan", "invertfill"]
Arch = Ablation | Baseline
TABLE_2: tuple[Ablation, ...] = get_args(Ablation)  # top to bottom
BASELINES: tuple[Baseline, ...] = get_args(Baseline)  # of Table 1, top to bottom
ARCHS: tuple[Arch, ...] = (*TABLE_2, *BASELINES)
TITLES: Mapping[Arch, str] = {
    "divinversion-first": "DivInversion, first stage",
    "hierarchical-w": "Hierarchical, W+",
    "divinversion-two-stage": "DivInversion",
    "hierarchical-two-stage": "Hierarchical, two-stage",
    "hierarchical": "Hierarchical",
    "psp": "pSp",
    "hfgi": "HFGI",
    "hyperstyle": "HyperStyle",
    "comodgan": "CoModGAN",
    "invertfill": "InvertFill",
}

MIN_RESOLUTION, MAX_RESOLUTION = 32, 1024
ENCODER_MAX_RESOLUTION = 256  # larger images are downsampled


# Bounded, since an untrusted bundle may ask for any amount of memory.
Count = Annotated[Whole, Interval(ge=0, le=65_536)]
Depth = Annotated[Whole, Interval(ge=0, le=64)]
Factor = Annotated[Finite, Interval(ge=0, le=65_536)]


def channel_table(resolution: int, channel_base: int, channel_max: int = 512) -> tuple[int, ...]:
    """Return min(channel_base / r, channel_max) for each r of 4, 8, ..., `resolution` px."""
    return tuple(min(channel_base // r, channel_max) for r in resolutions(resolution))


def resolutions(resolution: int) -> tuple[int, ...]:
    """Return the sides of a network's blocks: 4, 8, ..., `resolution` px."""
    return tuple(2**k for k in range(2, resolution.bit_length()))


@closed
@dataclass(frozen=True)
class GeneratorConfig:
    """A StyleGAN2 generator (skip architecture)."""

    resolution: Count  # side in px, a power of two
    z_dim: Count
    w_dim: Count
    channels: Several[Count]  # at 4, 8, ..., resolution px
    c_dim: Count = 0  # width of the class label; 0 = unconditional
    num_mapping_layers: Depth = 8
    mapping_lr_multiplier: Factor = 0.01
    conv_clamp: Factor | None = None  # bound of the features (networks trained in fp16)

    def __post_init__(self) -> None:
        r = self.resolution
        if r & (r - 1) or not MIN_RESOLUTION <= r <= MAX_RESOLUTION:
            raise ValueError(
                f"resolution {r} is not a power of two from {MIN_RESOLUTION} to {MAX_RESOLUTION}"
            )
        if len(self.channels) != len(resolutions(r)) or min(self.channels) < 1:
            raise ValueError(
                f"channels {self.channels} must name {len(resolutions(r))} positive counts, "
                f"one for each of {resolutions(r)} px"
            )
        if min(self.z_dim, self.w_dim, self.num_mapping_layers) < 1 or self.c_dim < 0:
            raise ValueError("z_dim, w_dim and num_mapping_layers must be positive, c_dim not < 0")

    @property
    def num_ws(self) -> int:
        """Number of styles: two for each resolution."""
        return 2 * len(self.channels)

    def channels_at(self, resolution: int) -> int:
        """Return the feature channels at `resolution` px."""
        return self.channels[resolution.bit_length() - 3]


@closed
@dataclass(frozen=True)
class DiscriminatorConfig:
    """A StyleGAN2 discriminator (resnet architecture)."""

    resolution: Count
    channels: Several[Count]
    c_dim: Count = 0
    cmap_dim: Count = 0  # width of the mapped label
    num_mapping_layers: Depth = 8  # of labels
    mbstd_group_size: Count = 4  # samples per minibatch standard deviation
    mbstd_num_channels: Count = 1
    conv_clamp: Factor | None = None
    clamp_skip: Flag = False  # clamp the skips too: only discriminators of format 1


@closed
@dataclass(frozen=True)
class EncoderConfig:
    """The encoder of the erased image: IR-SE body, feature pyramid, style heads (section 3.1)."""

    widths: tuple[Count, Count, Count, Count] = (64, 128, 256, 512)  # at 1/2, 1/4, ...
    units: tuple[Depth, Depth, Depth, Depth] = (3, 4, 14, 3)  # per group
    pyramid: Count = 512  # channels, also of the heads
    heads: Heads = "separate"  # a trunk per style (paper), or "shared" by a pyramid level
    norm: Norm = "batch"  # (paper); "group" suits small batches


@closed
@dataclass(frozen=True)
class MixerConfig:
    """Hierarchical mixing (section 3.1, figure 2)."""

    # Earlier outputs that a style receives: "prev" (paper), or "sum", which adds the previous one
    # to its sampled code.
    context: Context = "prev"
    gated: Flag = False  # DivInversion's gate between mixed and sampled code
    tokens_per_style: Annotated[Whole, Interval(ge=1, le=2)] = 2


@closed
@dataclass(frozen=True)
class SkipConfig:
    """The skip encoder: a U-Net over three resolutions (section 3.1, figure 3)."""

    widths: tuple[Count, Count, Count] = (128, 256, 512)  # at s, s/2 and s/4


@dataclass(frozen=True)
class Abilities:
    """What an arch can do."""

    diverse: bool  # candidates of different seeds differ
    editable: bool  # candidates have codes of the generator, so directions and mixing apply
    corrected: bool  # a fill is more than what the generator makes of the codes

    def covers(self, other: Abilities) -> bool:
        """Whether all that can be requested of the other can be requested of this one."""
        return self.diverse >= other.diverse and self.editable >= other.editable


@closed
@dataclass(frozen=True)
class InpaintingConfig:
    """The paper's model or DivInversion. Parts that an arch does not use are None."""

    generator: GeneratorConfig
    encoder: EncoderConfig
    mixer: MixerConfig
    skip: SkipConfig | None  # None: the W+ models
    two_stage: Flag = False  # skip features come from a second encoder of the first output
    skip_resolution: Count = 64  # s, where features are read and replaced, px

    def __post_init__(self) -> None:
        _check_skip_resolution(self.skip_resolution, self.encoder_resolution)
        if self.two_stage and self.skip is None:
            raise ValueError("a two-stage model needs a skip encoder")

    @property
    def encoder_resolution(self) -> int:
        """Side of the encoder's input, px."""
        return min(self.generator.resolution, ENCODER_MAX_RESOLUTION)

    @property
    def abilities(self) -> Abilities:
        """What the arch can do."""
        return Abilities(diverse=True, editable=True, corrected=self.skip is not None)

    @property
    def arch(self) -> Ablation:
        """The row of Table 2."""
        if self.skip is None:
            return "divinversion-first" if self.mixer.gated else "hierarchical-w"
        if self.two_stage:
            return "divinversion-two-stage" if self.mixer.gated else "hierarchical-two-stage"
        return "hierarchical"


@closed
@dataclass(frozen=True)
class BaselineConfig:
    """A method of Table 1 to which the paper compares."""

    arch: Baseline
    generator: GeneratorConfig
    encoder: EncoderConfig
    skip: SkipConfig  # sizes of the networks that correct features or weights
    skip_resolution: Count = 64  # where features are read and replaced, px

    def __post_init__(self) -> None:
        _check_skip_resolution(self.skip_resolution, self.encoder_resolution)

    @property
    def encoder_resolution(self) -> int:
        """Side of the encoder's input, px."""
        return min(self.generator.resolution, ENCODER_MAX_RESOLUTION)

    @property
    def abilities(self) -> Abilities:
        """What the arch can do."""
        return _ABILITIES[self.arch]


_ABILITIES: Mapping[Baseline, Abilities] = {
    "psp": Abilities(diverse=False, editable=True, corrected=False),
    "hfgi": Abilities(diverse=False, editable=True, corrected=True),
    "hyperstyle": Abilities(diverse=False, editable=True, corrected=True),
    "comodgan": Abilities(diverse=True, editable=False, corrected=False),
    "invertfill": Abilities(diverse=False, editable=True, corrected=True),
}
ModelConfig = InpaintingConfig | BaselineConfig


def _check_skip_resolution(side: int, encoder_resolution: int) -> None:
    if not 8 <= side <= encoder_resolution // 4:
        raise ValueError(
            f"skip_resolution {side} must lie between 8 and a quarter of the encoder's "
            f"resolution ({encoder_resolution // 4})"
        )


def to_dict(config: DataclassInstance) -> dict[str, Any]:
    """Return plain values, for YAML or JSON."""
    return {key: _plain(value) for key, value in asdict(config).items()}


def _plain(value: object) -> object:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, tuple) else value
