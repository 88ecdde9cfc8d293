"""Hash, check and load the tensors of a bundle."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import TypeVar

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from inpaint_model.baselines.archs import make_model
from inpaint_model.bundle.manifest import WEIGHTS, BundleError, BundleInfo, first_line
from inpaint_model.networks.config import GeneratorConfig
from inpaint_model.networks.detail_network import DetailNetwork
from inpaint_model.networks.discriminator import Discriminator
from inpaint_model.networks.generator import Generator
from inpaint_model.networks.inpainting_model import InpaintingModel
from inpaint_model.networks.naturalness_head import NaturalnessHead
from inpaint_model.networks.refinement_network import RefinementNetwork

DETAIL = "detail.safetensors"
NATURALNESS = "naturalness.safetensors"
MAPPED_BYTES = 64 * 2**20

Part = TypeVar("Part", bound=nn.Module)


def generator_sha256(tensors: Mapping[str, Tensor]) -> str:
    """Hash a generator's tensors as float32 in name order, to identify its latent space."""
    digest = hashlib.sha256()
    for name in sorted(tensors):
        digest.update(name.encode())
        digest.update(tensors[name].detach().float().contiguous().cpu().numpy().tobytes())
    return digest.hexdigest()


def file_sha256(path: Path) -> str:
    """Return a file's hexadecimal hash."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def load_tensors(info: BundleInfo, prefixes: Iterable[str] | None = None) -> dict[str, Tensor]:
    """Return the stored tensors of some parts, such as "framer"; None for all.

    Raises:
        BundleError: The weights are missing, damaged, or do not match model.yaml.
    """
    return dict(_stored_tensors(_checked_weights(info), info.folder, prefixes))


def _checked_weights(info: BundleInfo) -> Path:
    path = info.folder / WEIGHTS
    try:
        if file_sha256(path) != info.weights_sha256:
            raise BundleError(f"{path} is not the file that model.yaml describes (sha256 differs)")
    except FileNotFoundError:
        raise BundleError(f"{info.folder} has no {WEIGHTS}") from None
    return path


def _stored_tensors(
    path: Path, folder: Path, prefixes: Iterable[str] | None = None
) -> Iterator[tuple[str, Tensor]]:
    """Yield copied tensors, mapping the file again every 64 MiB.

    Its pages stay in memory until it is unmapped.
    """
    wanted = tuple(f"{prefix}." for prefix in prefixes) if prefixes is not None else ("",)
    try:
        with safe_open(path, framework="pt") as file:
            names = [name for name in file.keys() if name.startswith(wanted)]  # noqa: SIM118
        while names:
            taken = 0
            with safe_open(path, framework="pt") as file:
                while names and taken < MAPPED_BYTES:
                    name = names.pop(0)
                    tensor = file.get_tensor(name)
                    # Converting to the layout of convolutions later would fragment the heap.
                    kept = torch.channels_last if tensor.ndim == 4 else torch.contiguous_format
                    tensor = tensor.clone(memory_format=kept)
                    taken += tensor.nbytes
                    yield name, tensor
    except SafetensorError as error:
        raise BundleError(f"{path} is damaged: {first_line(error)}") from None
    except FileNotFoundError:
        raise BundleError(f"{folder} has no {path.name}") from None


def check_weights(info: BundleInfo) -> None:
    """Check the weights without allocating memory for them.

    Raises:
        BundleError: They are missing, damaged, or do not match model.yaml.
    """
    config = info.config
    if isinstance(config, GeneratorConfig):
        _check_shapes(lambda: Generator(config), info.folder / WEIGHTS, "generator.")
    else:
        _check_shapes(lambda: make_model(config), info.folder / WEIGHTS)
    _checked_weights(info)


def _check_shapes(make: Callable[[], nn.Module], path: Path, prefix: str = "") -> None:
    """Check the shapes in a file before memory for them is allocated."""
    with torch.device("meta"):
        wanted = {prefix + name: list(t.shape) for name, t in make().state_dict().items()}
    try:
        with safe_open(path, framework="pt") as file:
            stored = set(file.keys())
            for name, shape in wanted.items():
                if name not in stored:
                    raise BundleError(f"{path} lacks {name}, which the config asks for")
                if file.get_slice(name).get_shape() != shape:
                    raise BundleError(
                        f"{path}: {name} has shape {file.get_slice(name).get_shape()}, "
                        f"the config wants {shape}"
                    )
    except FileNotFoundError:
        raise BundleError(f"{path.parent} has no {path.name}") from None
    except SafetensorError as error:
        raise BundleError(f"{path} is damaged: {first_line(error)}") from None


def _fill(module: nn.Module, tensors: Iterable[tuple[str, Tensor]], folder: Path) -> None:
    """Assign float32 tensors, one by one, to a module on the meta device."""
    wanted = {name: value.shape for name, value in module.state_dict().items()}
    for name, value in tensors:
        shape = wanted.pop(name, None)
        if shape is None:
            raise BundleError(f"{folder}: the config has no place for the tensor {name}")
        if shape != value.shape:
            raise BundleError(
                f"{folder}: {name} has shape {list(value.shape)}, the config wants {list(shape)}"
            )
        if value.is_floating_point() and not bool(torch.isfinite(value).all()):
            raise BundleError(f"{folder}: {name} holds values that are not finite")
        owner = module.get_submodule(name.rpartition(".")[0])
        converted = value.float() if value.is_floating_point() else value
        owner.load_state_dict({name.rpartition(".")[2]: converted}, strict=False, assign=True)
    if wanted:
        missing = next(iter(wanted))
        raise BundleError(f"{folder}: {len(wanted)} tensors are missing, such as {missing}")


def load_generator(info: BundleInfo) -> Generator:
    """Return the generator of either kind of bundle: float32, CPU, no gradients.

    Raises:
        BundleError: Weights are missing, damaged, or do not match model.yaml.
    """
    config = info.generator_config
    return _part(info, "generator", lambda: Generator(config))


def load_refinement(info: BundleInfo) -> RefinementNetwork | None:
    """Return a bundle's refinement network, if it has one: float32, CPU, no gradients.

    Raises:
        BundleError: Weights are missing, damaged, or do not match model.yaml.
    """
    config = info.refinement
    return None if config is None else _part(info, "refinement", lambda: RefinementNetwork(config))


def _part(info: BundleInfo, name: str, make: Callable[[], Part]) -> Part:
    """Load one of the parts of the weights."""
    prefix = f"{name}."
    _check_shapes(make, info.folder / WEIGHTS, prefix)
    with torch.device("meta"):
        part = make()
    stored = _stored_tensors(_checked_weights(info), info.folder, [name])
    _fill(part, ((k.removeprefix(prefix), v) for k, v in stored), info.folder)
    return part.eval().requires_grad_(False)


def load_model(info: BundleInfo) -> InpaintingModel:
    """Return the inpainting model of a bundle: float32, CPU, no gradients.

    Raises:
        BundleError: There is only a generator, or weights are missing, damaged, or do not match.
    """
    if isinstance(info.config, GeneratorConfig):
        raise BundleError(
            f"{info.folder} holds only a generator; first train an inpainting model around it with "
            "`inpaint-model train inpainter --generator`"
        )
    config = info.config
    _check_shapes(lambda: make_model(config), info.folder / WEIGHTS)
    with torch.device("meta"):
        model = make_model(config)
    parts = [name for name, _ in model.named_children()]
    _fill(model, _stored_tensors(_checked_weights(info), info.folder, parts), info.folder)
    return model.eval().requires_grad_(False)


def load_discriminator(info: BundleInfo) -> Discriminator | None:
    """Return a bundle's discriminator, if stored.

    Raises:
        BundleError: Its file is damaged or does not match.
    """
    path = info.folder / "discriminator.safetensors"
    config = info.discriminator
    if config is None or not path.exists():
        return None
    return _from_file(path, lambda: Discriminator(config))


def load_detail(info: BundleInfo) -> DetailNetwork | None:
    """Return a bundle's detail network, if it has one: float32, CPU, no gradients.

    Raises:
        BundleError: Its file is missing, damaged, or does not match.
    """
    config = info.detail
    if config is None:
        return None
    network = _from_file(info.folder / DETAIL, lambda: DetailNetwork(config))
    return network.eval().requires_grad_(False)


def load_naturalness(info: BundleInfo) -> NaturalnessHead | None:
    """Return what judges the naturalness of a bundle's fills, if it has it: float32, CPU.

    Raises:
        BundleError: Its file is missing, damaged, or does not match.
    """
    if info.naturalness is None:
        return None
    return _from_file(info.folder / NATURALNESS, NaturalnessHead).eval().requires_grad_(False)


def _from_file(path: Path, make: Callable[[], Part]) -> Part:
    """Load a part that has its own file in a bundle, in float32 on the CPU."""
    _check_shapes(make, path)
    with torch.device("meta"):
        part = make()
    _fill(part, _stored_tensors(path, path.parent), path.parent)
    return part
