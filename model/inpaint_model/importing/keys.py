"""Map the tensor names of our networks to those of other implementations.

Our names follow NVIDIA's, with `to_rgb` and `from_rgb` spelled out.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from inpaint_model.networks.config import resolutions


class Source(NamedTuple):
    """A tensor of another implementation, and its dimensions of size 1 to drop."""

    name: str
    drop: tuple[int, ...] = ()


# A modulated convolution: our suffix -> rosinality's
_SYNTHESIS_LAYER: Mapping[str, Source] = {
    "weight": Source("conv.weight", (0,)),  # [1, O, I, 3, 3]
    "affine.weight": Source("conv.modulation.weight"),
    "affine.bias": Source("conv.modulation.bias"),
    "noise_strength": Source("noise.weight", (0,)),  # [1]
    "bias": Source("activate.bias"),
}
_TO_RGB: Mapping[str, Source] = {
    "weight": Source("conv.weight", (0,)),  # [1, 3, I, 1, 1]
    "affine.weight": Source("conv.modulation.weight"),
    "affine.bias": Source("conv.modulation.bias"),
    "bias": Source("bias", (0, 2, 3)),  # [1, 3, 1, 1]
}


def nvidia_name(name: str) -> str:
    """Return our name of one of NVIDIA's tensors."""
    parts = name.split(".")
    return ".".join({"torgb": "to_rgb", "fromrgb": "from_rgb"}.get(part, part) for part in parts)


def rosinality_generator(resolution: int, num_mapping_layers: int) -> dict[str, Source]:
    """Map our names to rosinality's, without `mapping.w_avg`, which is stored apart."""
    keys = {"synthesis.b4.const": Source("input.input", (0,))}
    for i in range(num_mapping_layers):
        for part in ("weight", "bias"):
            keys[f"mapping.fc{i}.{part}"] = Source(f"style.{i + 1}.{part}")
    _add(keys, "synthesis.b4.conv1", "conv1", _SYNTHESIS_LAYER)
    _add(keys, "synthesis.b4.to_rgb", "to_rgb1", _TO_RGB)
    keys["synthesis.b4.conv1.noise_const"] = Source("noises.noise_0", (0, 1))
    for k, r in enumerate(resolutions(resolution)[1:]):
        _add(keys, f"synthesis.b{r}.conv0", f"convs.{2 * k}", _SYNTHESIS_LAYER)
        _add(keys, f"synthesis.b{r}.conv1", f"convs.{2 * k + 1}", _SYNTHESIS_LAYER)
        _add(keys, f"synthesis.b{r}.to_rgb", f"to_rgbs.{k}", _TO_RGB)
        for i in (0, 1):
            noise = Source(f"noises.noise_{2 * k + 1 + i}", (0, 1))  # [1, 1, r, r]
            keys[f"synthesis.b{r}.conv{i}.noise_const"] = noise
    return keys


def rosinality_discriminator(resolution: int) -> dict[str, Source]:
    """Map our names to rosinality's."""
    top = f"b{resolution}.from_rgb"
    keys = {f"{top}.weight": Source("convs.0.0.weight"), f"{top}.bias": Source("convs.0.1.bias")}
    for k, r in enumerate(reversed(resolutions(resolution)[1:]), start=1):
        keys |= {
            f"b{r}.conv0.weight": Source(f"convs.{k}.conv1.0.weight"),
            f"b{r}.conv0.bias": Source(f"convs.{k}.conv1.1.bias"),
            f"b{r}.conv1.weight": Source(f"convs.{k}.conv2.1.weight"),
            f"b{r}.conv1.bias": Source(f"convs.{k}.conv2.2.bias"),
            f"b{r}.skip.weight": Source(f"convs.{k}.skip.1.weight"),
        }
    return keys | {
        "b4.conv.weight": Source("final_conv.0.weight"),
        "b4.conv.bias": Source("final_conv.1.bias"),
        "b4.fc.weight": Source("final_linear.0.weight"),
        "b4.fc.bias": Source("final_linear.0.bias"),
        "b4.out.weight": Source("final_linear.1.weight"),
        "b4.out.bias": Source("final_linear.1.bias"),
    }


def _add(keys: dict[str, Source], ours: str, theirs: str, layer: Mapping[str, Source]) -> None:
    for suffix, source in layer.items():
        keys[f"{ours}.{suffix}"] = Source(f"{theirs}.{source.name}", source.drop)
