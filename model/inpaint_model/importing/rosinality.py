"""Checkpoints of rosinality's stylegan2-pytorch, and of the pSp family, which embeds its decoder.

Three kinds: converted files {g_ema, latent_avg, ...}; training checkpoints {g, d, g_ema, g_optim,
d_optim, args}, which lack the mean latent; and {state_dict: {decoder.*, encoder.*}, latent_avg}
of pSp, e4e, HFGI and their kin. A bare state dict is read too.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TypeGuard

import torch

from inpaint_model.importing.errors import CheckpointError, quoted
from inpaint_model.importing.keys import Source, rosinality_discriminator, rosinality_generator
from inpaint_model.importing.network_layout import (
    ESTIMATED_W_AVG,
    MAX_MAPPING_LAYERS,
    Networks,
    Tensors,
    check_resample_filter,
    discriminator_config,
    generator_config,
)
from inpaint_model.importing.tensors import Storage, TensorRef
from inpaint_model.networks.config import MAX_RESOLUTION, MIN_RESOLUTION

DECODER = "decoder."
_KERNEL = re.compile(r"(^|\.)kernel$")  # low-pass kernels: constants


def is_rosinality(value: object) -> TypeGuard[dict[str, object]]:
    """Return whether an unpickled value looks like one of the three kinds."""
    return isinstance(value, dict) and _generator_state(value) is not None


def read_networks(value: Mapping[str, object]) -> Networks:
    """Read the averaged generator (else the raw one) and the discriminator, by our names."""
    found = _generator_state(value)
    assert found is not None  # is_rosinality() said so
    kind, state = found
    notes = []
    if kind == "g":
        notes.append("it holds no averaged generator (g_ema); took g")
    theirs = _tensors(state)
    resolution, layers = _resolution(theirs), _mapping_layers(theirs)
    keys = rosinality_generator(resolution, layers)
    if not any(name.startswith("noises.") for name in theirs):  # early versions store none
        keys = {name: source for name, source in keys.items() if "noises." not in source.name}
        notes.append("it holds no noise; drew one from a fixed seed")
    tensors = _renamed(theirs, keys, "generator")
    w_avg = _latent_average(value.get("latent_avg"))
    if w_avg is None:
        notes.append(ESTIMATED_W_AVG)
    else:
        tensors["mapping.w_avg"] = w_avg
    discriminator = None
    d_state = value.get("d")
    if isinstance(d_state, dict):
        renamed = _renamed(_tensors(d_state), rosinality_discriminator(resolution), "discriminator")
        discriminator = (discriminator_config(renamed), renamed)
    name = "psp" if kind == "decoder" else "rosinality"
    return Networks(name, (generator_config(tensors), tensors), discriminator, tuple(notes))


def _generator_state(value: Mapping[str, object]) -> tuple[str, Mapping[str, object]] | None:
    """Return where the generator's state dict is, and the dict."""
    for kind in ("g_ema", "g"):
        state = value.get(kind)
        if isinstance(state, dict) and "input.input" in state:
            return kind, state
    state = value.get("state_dict")
    if isinstance(state, dict) and f"{DECODER}input.input" in state:
        decoder = {
            name.removeprefix(DECODER): tensor
            for name, tensor in state.items()
            if isinstance(name, str) and name.startswith(DECODER)
        }
        return "decoder", decoder
    return ("state", value) if "input.input" in value else None


def _tensors(state: Mapping[str, object]) -> Tensors:
    """Return the tensors of a state dict, low-pass kernels checked and left out."""
    tensors = {}
    for name, tensor in state.items():
        if not isinstance(name, str) or not isinstance(tensor, TensorRef):
            raise CheckpointError(f"has {quoted(tensor)} in place of the tensor {quoted(name)}")
        if _KERNEL.search(name):
            check_resample_filter(name, tensor)
        else:
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


def _renamed(theirs: Tensors, keys: Mapping[str, Source], what: str) -> dict[str, TensorRef]:
    """The tensors by our names; every one of theirs must be known, and every known one there."""
    unknown = sorted(set(theirs) - {source.name for source in keys.values()})
    if unknown:
        raise CheckpointError(f"has {quoted(unknown[0])}, which no StyleGAN2 {what} has")
    renamed = {}
    for ours, source in keys.items():
        if source.name not in theirs:
            raise CheckpointError(f"lacks the tensor {source.name} of its {what}")
        try:
            renamed[ours] = theirs[source.name].dropping(source.drop)
        except CheckpointError as error:
            raise CheckpointError(f"has the tensor {source.name} wrong: it {error}") from None
    return renamed


def _latent_average(value: object) -> TensorRef | None:
    """Return latent_avg as [w_dim]: stored as such, or (pSp) repeated for every style.

    None where it is missing or differs from style to style, which one mean cannot express.
    """
    if not isinstance(value, TensorRef) or len(value.size) != 2:
        return value if isinstance(value, TensorRef) else None
    rows = value.load()
    if not torch.equal(rows, rows[:1].expand_as(rows)):
        return None
    row = rows[0].clone()
    return TensorRef(Storage(row.nbytes, lambda: row), 0, tuple(row.shape), (1,))
