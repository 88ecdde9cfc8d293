"""The heads of a projected discriminator in a file of their own, beside a bundle's weights.

Training goes on from it; nothing else needs it.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

if TYPE_CHECKING:
    from inpaint_model.projected.discriminator import ProjectedDiscriminator

FILE = "projected.safetensors"


def save_projected(
    folder: Path, discriminator: ProjectedDiscriminator, dtype: torch.dtype = torch.float32
) -> None:
    """Write mixing and heads to `folder`, and which feature networks they belong to."""
    tensors = {
        name: value.detach().to("cpu", dtype).contiguous()
        for name, value in discriminator.state_dict().items()
    }
    save_file(tensors, folder / FILE, {"about": json.dumps(discriminator.about)})


def load_projected(folder: Path, discriminator: ProjectedDiscriminator) -> bool:
    """Restore in place what `save_projected` wrote; False if there is nothing that fits.

    Heads fit the very feature networks, in their order, and the resolution and widths that they
    were trained with. ValueError for a damaged file.
    """
    path = folder / FILE
    if not path.exists():
        return False
    try:
        with safe_open(path, framework="pt") as file:
            if json.loads(file.metadata()["about"]) != discriminator.about:
                return False
            tensors = {name: file.get_tensor(name).float() for name in file.keys()}  # noqa: SIM118
        discriminator.load_state_dict(tensors)
    except (SafetensorError, KeyError, TypeError, ValueError, RuntimeError) as error:
        reason = str(error).partition("\n")[0]
        raise ValueError(f"{path} is damaged ({reason}); delete it to train new heads") from None
    return True
