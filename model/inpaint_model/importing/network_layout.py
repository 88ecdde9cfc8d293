"""Build networks from named tensors: infer the sizes from the shapes and check everything.

Shapes are compared with those of the described network before any tensor data is read.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import NamedTuple, TypeVar

import torch
from torch import nn

from inpaint_model.importing.contents import Entry
from inpaint_model.importing.errors import CheckpointError, quoted
from inpaint_model.importing.tensors import TensorRef
from inpaint_model.networks.config import (
    MAX_RESOLUTION,
    MIN_RESOLUTION,
    DiscriminatorConfig,
    GeneratorConfig,
    resolutions,
)
from inpaint_model.networks.discriminator import Discriminator
from inpaint_model.networks.generator import Generator

MAX_WIDTH = 8192  # channels, latents, labels; published networks have up to 1024
MAX_MAPPING_LAYERS = 64
MAX_KERNEL_BYTES = 4096  # of a low-pass of 16 numbers, as stored
W_AVG_SAMPLES, W_AVG_BATCH, W_AVG_SEED = 10_000, 1_000, 0
ESTIMATED_W_AVG = "it holds no mean latent for all styles; estimated one from 10,000 samples"

BOOKKEEPING = frozenset({"n_averaged", "latent_avg"})  # stored with a network's tensors

Tensors = Mapping[str, TensorRef]
Network = TypeVar("Network", bound=nn.Module)


class Networks(NamedTuple):
    """Networks in a file, their tensors not yet read."""

    format: str
    generator: tuple[GeneratorConfig, Tensors]
    discriminator: tuple[DiscriminatorConfig, Tensors] | None
    notes: tuple[str, ...] = ()  # for the user, one sentence each
    ignored: tuple[str, ...] = ()  # names of other content
    precision: str = ""  # of the networks' computation, if known

    def check(self, file_size: int) -> None:
        """Check that the networks match, and that tensors that share bytes do not expand a file."""
        parts = [self.generator[1]]
        if self.discriminator:
            parts.append(self.discriminator[1])
            generator, discriminator = self.generator[0], self.discriminator[0]
            if generator.resolution != discriminator.resolution:
                raise CheckpointError(
                    f"has a generator of {generator.resolution} px but a discriminator of "
                    f"{discriminator.resolution} px"
                )
            if generator.c_dim != discriminator.c_dim:
                raise CheckpointError(
                    f"has a generator of {generator.c_dim} classes but a discriminator of "
                    f"{discriminator.c_dim}"
                )
        if sum(t.storage.nbytes for part in parts for t in part.values()) > 4 * file_size:
            raise CheckpointError("describes far more data than it holds")


def foreign(entries: Mapping[str, Entry], known: Collection[str]) -> dict[str, TensorRef]:
    """Return the tensors of a network without those of other dictionaries.

    Unknown ones in its own stay, for readers to refuse, except counters: single numbers whose names
    have no dots.
    """
    known = frozenset(known)
    homes = {entries[name].home for name in known}
    return {
        name: entry.tensor
        for name, entry in entries.items()
        if name in known or (entry.home in homes and not _is_bookkeeping(name, entry.tensor))
    }


def _is_bookkeeping(name: str, tensor: TensorRef) -> bool:
    return name in BOOKKEEPING or ("." not in name and tensor.numel == 1)


def check_unused_average(name: str, average: TensorRef) -> None:
    """Check that a running mean of magnitudes is 1 and thus has no effect.

    StyleGAN3 divides by it, and some StyleGAN2 networks of that time store it.
    """
    small = average.numel == 1 and average.storage.nbytes <= MAX_KERNEL_BYTES
    if small and float(_load_tensor(name, average)) == 1.0:
        return
    raise CheckpointError(f"has {quoted(name)}, which no StyleGAN2 network has")


def generator_config(
    tensors: Tensors, mapping_lr_multiplier: float = 0.01, conv_clamp: float | None = None
) -> GeneratorConfig:
    """Infer a generator's configuration from its tensors (our names)."""
    resolution = _resolution(tensors, "synthesis.b{}.conv1.weight", "generator")
    channels = tuple(
        _shape(tensors, f"synthesis.b{r}.conv1.weight", 4)[0] for r in resolutions(resolution)
    )
    rgb = _shape(tensors, f"synthesis.b{resolution}.to_rgb.weight", 4)[0]
    if rgb != 3:
        raise CheckpointError(f"makes images of {rgb} channels; only RGB is supported")
    w_dim = _shape(tensors, "synthesis.b4.conv1.affine.weight", 2)[1]
    c_dim = _label_width(tensors)
    z_dim = _shape(tensors, "mapping.fc0.weight", 2)[1] - (w_dim if c_dim else 0)
    _check_widths(*channels, w_dim, z_dim)
    return GeneratorConfig(
        resolution=resolution,
        z_dim=z_dim,
        w_dim=w_dim,
        channels=channels,
        c_dim=c_dim,
        num_mapping_layers=_mapping_layers(tensors),
        mapping_lr_multiplier=mapping_lr_multiplier,
        conv_clamp=conv_clamp,
    )


