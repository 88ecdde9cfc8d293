"""Directions in bundles: entries of model.yaml, vectors in directions.safetensors."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from inpaint_model.bundle.directions import Direction
from inpaint_model.bundle.manifest import BundleError, BundleInfo, first_line, read_bundle
from inpaint_model.bundle.tensor_files import write_tensors
from inpaint_model.bundle.writer import edit_manifest, rewriting
from inpaint_model.networks.config import TITLES, GeneratorConfig

VECTORS = "directions.safetensors"
Found = tuple[Direction, Tensor]
"""A direction and its vector."""


def load_vectors(info: BundleInfo) -> dict[str, Tensor]:
    """Return vectors by name, float32, [w_dim] or [num_ws, w_dim].

    Raises:
        BundleError: A vector is missing, or not of this generator.
    """
    path = info.folder / VECTORS
    if not info.directions:
        return {}
    try:
        stored = load_file(path)
    except FileNotFoundError:
        raise BundleError(f"{info.folder} lists directions but has no {VECTORS}") from None
    except SafetensorError as error:
        raise BundleError(f"{path} is damaged: {first_line(error)}") from None
    vectors = {}
    for direction in info.directions:
        if direction.name not in stored:
            raise BundleError(f"{path} has no vector for the direction {direction.name!r}")
        vectors[direction.name] = _checked(info, direction, stored[direction.name])
    return vectors


def _checked(info: BundleInfo, direction: Direction, vector: Tensor) -> Tensor:
    config, name = info.generator_config, direction.name
    if direction.generator_sha256 != info.generator_sha256:
        theirs = direction.generator_sha256[:12] or "unknown"
        raise BundleError(
            f"the direction {name!r} belongs to another generator ({theirs}; this one is "
            f"{info.generator_sha256[:12]}); find it again in this generator, or remove it"
        )
    if vector.shape not in ((config.w_dim,), (config.num_ws, config.w_dim)):
        raise BundleError(
            f"the vector of the direction {name!r} is {list(vector.shape)}; this generator takes "
            f"[{config.w_dim}] or [{config.num_ws}, {config.w_dim}]"
        )
    if not vector.is_floating_point() or not bool(torch.isfinite(vector).all()):
        raise BundleError(f"the vector of the direction {name!r} has values that are not finite")
    if not direction.layers or not set(direction.layers) <= set(range(config.num_ws)):
        raise BundleError(
            f"the direction {name!r} acts on styles {list(direction.layers)}; "
            f"this generator has 0 to {config.num_ws - 1}"
        )
    return vector.float()


def check_editable(info: BundleInfo) -> None:
    """Check that directions can apply to a bundle's model.

    Raises:
        BundleError: Its codes are not the generator's.
    """
    if not isinstance(info.config, GeneratorConfig) and not info.config.abilities.editable:
        raise BundleError(
            f"{info.folder} is a {TITLES[info.config.arch]} model, whose codes are not the "
            "generator's, so that directions do not apply to it; use a bundle of another arch"
        )


def add_directions(folder: Path, found: Sequence[Found]) -> BundleInfo:
    """Add directions to a bundle, all or none, replacing those of the same names.

    Raises:
        BundleError: The bundle is invalid, or a direction belongs to another generator.
        ValueError: Two directions have the same name, or the model cannot be edited.
    """
    info = read_bundle(folder)
    check_editable(info)
    for direction, vector in found:
        _checked(info, direction, vector)
    names = {direction.name for direction, _ in found}
    if len(names) < len(found):
        raise ValueError("two directions have the same name")
    kept = [direction for direction in info.directions if direction.name not in names]
    vectors = {name: v for name, v in load_vectors(info).items() if name not in names}
    vectors |= {direction.name: vector for direction, vector in found}
    return write_directions(info, [*kept, *(direction for direction, _ in found)], vectors)


def directions_of(folders: Iterable[Path], generator_sha256: str) -> dict[str, Found]:
    """Return by name the directions of a generator's bundles among `folders`; later ones win.

    Raises:
        BundleError: A bundle or its directions cannot be read.
    """
    found: dict[str, Found] = {}
    for folder in folders:
        if not (folder / "model.yaml").exists():
            continue
        info = read_bundle(folder)
        if info.generator_sha256 == generator_sha256:
            vectors = load_vectors(info)
            found |= {own.name: (own, vectors[own.name]) for own in info.directions}
    return found


def write_directions(
    info: BundleInfo, directions: Sequence[Direction], vectors: Mapping[str, Tensor]
) -> BundleInfo:
    """Replace a bundle's directions and their vectors, all or none."""
    with rewriting(info.folder, keep=True) as new:
        (new / VECTORS).unlink(missing_ok=True)
        edit_manifest(new, directions=[direction.to_dict() for direction in directions])
        if directions:
            own = {d.name: vectors[d.name].float().cpu().contiguous().clone() for d in directions}
            write_tensors(own, new / VECTORS)
    return read_bundle(info.folder)
