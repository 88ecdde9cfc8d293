"""The networks of the paper, their training and their use.

inpainter = load_bundle("portrait")
fills = inpainter.fill(image, hole, seeds=[0, 1, 2, 3])  # uint8 [R, R, 3] and [R, R]

Names are looked up on first use, so that importing the package (as every `--help` does) does not
import torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from inpaint_model.bundle.directions import Direction
    from inpaint_model.bundle.manifest import BundleError, BundleInfo
    from inpaint_model.importing import Checkpoint, CheckpointError, import_checkpoint
    from inpaint_model.inference.inpainter import (
        Fill,
        Inpainter,
        UnknownDirectionError,
        load_bundle,
        tiny_inpainter,
    )
    from inpaint_model.networks.config import ARCHS, GeneratorConfig, InpaintingConfig
    from inpaint_model.networks.discriminator import Discriminator
    from inpaint_model.networks.generator import Generator
    from inpaint_model.networks.inpainting_model import Encoding, InpaintingModel
    from inpaint_model.networks.presets import PRESETS

_HOMES = {
    "ARCHS": "config",
    "PRESETS": "config",
    "BundleError": "bundle",
    "BundleInfo": "bundle",
    "Checkpoint": "importing",
    "CheckpointError": "importing",
    "Direction": "directions",
    "Discriminator": "discriminator",
    "Encoding": "networks",
    "Fill": "inpainter",
    "Generator": "generator",
    "GeneratorConfig": "config",
    "Inpainter": "inpainter",
    "InpaintingConfig": "config",
    "InpaintingModel": "networks",
    "UnknownDirectionError": "inpainter",
    "import_checkpoint": "importing",
    "load_bundle": "inpainter",
    "tiny_inpainter": "inpainter",
}

__all__ = [
    "ARCHS",
    "PRESETS",
    "BundleError",
    "BundleInfo",
    "Checkpoint",
    "CheckpointError",
    "Direction",
    "Discriminator",
    "Encoding",
    "Fill",
    "Generator",
    "GeneratorConfig",
    "Inpainter",
    "InpaintingConfig",
    "InpaintingModel",
    "UnknownDirectionError",
    "import_checkpoint",
    "load_bundle",
    "tiny_inpainter",
]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'inpaint_model' has no attribute {name!r}")
    return getattr(import_module(f"inpaint_model.{_HOMES[name]}"), name)