def discriminator_config(
    tensors: Tensors, mbstd_group_size: int = 4, conv_clamp: float | None = None
) -> DiscriminatorConfig:
    """Infer a discriminator's configuration from its tensors."""
    resolution = _resolution(tensors, "b{}.conv0.weight", "discriminator")
    sizes = resolutions(resolution)
    b4 = _shape(tensors, "b8.conv1.weight", 4)[0]
    channels = (b4, *(_shape(tensors, f"b{r}.conv0.weight", 4)[0] for r in sizes[1:]))
    c_dim = _label_width(tensors)
    cmap_dim = _shape(tensors, "b4.out.weight", 2)[0] if c_dim else 0
    mbstd_num_channels = _shape(tensors, "b4.conv.weight", 4)[1] - b4
    _check_widths(*channels, *([cmap_dim] if c_dim else []))
    if mbstd_num_channels < 0 or (mbstd_num_channels and b4 % mbstd_num_channels):
        raise CheckpointError("has a discriminator whose last block does not fit the others")
    return DiscriminatorConfig(
        resolution=resolution,
        channels=channels,
        c_dim=c_dim,
        cmap_dim=cmap_dim,
        num_mapping_layers=_mapping_layers(tensors) if c_dim else 8,
        mbstd_group_size=mbstd_group_size,
        mbstd_num_channels=mbstd_num_channels,
        conv_clamp=conv_clamp,
    )


def build_generator(
    config: GeneratorConfig, tensors: Tensors, dtypes: set[torch.dtype] | None = None
) -> Generator:
    """Return a generator with these tensors (our names), float32 on the CPU.

    A missing `mapping.w_avg` (training checkpoints of rosinality) is estimated and missing noise is
    drawn, from fixed seeds. If no layer has noise, its strength is 0. Stored types join `dtypes`.
    """
    with torch.device("meta"):
        network = Generator(config)
    wanted = dict(network.state_dict())
    optional = {name for name in wanted if name.endswith("noise_const")} | {"mapping.w_avg"}
    if not any(name.endswith("noise_strength") for name in tensors):
        optional |= {name for name in wanted if name.endswith("noise_strength")}
    loaded = _load(wanted, tensors, optional, "generator", dtypes)
    generator = torch.Generator("cpu").manual_seed(0)
    for name in sorted(optional - set(loaded)):
        drawn = name.endswith("noise_const")
        shape = wanted[name].shape
        loaded[name] = torch.randn(shape, generator=generator) if drawn else torch.zeros(shape)
    network = _assign(network, loaded)
    if "mapping.w_avg" not in tensors:
        w_avg = estimate_w_avg(network)
        if not bool(torch.isfinite(w_avg).all()):
            raise CheckpointError("has a mapping network that yields no finite numbers")
        network.mapping.w_avg.copy_(w_avg)
    return network


def build_discriminator(
    config: DiscriminatorConfig, tensors: Tensors, dtypes: set[torch.dtype] | None = None
) -> Discriminator:
    """Return a discriminator, as `build_generator` does."""
    with torch.device("meta"):
        network = Discriminator(config)
    wanted = dict(network.state_dict())
    return _assign(network, _load(wanted, tensors, set(), "discriminator", dtypes))


