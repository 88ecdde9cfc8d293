"""The networks of every arch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import overload

from inpaint_model.baselines.comodgan import CoModGAN
from inpaint_model.baselines.hfgi import HFGI
from inpaint_model.baselines.hyperstyle import HyperStyle
from inpaint_model.baselines.invertfill import InvertFill
from inpaint_model.baselines.psp import PSP
from inpaint_model.networks.config import Baseline, BaselineConfig, InpaintingConfig, ModelConfig
from inpaint_model.networks.generator import Generator
from inpaint_model.networks.hierarchical_model import HierarchicalModel
from inpaint_model.networks.inpainting_model import InpaintingModel

MODELS: Mapping[Baseline, type[InpaintingModel]] = {
    "psp": PSP,
    "hfgi": HFGI,
    "invertfill": InvertFill,
    "hyperstyle": HyperStyle,
    "comodgan": CoModGAN,
}


@overload
def make_model(
    config: InpaintingConfig, generator: Generator | None = ...
) -> HierarchicalModel: ...


@overload
def make_model(config: ModelConfig, generator: Generator | None = ...) -> InpaintingModel: ...


def make_model(config: ModelConfig, generator: Generator | None = None) -> InpaintingModel:
    """Return the untrained model of a configuration, around `generator` or a new one."""
    if isinstance(config, BaselineConfig):
        return MODELS[config.arch](config, generator)
    return HierarchicalModel(config, generator)
