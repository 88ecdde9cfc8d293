"""The models that the daemon offers, known from the start; `device_models.py` loads them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import torch
from inpaint_model import Inpainter, load_bundle
from inpaint_model.bundle.directions import Direction, offered
from inpaint_model.bundle.manifest import BundleInfo, find_bundle, read_bundle
from inpaint_model.inference.freeze import best_dtype
from inpaint_model.inference.memory_footprint import Footprint, footprint
from inpaint_model.inference.tiny import tiny_inpainter
from inpaint_model.networks.config import InpaintingConfig
from inpaint_model.networks.precision import DTYPES
from inpaint_model.pipeline.recipe import ModelIdentity

from ..errors import ConfigurationError, NotFoundError, WrongModelError

TINY = "tiny"  # untrained, random weights: for tests and trials


@dataclass(frozen=True)
class ModelInfo(ModelIdentity):
    """What requests and clients need to know of a model that may not be loaded."""

    title: str
    alignment: str
    licence: str
    directions: tuple[Direction, ...]
    has_framer: bool
    memory_bytes: int  # of the weights in float32; what is computed with them comes on top
    config: InpaintingConfig
    precision: str  # of the convolutions, on the loader's device: fp32, bf16 or fp16

    @property
    def footprint(self) -> Footprint:
        """Bytes on the device. Computed when it is first asked for: a CPU needs no budget."""
        return footprint(self.config, self.precision)


class Loader(Protocol):
    """Where models come from, for one device."""

    device: torch.device

    def describe(self, source: str) -> ModelInfo:
        """Return what a bundle says about itself, without its weights."""

    def load(self, source: str) -> Inpainter:
        """Return the model, on the daemon's device."""


