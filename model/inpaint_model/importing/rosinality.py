"""Read networks in the layout of rosinality's stylegan2-pytorch, and of the pSp family's decoder.

Converted files are {g_ema, latent_avg, ...}; training checkpoints {g, d, g_ema, ...} lack the mean
latent; those of the pSp family are {state_dict: {decoder.*, encoder.*}, latent_avg}.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

import torch

from inpaint_model.importing.contents import Entry
from inpaint_model.importing.errors import CheckpointError, quoted
from inpaint_model.importing.keys import Source, rosinality_discriminator, rosinality_generator
from inpaint_model.importing.network_layout import (
    MAX_MAPPING_LAYERS,
    Tensors,
    check_resample_filter,
    discriminator_config,
    foreign,
    generator_config,
)
from inpaint_model.importing.tensors import Storage, TensorRef
from inpaint_model.networks.config import (
    MAX_RESOLUTION,
    MIN_RESOLUTION,
    DiscriminatorConfig,
    GeneratorConfig,
)

GENERATOR = ("input.input",)  # in every generator
DISCRIMINATOR = ("convs.0.0.weight",)
MEAN = "latent_avg"
_KERNEL = re.compile(r"(^|\.)kernel$")  # constant low-pass kernels
_GENERATOR = ("style", "input", "conv1", "to_rgb1", "convs", "to_rgbs", "noises")
_DISCRIMINATOR = ("convs", "final_conv", "final_linear")


class ReadGenerator(NamedTuple):
    """A generator by our names, and notes on missing parts."""

    config: GeneratorConfig
    tensors: Tensors
    notes: tuple[str, ...]


def read_generator(
    entries: dict[str, Entry], mean: TensorRef | None, others: Mapping[str, str]
) -> ReadGenerator:
    """Read a generator with its mean latent."""
    theirs = _tensors(entries, _GENERATOR)
    resolution, layers = _resolution(theirs), _mapping_layers(theirs)
    keys = rosinality_generator(resolution, layers)
    notes = []
    if not any(name.startswith("noises.") for name in theirs):  # early versions store none
        keys = {name: source for name, source in keys.items() if "noises." not in source.name}
        notes.append("it holds no noise; drew one from a fixed seed")
    tensors = _renamed(theirs, keys, others, "generator")
    w_avg = _latent_average(mean)
    if w_avg is not None:
        tensors["mapping.w_avg"] = w_avg
    return ReadGenerator(generator_config(tensors), tensors, tuple(notes))


def read_discriminator(
    entries: dict[str, Entry], resolution: int, others: Mapping[str, str]
) -> tuple[DiscriminatorConfig, Tensors]:
    """Read the discriminator of a generator with this resolution."""
    theirs = _tensors(entries, _DISCRIMINATOR)
    renamed = _renamed(theirs, rosinality_discriminator(resolution), others, "discriminator")
    return discriminator_config(renamed), renamed


def _tensors(entries: dict[str, Entry], children: tuple[str, ...]) -> Tensors:
    """Check and drop low-pass kernels."""
    known = [name for name in entries if name.partition(".")[0] in children]
    tensors = {}
    for name, tensor in foreign(entries, known).items():
        if _KERNEL.search(name):
            check_resample_filter(name, tensor)
        elif name != MEAN:
            tensors[name] = tensor
    return tensors


def _resolution(theirs: Tensors) -> int:
    resolution = 4
    while resolution <= MAX_RESOLUTION and _has_block(theirs, resolution.bit_length() - 3):
        resolution *= 2
    if not MIN_RESOLUTION <= resolution <= MAX_RESOLUTION:
        raise CheckpointError(
            f"holds no StyleGAN2 generator of {MIN_RESOLUTION} to {MAX_RESOLUTION} px"
        )
    return resolution


def _has_block(theirs: Tensors, k: int) -> bool:
    return f"to_rgbs.{k}.conv.weight" in theirs


def _mapping_layers(theirs: Tensors) -> int:
    count = 0
    while count <= MAX_MAPPING_LAYERS and f"style.{count + 1}.weight" in theirs:
        count += 1
    if not 1 <= count <= MAX_MAPPING_LAYERS:
        raise CheckpointError(f"has a mapping network of {count} layers")
    return count


def _renamed(
    theirs: Tensors, keys: Mapping[str, Source], others: Mapping[str, str], what: str
) -> dict[str, TensorRef]:
    """Return the tensors by our names; none may be unknown or missing."""
    unknown = sorted(set(theirs) - {source.name for source in keys.values()})
    if unknown:
        raise CheckpointError(f"has {quoted(unknown[0])}, which no StyleGAN2 {what} has")
    renamed = {}
    for ours, source in keys.items():
        if source.name not in theirs:
            if source.name in others:
                kind = quoted(others[source.name])
                raise CheckpointError(f"has {kind} in place of the tensor {source.name!r}")
            raise CheckpointError(f"lacks the tensor {source.name} of its {what}")
        try:
            renamed[ours] = theirs[source.name].dropping(source.drop)
        except CheckpointError as error:
            raise CheckpointError(f"has the tensor {source.name} wrong: it {error}") from None
    return renamed


def _latent_average(value: TensorRef | None) -> TensorRef | None:
    """Return latent_avg as [w_dim]; pSp stores it repeated for every style.

    None if it is missing or differs between styles.
    """
    if value is None or len(value.size) != 2:
        return value
    rows = value.load()
    if not torch.equal(rows, rows[:1].expand_as(rows)):
        return None
    row = rows[0].clone()
    return TensorRef(Storage(row.nbytes, lambda: row), 0, tuple(row.shape), (1,))
