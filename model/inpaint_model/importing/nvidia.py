"""Pickles of stylegan2-ada-pytorch, and the StyleGAN2 networks of stylegan3's releases.

Such a pickle holds modules as NVIDIA's `torch_utils.persistence` writes them: a class name, the
module's state, and its Python source, which the stock loader executes. We read the state only.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple, TypeGuard

from inpaint_model.importing.errors import CheckpointError, quoted
from inpaint_model.importing.inert import PersistentObject, finite_number
from inpaint_model.importing.keys import nvidia_name
from inpaint_model.importing.network_layout import (
    ESTIMATED_W_AVG,
    Networks,
    Tensors,
    check_resample_filter,
    discriminator_config,
    generator_config,
)
from inpaint_model.importing.tensors import TensorRef
from inpaint_model.networks.config import DiscriminatorConfig, GeneratorConfig

MAX_DEPTH = 8  # modules within modules; a generator has 4
MAX_GROUP = 65_536  # samples that share a minibatch standard deviation: all of a batch
MAX_MODULES = 2_000  # of one network; a 1024 px generator has some 60


class _Module(NamedTuple):
    """One module of a network: our dotted name, its class and its plain attributes."""

    name: str
    class_name: str
    attributes: Mapping[str, object]


def is_nvidia(value: object) -> TypeGuard[dict[str, object]]:
    """Return whether an unpickled value is a dictionary with a persistent generator in it."""
    return isinstance(value, dict) and any(
        isinstance(value.get(key), PersistentObject) for key in ("G_ema", "G")
    )


def read_networks(value: Mapping[str, object]) -> Networks:
    """Read the averaged generator (else the raw one) and the discriminator, by our names."""
    key = "G_ema" if isinstance(value.get("G_ema"), PersistentObject) else "G"
    notes = [] if key == "G_ema" else ["it holds no averaged generator (G_ema); took G"]
    generator = _generator(value[key])
    if "mapping.w_avg" not in generator[1]:
        notes.append(ESTIMATED_W_AVG)
    discriminator = None
    if isinstance(value.get("D"), PersistentObject):
        modules, tensors = _flatten(value["D"])
        unsupported = _unsupported(modules, "resnet")
        if "mapping.embed.weight" in tensors and _mapping_lr_multiplier(modules) != 0.01:
            unsupported = "its label mapping has another learning rate multiplier than 0.01"
        if unsupported:
            notes.append(f"left its discriminator out: {unsupported}")
        else:
            discriminator = _discriminator(modules, tensors)
    return Networks("nvidia", generator, discriminator, tuple(notes))


def _generator(value: object) -> tuple[GeneratorConfig, Tensors]:
    modules, tensors = _flatten(value)
    if any(module.name == "synthesis.input" for module in modules):
        raise CheckpointError(
            "holds a StyleGAN3 generator (alias-free); only StyleGAN2 can be used"
        )
    unsupported = _unsupported(modules, "skip")
    if unsupported:
        raise CheckpointError(f"holds a generator that cannot be used: {unsupported}")
    clamp, lr_multiplier = _conv_clamp(modules), _mapping_lr_multiplier(modules)
    return generator_config(tensors, lr_multiplier, clamp), tensors


def _discriminator(modules: list[_Module], tensors: Tensors) -> tuple[DiscriminatorConfig, Tensors]:
    group_size = 4
    for module in modules:
        if module.class_name == "MinibatchStdLayer":
            size = module.attributes.get("group_size", 4)
            group_size = MAX_GROUP if size is None else _whole_number(size, "minibatch group")
    return discriminator_config(tensors, group_size, _conv_clamp(modules)), tensors


def _flatten(value: object) -> tuple[list[_Module], Tensors]:
    """Return all modules of a network, and its tensors by our names, low-pass kernels left out."""
    modules: list[_Module] = []
    tensors: dict[str, TensorRef] = {}
    for module in _walk(value, "", 0):
        if len(modules) >= MAX_MODULES:
            raise CheckpointError(f"holds a network of more than {MAX_MODULES} modules")
        modules.append(module)
        for group in ("_parameters", "_buffers"):
            for key, tensor in _mapping(module.attributes.get(group, {}), group).items():
                if tensor is None:
                    continue
                name = nvidia_name(f"{module.name}.{key}" if module.name else str(key))
                if not isinstance(tensor, TensorRef):
                    raise CheckpointError(f"has {quoted(tensor)} in place of {quoted(name)}")
                if key == "resample_filter":
                    check_resample_filter(name, tensor)
                else:
                    tensors[name] = tensor
    return modules, tensors


def _walk(value: object, name: str, depth: int) -> Iterator[_Module]:
    if not isinstance(value, PersistentObject) or depth > MAX_DEPTH:
        raise CheckpointError(f"has {quoted(value)} in place of the module {quoted(name)}")
    yield _Module(nvidia_name(name), value.class_name, value.state)
    for key, child in _mapping(value.state.get("_modules", {}), "_modules").items():
        yield from _walk(child, f"{name}.{key}" if name else str(key), depth + 1)


def _mapping(value: object, what: str) -> Mapping[str, object]:
    if not isinstance(value, dict):
        raise CheckpointError(f"has {quoted(value)} in place of a module's {what}")
    return value


def _unsupported(modules: list[_Module], architecture: str) -> str | None:
    """Return why these modules are no StyleGAN2 network of the usual kind, or None."""
    for module in modules:
        attributes = module.attributes
        if attributes.get("architecture", architecture) != architecture:
            return f"its architecture is not {architecture!r}"
        if attributes.get("img_channels", 3) != 3:
            return "its pictures are not RGB"
        expected = "linear" if module.name.endswith(_LINEAR) else "lrelu"
        if attributes.get("activation", expected) != expected:
            return f"{quoted(module.name)} does not have the activation {expected!r}"
    return None


_LINEAR = ("affine", "embed", "b4.out", "skip")  # layers without an activation


def _conv_clamp(modules: list[_Module]) -> float | None:
    """Return the bound of the features, which networks made for fp16 have in all their layers."""
    clamps = {
        clamp if clamp is None or finite_number(clamp) else "?"
        for module in modules
        if "conv_clamp" in module.attributes
        for clamp in [module.attributes["conv_clamp"]]
    }
    if not clamps or clamps == {None}:
        return None
    clamp = clamps.pop()
    if clamps or not isinstance(clamp, int | float) or not clamp > 0:
        raise CheckpointError("clamps its layers differently, which is not supported")
    return float(clamp)


def _mapping_lr_multiplier(modules: list[_Module]) -> float:
    """The learning rate multiplier of the mapping network, which scales its stored weights."""
    gains = {
        gain if finite_number(gain) else "?"
        for module in modules
        if module.name.startswith("mapping.fc")
        for gain in [module.attributes.get("bias_gain", 0.01)]
    }
    gain = gains.pop() if len(gains) == 1 else None
    if not isinstance(gain, int | float) or not 0 < gain <= 1:
        raise CheckpointError("has a mapping network with impossible learning rate multipliers")
    return float(gain)


def _whole_number(value: object, what: str) -> int:
    if type(value) is not int or not 1 <= value <= MAX_GROUP:
        raise CheckpointError(f"has an impossible {what} size")
    return value
