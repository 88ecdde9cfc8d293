"""Read networks in the layout of stylegan2-ada-pytorch, and of stylegan3's StyleGAN2.

Their pickles hold each module's class name, its state, and Python source, which the original loader
executes and this one drops. State dicts lack settings such as clamping; the usual ones are assumed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

from inpaint_model.importing.contents import Entry, Module
from inpaint_model.importing.errors import CheckpointError, quoted
from inpaint_model.importing.inert import finite_number
from inpaint_model.importing.keys import nvidia_name
from inpaint_model.importing.network_layout import (
    Tensors,
    check_resample_filter,
    check_unused_average,
    discriminator_config,
    foreign,
    generator_config,
)
from inpaint_model.importing.tensors import TensorRef
from inpaint_model.networks.config import DiscriminatorConfig, GeneratorConfig

GENERATOR = ("synthesis.b4.const", "synthesis.b4.conv1.weight")  # in every generator
DISCRIMINATOR = ("b4.out.weight",)
STYLEGAN3 = ("synthesis.input.freqs", "synthesis.input.weight")
MAX_GROUP = 65_536  # stands for minibatch groups of the entire batch

_CHILDREN = ("synthesis", "mapping")
_LINEAR = ("affine", "embed", "b4.out", "skip")  # layers without an activation


class Network(NamedTuple):
    """Tensors by our names, and modules if they were pickled."""

    tensors: Tensors
    modules: Sequence[Module]


def network(entries: dict[str, Entry], modules: Sequence[Module], generator: bool) -> Network:
    """Rename the tensors, and check and drop constants."""
    entries = {nvidia_name(name): entry for name, entry in entries.items()}
    known = [name for name in entries if _is_known(name, generator)]
    tensors: dict[str, TensorRef] = {}
    for name, tensor in foreign(entries, known).items():
        leaf = name.rpartition(".")[2]
        if leaf == "resample_filter":
            check_resample_filter(name, tensor)
        elif leaf == "magnitude_ema":
            check_unused_average(name, tensor)
        else:
            tensors[name] = tensor
    renamed = [module._replace(name=nvidia_name(module.name)) for module in modules]
    return Network(tensors, renamed)


def _is_known(name: str, generator: bool) -> bool:
    head = name.partition(".")[0]
    return head in _CHILDREN if generator else head[:1] == "b" and head[1:].isdigit()


def read_generator(found: Network) -> GeneratorConfig:
    """Return the configuration of a generator."""
    unsupported = _unsupported(found.modules, "skip")
    if unsupported:
        raise CheckpointError(f"holds a generator that cannot be used: {unsupported}")
    lr_multiplier = _mapping_lr_multiplier(found.modules)
    return generator_config(found.tensors, lr_multiplier, _clamp(_clamps(found.modules)))


def read_discriminator(found: Network) -> DiscriminatorConfig | str:
    """Return the configuration of a discriminator, or why it is not supported."""
    unsupported = _unsupported(found.modules, "resnet")
    if unsupported:
        return unsupported
    labels = "mapping.embed.weight" in found.tensors
    if labels and _mapping_lr_multiplier(found.modules) != 0.01:
        return "its label mapping has another learning rate multiplier than 0.01"
    clamps = _clamps(found.modules)
    skips = {name: clamp for name, clamp in clamps.items() if name.endswith(".skip")}
    others = {name: clamp for name, clamp in clamps.items() if name not in skips}
    try:
        clamp, skip = _clamp(others), _clamp(skips)
    except CheckpointError as error:
        return f"it {error}"
    if skip not in (None, clamp):
        return "it clamps its skips differently"
    config = discriminator_config(found.tensors, _group_size(found.modules), clamp)
    return replace(config, clamp_skip=skip is not None)


def precision(found: Network) -> str:
    """Say which blocks computed in half precision; "" if none did."""
    half = [
        int(leaf[1:])
        for module in found.modules
        for leaf in [module.name.rpartition(".")[2]]
        if module.attributes.get("use_fp16") is True and leaf[1:].isdigit() and len(leaf) < 6
    ]
    return f"computed in fp16 from {min(half)} px up" if half else ""


def _group_size(modules: Sequence[Module]) -> int:
    group_size = 4
    for module in modules:
        if module.class_name == "MinibatchStdLayer":
            size = module.attributes.get("group_size", 4)
            group_size = MAX_GROUP if size is None else _whole_number(size, "minibatch group")
    return group_size


def _unsupported(modules: Sequence[Module], architecture: str) -> str | None:
    """Return why these are not a supported network, or None."""
    for module in modules:
        attributes = module.attributes
        if attributes.get("architecture", architecture) != architecture:
            return f"its architecture is not {architecture!r}"
        if attributes.get("img_channels", 3) != 3:
            return "its images are not RGB"
        expected = "linear" if module.name.endswith(_LINEAR) else "lrelu"
        if attributes.get("activation", expected) != expected:
            return f"{quoted(module.name)} does not have the activation {expected!r}"
    return None


def _clamps(modules: Sequence[Module]) -> dict[str, object]:
    return {
        module.name: module.attributes["conv_clamp"]
        for module in modules
        if "conv_clamp" in module.attributes
    }


def _clamp(layers: dict[str, object]) -> float | None:
    """Return the clamp of all layers (networks made for fp16 have one)."""
    clamps = {clamp if clamp is None or finite_number(clamp) else "?" for clamp in layers.values()}
    if not clamps or clamps == {None}:
        return None
    clamp = clamps.pop()
    if clamps or not isinstance(clamp, int | float) or not clamp > 0:
        raise CheckpointError("clamps its layers differently, which is not supported")
    return float(clamp)


def _mapping_lr_multiplier(modules: Sequence[Module]) -> float:
    """Return the learning rate multiplier, which scales the stored weights."""
    gains = {
        gain if finite_number(gain) else "?"
        for module in modules
        if module.name.startswith("mapping.fc")
        for gain in [module.attributes.get("bias_gain", 0.01)]
    }
    if not modules:
        return 0.01
    gain = gains.pop() if len(gains) == 1 else None
    if not isinstance(gain, int | float) or not 0 < gain <= 1:
        raise CheckpointError("has a mapping network with impossible learning rate multipliers")
    return float(gain)


def _whole_number(value: object, what: str) -> int:
    if type(value) is not int or not 1 <= value <= MAX_GROUP:
        raise CheckpointError(f"has an impossible {what} size")
    return value
