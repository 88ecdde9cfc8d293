"""Read .npy, .npz and .pt files as other projects publish directions.

They do not name their generator. Code in them is never executed.
"""

from __future__ import annotations

import pickle
import warnings
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from inpaint_model.document.arrays import Float64Array

MAX_BYTES = 256 * 2**20
CODES = ("w", "ws", "latent", "latents", "projected_w")  # names that projectors use


class Published(NamedTuple):
    """One vector of a file."""

    name: str
    vector: Float64Array  # [w_dim] or [num_ws, w_dim], as in the file


def read_published(path: Path, num_ws: int, w_dim: int) -> list[Published]:
    """Read the directions of a file for a generator of these sizes.

    Raises:
        ValueError: if the file is missing, damaged or does not fit.
    """
    if not path.is_file():
        raise ValueError(f"{path} is not a file")
    if path.stat().st_size > MAX_BYTES:
        raise ValueError(
            f"{path} is larger than {MAX_BYTES // 2**20} MiB, too large for directions"
        )
    readers = {".npy": _read_npy, ".npz": _read_npz, ".pt": _read_pt, ".pth": _read_pt}
    if path.suffix.lower() not in readers:
        raise ValueError(f"{path} is not a .npy, .npz or .pt file")
    arrays = readers[path.suffix.lower()](path)
    if {"comp", "std"} <= arrays.keys():
        return _components(path, arrays["comp"], arrays["std"], w_dim)
    found = []
    for name, values in arrays.items():
        if name in CODES:
            raise ValueError(
                f"{path} contains a projected code ({name!r}), which is an image, not a direction"
            )
        found.append(Published(name, _vector(path, values, num_ws, w_dim)))
    if not found:
        raise ValueError(f"{path} contains no vector")
    return found


def _read_npy(path: Path) -> dict[str, Float64Array]:
    try:  # mapped, so that a false size is refused before memory is allocated
        return {path.stem: _floats(path, np.lib.format.open_memmap(path, mode="r"))}
    except Exception as error:  # numpy raises many types for damaged files
        raise _unreadable(path, error) from None


def _read_npz(path: Path) -> dict[str, Float64Array]:
    try:
        with zipfile.ZipFile(path) as archive:
            if sum(entry.file_size for entry in archive.infolist()) > MAX_BYTES:
                raise ValueError(f"its contents are larger than {MAX_BYTES // 2**20} MiB")
        with np.load(path, allow_pickle=False) as arrays:
            return {name: _floats(path, arrays[name]) for name in arrays.files}
    except Exception as error:  # of many types
        raise _unreadable(path, error) from None


def _read_pt(path: Path) -> dict[str, Float64Array]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about old storage classes
            value = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError:
        raise ValueError(
            f"{path} is damaged or contains objects other than tensors, so it was not read"
        ) from None
    except Exception as error:  # of many types
        raise _unreadable(path, error) from None
    entries = value if isinstance(value, Mapping) else {path.stem: value}
    arrays = {}
    for name, entry in entries.items():
        if not isinstance(entry, torch.Tensor):
            raise ValueError(  # noqa: TRY004 (the file is wrong, not the call)
                f"{path}: {str(name)[:40]!r} is not a tensor"
            )
        arrays[str(name)] = _floats(path, entry.detach().double().numpy())
    return arrays


def _floats(path: Path, values: np.ndarray) -> Float64Array:
    if values.dtype.kind not in "fiu":
        raise ValueError(f"it contains {values.dtype}, not numbers")
    result = np.array(values, dtype=np.float64)
    if not np.isfinite(result).all():
        raise ValueError("it contains values that are not finite")
    return result


def _vector(path: Path, values: Float64Array, num_ws: int, w_dim: int) -> Float64Array:
    squeezed = values.reshape([n for n in values.shape if n != 1] or [1])
    if squeezed.shape not in ((w_dim,), (num_ws, w_dim)):
        raise ValueError(
            f"{path} contains an array of {list(values.shape)}; this generator takes [{w_dim}] or "
            f"[{num_ws}, {w_dim}], so the file belongs to another generator"
        )
    if not squeezed.any():
        raise ValueError(f"{path} contains only zeros")
    return squeezed


def _components(path: Path, comp: Float64Array, std: Float64Array, w_dim: int) -> list[Published]:
    """Read GANSpace's `comp` [K, 1, w_dim] and standard deviations `std` [K]."""
    if comp.ndim < 2 or comp.shape[-1] != w_dim or comp.size != std.size * w_dim:
        raise ValueError(
            f"{path} contains components of {list(comp.shape)} and {std.size} deviations; this "
            f"generator takes [K, 1, {w_dim}] and K deviations, so the file belongs to another "
            "generator"
        )
    rows = comp.reshape(-1, w_dim)
    return [Published(f"component {k}", row) for k, row in enumerate(rows)]


def _unreadable(path: Path, error: Exception) -> ValueError:
    reason = str(error).partition("\n")[0][:120]
    return ValueError(f"{path} cannot be read: {reason}")
