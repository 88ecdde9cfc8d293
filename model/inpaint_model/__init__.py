"""The networks of the paper, their training and their use.

inpainter = load_bundle("portrait")
fills = inpainter.fill(image, hole, seeds=[0, 1, 2, 3])  # uint8 [R, R, 3] and [R, R]
"""

from inpaint_model.bundle import BundleError, BundleInfo
from inpaint_model.config import ARCHS, PRESETS, GeneratorConfig, InpaintingConfig
from inpaint_model.directions import Direction
from inpaint_model.discriminator import Discriminator
from inpaint_model.generator import Generator
from inpaint_model.inpainter import (
    Fill,
    Inpainter,
    UnknownDirectionError,
    load_bundle,
    tiny_inpainter,
)
from inpaint_model.networks import Encoding, InpaintingModel

__all__ = [
    "ARCHS",
    "PRESETS",
    "BundleError",
    "BundleInfo",
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
    "load_bundle",
    "tiny_inpainter",
]
