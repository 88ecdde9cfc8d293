"""The heads of a projected discriminator in a file of their own, beside a bundle's weights.

Training goes on from it; nothing else needs it.
"""

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
    """Write mixing and heads to `folder`, and which feature networks they belong to."""
    tensors = {
        name: value.detach().to("cpu", dtype).contiguous()
        for name, value in discriminator.state_dict().items()
    }
    write_tensors(tensors, folder / FILE, {"about": json.dumps(discriminator.about)})


def copy_projected(source: Path, target: Path, dtype: torch.dtype) -> bool:
    """Copy the heads of one bundle into another, stored as `dtype`; False if it has none.

    Their fixed mixing, two thirds of the file, is left out: it is random, and the seed that a
    training starts from makes it again. `load_projected` tells by its hash whether it did.
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
    """Restore in place what a bundle holds; False if there is nothing that fits.

    Heads fit the very feature networks, in their order, and the resolution and widths that they
    were trained with. Their mixing comes from the file; where that leaves it out, it must be the
    discriminator's own. ValueError for a damaged file, with what to do.
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
    """Return the fixed kernels of the projections, which never train."""
    return {name: value for name, value in tensors.items() if ".across_" in name}


def _sha256(tensors: Mapping[str, Tensor]) -> str:
    digest = hashlib.sha256()
    for name in sorted(tensors):
        digest.update(name.encode())
        digest.update(tensors[name].detach().float().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()
