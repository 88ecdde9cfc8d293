"""Write the checkpoints and outputs of this folder with the published classes.

    python tests/model/importing/published/make.py NVIDIA FOLDER

NVIDIA is a folder with `dnnlib`, `torch_utils` and `training` of NVlabs/stylegan3 (or a package
that ships them unchanged), whose license forbids to have them here. What is written holds random
weights, and none of their source: it is emptied before the modules are pickled.
"""

from __future__ import annotations

import importlib
import pickle
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch

SIZE = 32
CHANNELS = {"channel_base": 256, "channel_max": 8}
CLAMP = 1.5  # together with tripled weights most layers reach it


def main(nvidia: Path, folder: Path) -> None:
    """Write every checkpoint, and what its networks make of a few inputs."""
    sys.path.insert(0, str(nvidia))
    persistence: Any = importlib.import_module("torch_utils.persistence")
    persistence._module_to_src = lambda module: ""  # the source stays where it is
    dnnlib: Any = importlib.import_module("dnnlib")
    try:
        two: Any = importlib.import_module("training.networks_stylegan2")
    except ModuleNotFoundError:
        two = importlib.import_module("training.networks")
    three: Any = importlib.import_module("training.networks_stylegan3")

    def save(name: str, G: Any, D: Any) -> None:
        data = {
            "G": None,
            "D": D.eval().requires_grad_(False),
            "G_ema": G.eval().requires_grad_(False),
            "augment_pipe": None,
            "training_set_kwargs": dnnlib.EasyDict(path="faces.zip", resolution=SIZE),
        }
        (folder / f"{name}.pkl").write_bytes(pickle.dumps(data))

    def sizes(c_dim: int) -> dict[str, Any]:
        return {"c_dim": c_dim, "img_resolution": SIZE, "img_channels": 3, **CHANNELS}

    for name, c_dim in (("clamped", 0), ("clamped-labels", 3)):
        torch.manual_seed(c_dim)
        half: dict[str, Any] = {"num_fp16_res": 4, "conv_clamp": CLAMP}
        G = two.Generator(
            z_dim=12, w_dim=12, mapping_kwargs={"num_layers": 2}, **sizes(c_dim), **half
        )
        D = two.Discriminator(**sizes(c_dim), **half, epilogue_kwargs={"mbstd_group_size": 2})
        with torch.no_grad():
            for key, value in [*G.named_parameters(), *D.named_parameters()]:
                if key.endswith(("bias", "noise_strength")):
                    value.add_(torch.randn_like(value) * 0.3)
                elif value.ndim == 4:
                    value.mul_(3)
            G.mapping.w_avg.normal_()
        save(name, G, D)
        with torch.no_grad():
            z, c = torch.randn(4, 12), torch.eye(max(c_dim, 1))[torch.arange(4) % max(c_dim, 1)]
            c = c[:, :c_dim]
            ws = G.mapping(z, c, truncation_psi=0.7)
            image = G.synthesis(ws, noise_mode="const", force_fp32=True)
            logits = D(image, c, force_fp32=True)
        arrays = {"z": z, "c": c, "ws": ws, "image": image, "logits": logits}
        np.savez(folder / f"{name}.npz", **{key: x.numpy() for key, x in arrays.items()})

    for name, kernel, radial in (("stylegan3-t", 3, False), ("stylegan3-r", 1, True)):
        torch.manual_seed(0)
        G = three.Generator(
            z_dim=8, w_dim=8, conv_kernel=kernel, use_radial_filters=radial,
            num_layers=4, mapping_kwargs={"num_layers": 2}, **sizes(0),
        )  # fmt: skip
        save(name, G, two.Discriminator(**sizes(0)))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