class BundleLoader:
    """Bundles by name (those that come with the package) or by folder."""

    def __init__(self, device: torch.device, precision: str = "auto") -> None:
        self.device = device
        self.dtype = best_dtype(device) if precision == "auto" else precision

    def describe(self, source: str) -> ModelInfo:
        """Return what a bundle says about itself, without its weights.

        Raises:
            ValueError: there is no such bundle, it cannot be used, or it holds a generator only.
        """
        if source == TINY:
            return self._info(tiny_inpainter().info, memory_bytes=1 << 20)
        info = read_bundle(find_bundle(source))
        if info.kind != "inpainter":
            raise ValueError(
                f"{info.folder} holds a generator only; train it to fill holes with "
                "`inpaint-model train inpainter --generator` first"
            )
        stored = (info.folder / "weights.safetensors").stat().st_size
        return self._info(info, memory_bytes=stored * 4 // DTYPES[info.dtype].itemsize)

    def load(self, source: str) -> Inpainter:
        """Return the model, on the loader's device.

        Raises:
            ValueError: there is no such bundle, or it cannot be used.
        """
        if source == TINY:
            return tiny_inpainter(device=self.device)
        return load_bundle(source, device=self.device, dtype=self.dtype)

    def _info(self, info: BundleInfo, memory_bytes: int) -> ModelInfo:
        generator = info.generator_config
        assert isinstance(info.config, InpaintingConfig)
        return ModelInfo(
            name=info.name,
            title=info.card.title,
            resolution=generator.resolution,
            num_ws=generator.num_ws,
            w_dim=generator.w_dim,
            alignment=info.card.alignment,
            licence=info.card.licence,
            weights_sha256=info.weights_sha256,
            generator_sha256=info.generator_sha256,
            directions=offered(info.directions),
            has_framer=info.has_framer,
            memory_bytes=memory_bytes,
            config=info.config,
            precision=self.dtype,
        )


@dataclass(frozen=True, eq=False)
class RegisteredModel:
    """One model of the registry, the same one on all devices."""

    source: str
    info: ModelInfo

    @property
    def name(self) -> str:
        """How requests call the model."""
        return self.info.name


class ModelRegistry:
    """Models by name; the first is the default. May be asked from anywhere."""

    def __init__(self, sources: Iterable[str], loader: Loader) -> None:
        self.entries: dict[str, RegisteredModel] = {}
        for source in sources:
            self._add(source, loader)

    def _add(self, source: str, loader: Loader) -> None:
        try:
            entry = RegisteredModel(source, loader.describe(source))
        except (ValueError, OSError) as error:
            raise ConfigurationError(f"model {source}: {error}") from error
        if entry.name in self.entries:
            other = self.entries[entry.name].source
            raise ConfigurationError(
                f"the models {other} and {source} are both called {entry.name!r}; give only one"
            )
        self.entries[entry.name] = entry

    def find(self, name: str) -> RegisteredModel:
        """Return the model of that name, or the default if it is empty."""
        if not name:
            return next(iter(self.entries.values()))
        if name not in self.entries:
            raise NotFoundError("model", name, self.entries)
        return self.entries[name]

    def find_weights(self, weights_sha256: str, name: str) -> RegisteredModel:
        """Return the model with these weights.

        Args:
            weights_sha256: of the weights.
            name: of the model, for the message.

        Raises:
            WrongModelError: no model has these weights.
        """
        for entry in self.entries.values():
            if entry.info.weights_sha256 == weights_sha256:
                return entry
        raise WrongModelError(
            "RECIPE_OF_OTHER_MODEL",
            model=name,
            weights=weights_sha256[:12],
            known=", ".join(self.entries),
        )

    def check_edits(self, entry: RegisteredModel, names: Iterable[str]) -> None:
        """NotFoundError for a direction that the model does not have."""
        known = [direction.name for direction in entry.info.directions]
        for name in names:
            if name not in known:
                raise NotFoundError("direction", name, known)

    def candidate_models(
        self, name: str, directions: Collection[str]
    ) -> tuple[RegisteredModel, ...]:
        """Return the models that may answer a fill, the preferred one first.

        They are the named one alone, or the default and those that could take over from it: of the
        same alignment, with more detail, and with all the directions that the fill names.

        Raises:
            NotFoundError: a model or a direction is not here.
        """
        first = self.find(name)
        self.check_edits(first, directions)
        if name or not first.info.alignment:
            return (first,)
        return (first, *(e for e in self.entries.values() if _can_replace(e, first, directions)))


def _can_replace(
    entry: RegisteredModel, first: RegisteredModel, directions: Collection[str]
) -> bool:
    known = {direction.name for direction in entry.info.directions}
    return (
        entry.info.alignment == first.info.alignment
        and entry.info.resolution > first.info.resolution
        and known.issuperset(directions)
    )


def select_model(
    candidate_models: Sequence[RegisteredModel],
    side: float,
    is_loaded: Callable[[RegisteredModel], bool],
) -> RegisteredModel:
    """Return the model for a frame of `side` document px.

    `is_loaded` tells of the device that will fill.

    The first as long as it need not be enlarged; else the smallest that need not be; else the
    largest. Among equals a loaded one, then the earlier one. All that the daemon was given count,
    loaded or not: the same request gives the same fill, whatever was used before.
    """
    if candidate_models[0].info.resolution >= side:
        return candidate_models[0]
    enough = [e.info.resolution for e in candidate_models if e.info.resolution >= side]
    wanted = min(enough) if enough else max(e.info.resolution for e in candidate_models)
    equals = [entry for entry in candidate_models if entry.info.resolution == wanted]
    return next((entry for entry in equals if is_loaded(entry)), equals[0])


def default_sources(bundled: Path) -> tuple[str, ...]:
    """Return the bundles that come with the package; the untrained `tiny` if there are none."""
    if not bundled.is_dir():
        return (TINY,)
    names = sorted(folder.parent.name for folder in bundled.glob("*/model.yaml"))
    names.sort(key=lambda name: name != "portrait")  # the portrait model is the default
    return tuple(names) or (TINY,)