@torch.no_grad()
def estimate_w_avg(generator: Generator) -> torch.Tensor:
    """Return the mean w [w_dim] of 10,000 z and uniformly drawn classes of a fixed seed."""
    config = generator.config
    source = torch.Generator("cpu").manual_seed(W_AVG_SEED)
    total = torch.zeros(config.w_dim, dtype=torch.float64)
    for _ in range(W_AVG_SAMPLES // W_AVG_BATCH):
        z = torch.randn(W_AVG_BATCH, config.z_dim, generator=source)
        c = None
        if config.c_dim:
            c = torch.eye(config.c_dim)[
                torch.randint(config.c_dim, (W_AVG_BATCH,), generator=source)
            ]
        total += generator.mapping.map(z, c).double().sum(dim=0)
    return (total / W_AVG_SAMPLES).float()


def check_resample_filter(name: str, kernel: TensorRef) -> None:
    """Check that a low-pass is the published networks' [1, 3, 3, 1].

    Kernels are stored as [4] or [4, 4], scaled by the gain of the operation.
    """
    taps = torch.tensor([1.0, 3.0, 3.0, 1.0], dtype=torch.float64) / 8.0
    expected = {(4,): taps, (4, 4): torch.outer(taps, taps)}.get(kernel.size)
    if expected is not None and kernel.storage.nbytes <= MAX_KERNEL_BYTES:
        stored = _load_tensor(name, kernel).double()
        if torch.allclose(stored / stored.sum(), expected, atol=1e-4):
            return
    raise CheckpointError("filters with another low-pass than [1, 3, 3, 1], which is not supported")


def _resolution(tensors: Tensors, pattern: str, what: str) -> int:
    size = 8
    while size < 2 * MAX_RESOLUTION and pattern.format(2 * size) in tensors:
        size *= 2
    if pattern.format(8) not in tensors or not MIN_RESOLUTION <= size <= MAX_RESOLUTION:
        raise CheckpointError(
            f"holds no StyleGAN2 {what} of {MIN_RESOLUTION} to {MAX_RESOLUTION} px"
        )
    return size


def _shape(tensors: Tensors, name: str, dimensions: int) -> tuple[int, ...]:
    if name not in tensors:
        raise CheckpointError(f"lacks the tensor {name}")
    shape = tensors[name].size
    if len(shape) != dimensions:
        raise CheckpointError(f"has the tensor {name} with the impossible shape {list(shape)}")
    return shape


def _label_width(tensors: Tensors) -> int:
    if "mapping.embed.weight" not in tensors:
        return 0
    c_dim = _shape(tensors, "mapping.embed.weight", 2)[1]
    _check_widths(c_dim)
    return c_dim


def _mapping_layers(tensors: Tensors) -> int:
    count = 0
    while count <= MAX_MAPPING_LAYERS and f"mapping.fc{count}.weight" in tensors:
        count += 1
    if not 1 <= count <= MAX_MAPPING_LAYERS:
        raise CheckpointError(f"has a mapping network of {count} layers")
    return count


def _check_widths(*widths: int) -> None:
    for width in widths:
        if not 1 <= width <= MAX_WIDTH:
            raise CheckpointError(f"has a layer of width {width}; 1 to {MAX_WIDTH} are possible")


def _load(
    wanted: Mapping[str, torch.Tensor],
    tensors: Tensors,
    optional: set[str],
    what: str,
    dtypes: set[torch.dtype] | None,
) -> dict[str, torch.Tensor]:
    unknown = sorted(set(tensors) - set(wanted))
    if unknown:
        raise CheckpointError(f"has {quoted(unknown[0])}, which no StyleGAN2 {what} has")
    missing = sorted(set(wanted) - set(tensors) - optional)
    if missing:
        raise CheckpointError(f"lacks the tensor {missing[0]} of its {what}")
    for name, tensor in tensors.items():
        if tensor.size != tuple(wanted[name].shape):
            raise CheckpointError(
                f"has the tensor {name} of its {what} in the shape {list(tensor.size)}, "
                f"but its other tensors require {list(wanted[name].shape)}"
            )
    return {name: _load_tensor(name, tensor, dtypes) for name, tensor in tensors.items()}


def _load_tensor(
    name: str, tensor: TensorRef, dtypes: set[torch.dtype] | None = None
) -> torch.Tensor:
    try:
        data = tensor.load()
    except CheckpointError as error:
        raise CheckpointError(f"{error} (tensor {name})") from None
    if not data.is_floating_point():
        raise CheckpointError(f"has the tensor {name} as {data.dtype}, not as real numbers")
    if dtypes is not None:
        dtypes.add(data.dtype)
    data = data.float()
    if not bool(torch.isfinite(data).all()):
        raise CheckpointError(f"has values in the tensor {name} that are not finite numbers")
    return data


def _assign(network: Network, loaded: Mapping[str, torch.Tensor]) -> Network:
    network.load_state_dict(loaded, strict=True, assign=True)
    return network.requires_grad_(False).eval()
