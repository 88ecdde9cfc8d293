"""Diverse portrait inpainting with StyleGAN2 inversion.

Fill a hole in an image of any size:

    from inpaint_model import DocumentInpainter, load_bundle

    document = DocumentInpainter(load_bundle("portrait"))  # or the folder of a bundle
    session = document.open(image, mask)  # [H, W, C], and [H, W] with 255 = fill
    fills = list(document.fill(session, seeds=[0, 1, 2, 3]))
    fills[0].composite  # [H, W, C]: unchanged outside the mask

Subpackages, from the bottom layer to the top:

    networks     the paper's networks (section 3.1)
    document     images of any size and depth, and blending
    framing      the network that finds the face around a hole
    bundle       a model on disk
    data         training images, holes, devices
    inference    `Inpainter`, for a hole in a square image
    pipeline     `DocumentInpainter`, for images of any size
    importing    checkpoints of other implementations
    training     generators, inpainting models, and the networks added to them
    evaluation   masks, baselines, metrics and the report
    directions   latent directions for edits
    cli          the command `inpaint-model`

Names are resolved on first use, so that `--help` does not import torch.
"""

from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from inpaint_model.bundle.directions import Direction
    from inpaint_model.bundle.manifest import BundleError
    from inpaint_model.importing import CheckpointError, import_checkpoint
    from inpaint_model.inference.inpainter import (
        Inpainter,
        UnknownDirectionError,
        load_bundle,
    )
    from inpaint_model.networks.config import GeneratorConfig, InpaintingConfig
    from inpaint_model.networks.generator import Generator
    from inpaint_model.networks.inpainting_model import InpaintingModel
    from inpaint_model.pipeline.document_inpainter import DocumentInpainter

try:
    __version__ = version("inpaint-stylegan")
except PackageNotFoundError:  # a source tree that was never installed
    __version__ = "0.0.0+source"

_HOMES = {
    "BundleError": "bundle.manifest",
    "CheckpointError": "importing",
    "Direction": "bundle.directions",
    "DocumentInpainter": "pipeline.document_inpainter",
    "Generator": "networks.generator",
    "GeneratorConfig": "networks.config",
    "Inpainter": "inference.inpainter",
    "InpaintingConfig": "networks.config",
    "InpaintingModel": "networks.inpainting_model",
    "UnknownDirectionError": "inference.inpainter",
    "import_checkpoint": "importing",
    "load_bundle": "inference.inpainter",
}

__all__ = [
    "BundleError",
    "CheckpointError",
    "Direction",
    "DocumentInpainter",
    "Generator",
    "GeneratorConfig",
    "Inpainter",
    "InpaintingConfig",
    "InpaintingModel",
    "UnknownDirectionError",
    "import_checkpoint",
    "load_bundle",
]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'inpaint_model' has no attribute {name!r}")
    return getattr(import_module(f"inpaint_model.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return __all__
