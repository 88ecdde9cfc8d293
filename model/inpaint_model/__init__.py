"""Diverse portrait inpainting with StyleGAN2 inversion: the networks, their training and their use.

Load a model and fill a hole in an image of any size:

    from inpaint_model import DocumentInpainter, load_bundle

    document = DocumentInpainter(load_bundle("portrait"))  # or a bundle's folder
    session = document.open(image, mask)  # [H, W, C], and [H, W] with 255 = fill this
    fills = list(document.fill(session, seeds=[0, 1, 2, 3]))
    fills[0].composite  # [H, W, C]: outside the mask the image's own bytes

The rooms, from what knows least to what knows most:

    networks     the paper's networks and their configurations (section 3.1)
    document     an image of any size and depth: what the model sees of it, how a fill goes back
    framing      the network that finds the face around a hole
    bundle       a model on disk: YAML and safetensors
    data         training images, holes, random draws, devices
    inference    `Inpainter`: a square image and a hole in, fills out
    pipeline     `DocumentInpainter`: an image of any size in; patches, recipes and sessions out
    importing    checkpoints of other implementations, read without running a byte of them
    training     generators, inpainting models and framers
    evaluation   fixed masks, other methods, metrics and the report
    directions   edits: latent directions found, measured and kept
    cli          the command `inpaint-model`

Names are looked up on first use, so importing the package (as every `--help` does) does not import
torch.
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
except PackageNotFoundError:  # run from a source tree that was never installed
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
