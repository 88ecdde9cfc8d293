"""The file of a projected discriminator's heads in a bundle, used only to continue training."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from inpaint_model.bundle.tensor_files import write_tensors

if TYPE_CHECKING:
    from inpaint_model.training.projected.discriminator import ProjectedDiscriminator

FILE = "projected.safetensors"


def save_projected(
    discriminator: ProjectedDiscriminator, folder: Path, dtype: torch.dtype = torch.float32
) -> None:
    """Write mixing, heads and hashes of their networks to `folder`."""
    tensors = {
        name: value.detach().to("cpu", dtype).contiguous()
        for name, value in discriminator.state_dict().items()
    }
    write_tensors(tensors, folder / FILE, {"about": json.dumps(discriminator.about)})


def copy_projected(source: Path, target: Path, dtype: torch.dtype) -> bool:
    """Copy a bundle's heads, stored as `dtype`; return False if it has none.

    The mixing, two thirds of the file, is omitted: a fixed seed reproduces it.
    """
    path = source / FILE
    if not path.exists():
        return False
    with safe_open(path, framework="pt") as file:
        about = json.loads(file.metadata()["about"])
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    mixing = _mixing(tensors)
    if mixing:
        about["mixing"] = _sha256(mixing)
    kept = {name: value.to(dtype) for name, value in tensors.items() if name not in mixing}
    write_tensors(kept, target / FILE, {"about": json.dumps(about)})
    return True


def load_projected(folder: Path, discriminator: ProjectedDiscriminator) -> bool:
    """Load a bundle's heads in place; return False if there are none that fit.

    Feature networks, their order, resolution and widths must be the same, and so must the mixing if
    the file omits it.

    Raises:
        ValueError: the file is damaged.
    """
    path = folder / FILE
    if not path.exists():
        return False
    try:
        with safe_open(path, framework="pt") as file:
            about = json.loads(file.metadata()["about"])
            tensors = {name: file.get_tensor(name).float() for name in file.keys()}  # noqa: SIM118
        left_out = about.pop("mixing", None)
        if about != discriminator.about:
            return False
        if left_out is not None:
            own = _mixing(discriminator.state_dict())
            if _sha256(own) != left_out:
                return False
            tensors |= own
        discriminator.load_state_dict(tensors)
    except (SafetensorError, KeyError, TypeError, ValueError, RuntimeError) as error:
        raise ValueError(f"{path} is damaged; delete it to train new heads") from error
    return True


def _mixing(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name: value for name, value in tensors.items() if ".across_" in name}


def _sha256(tensors: Mapping[str, Tensor]) -> str:
    digest = hashlib.sha256()
    for name in sorted(tensors):
        digest.update(name.encode())
        digest.update(tensors[name].detach().float().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()
