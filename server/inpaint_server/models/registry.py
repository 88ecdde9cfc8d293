"""Registry of the models that the daemon offers; `device_models.py` loads them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import torch
from inpaint_model import Inpainter, load_bundle
from inpaint_model.bundle.directions import Direction, by_name, offered
from inpaint_model.bundle.manifest import BundleInfo, find_bundle, read_bundle
from inpaint_model.inference.abilities import check_count, check_directions, check_editable
from inpaint_model.inference.freeze import best_dtype
from inpaint_model.inference.memory_footprint import Footprint, footprint
from inpaint_model.inference.tiny import tiny_inpainter
from inpaint_model.networks.config import GeneratorConfig, ModelConfig
from inpaint_model.networks.precision import DTYPES
from inpaint_model.networks.refinement_network import RefinementConfig
from inpaint_model.pipeline.recipe import ModelIdentity

from ..errors import ConfigurationError, NotFoundError, WrongModelError, refused_in

TINY = "tiny"  # untrained model with random weights, for tests


@dataclass(frozen=True)
class ModelInfo(ModelIdentity):
    """Description of a model, which need not be loaded, for requests and clients."""

    title: str
    alignment: str
    licence: str
    directions: tuple[Direction, ...]
    has_framer: bool
    memory_bytes: int  # of the weights in float32, without activations
    config: ModelConfig
    refinement: RefinementConfig | None
    precision: str  # of the convolutions on the loader's device: fp32, bf16 or fp16

    @property
    def shown_name(self) -> str:
        """The name in messages."""
        return self.title or self.name

    @property
    def footprint(self) -> Footprint:
        """The memory footprint on the device, computed on demand."""
        return footprint(self.config, self.precision, self.refinement)


class Loader(Protocol):
    """Source of models for one device."""

    device: torch.device

    def describe(self, source: str) -> ModelInfo:
        """Return the description of a model without loading its weights."""

    def load(self, source: str) -> Inpainter:
        """Load the model on the device."""


class BundleLoader:
    """Loader of bundles by name (if they come with the package) or by folder."""

    def __init__(self, device: torch.device, precision: str = "auto") -> None:
        self.device = device
        self.dtype = best_dtype(device) if precision == "auto" else precision

    def describe(self, source: str) -> ModelInfo:
        """Return the description of a bundle without loading its weights.

        Raises:
            ValueError: the bundle does not exist, is invalid, or contains only a generator.
        """
        if source == TINY:
            return self._info(tiny_inpainter().info, memory_bytes=1 << 20)
        info = read_bundle(find_bundle(source))
        if info.kind != "inpainter":
            raise ValueError(
                f"{info.folder} contains only a generator; train an inpainter from it with "
                "`inpaint-model train inpainter --generator` first"
            )
        stored = (info.folder / "weights.safetensors").stat().st_size
        return self._info(info, memory_bytes=stored * 4 // DTYPES[info.dtype].itemsize)

    def load(self, source: str) -> Inpainter:
        """Load a bundle on the loader's device.

        Raises:
            ValueError: the bundle does not exist or is invalid.
        """
        if source == TINY:
            return tiny_inpainter(device=self.device)
        return load_bundle(source, device=self.device, dtype=self.dtype)

    def _info(self, info: BundleInfo, memory_bytes: int) -> ModelInfo:
        generator = info.generator_config
        assert not isinstance(info.config, GeneratorConfig)
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
            directions=offered(info.directions) if info.config.abilities.editable else (),
            has_framer=info.has_framer,
            memory_bytes=memory_bytes,
            config=info.config,
            refinement=info.refinement,
            precision=self.dtype,
        )


@dataclass(frozen=True, eq=False)
class RegisteredModel:
    """A model in the registry, the same for all devices."""

    source: str
    info: ModelInfo

    @property
    def name(self) -> str:
        """The name of the model in requests."""
        return self.info.name


class ModelRegistry:
    """Models by name; the first is the default. Thread-safe."""

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
                f"the models {other} and {source} are both named {entry.name!r}; use only one"
            )
        self.entries[entry.name] = entry

    def find(self, name: str) -> RegisteredModel:
        """Return the model with this name, or the default if it is empty.

        Raises:
            NotFoundError: there is no model with this name.
        """
        if not name:
            return next(iter(self.entries.values()))
        if name not in self.entries:
            raise NotFoundError("model", name, self.entries)
        return self.entries[name]

    def find_weights(self, weights_sha256: str, name: str) -> RegisteredModel:
        """Return the model with these weights.

        Args:
            weights_sha256: hash of the weights.
            name: name of the model, for the message.

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

    def check_edits(self, entry: RegisteredModel, names: Collection[str]) -> None:
        """Check that the model has all directions.

        Raises:
            InvalidRequestError: the model's candidates cannot be edited, or it has no directions.
            NotFoundError: the model does not have one of the directions.
        """
        if names:
            with refused_in("edits"):
                check_editable(entry.info.config.abilities, entry.info.shown_name)
                check_directions(entry.info.directions, entry.info.shown_name)
        known = by_name(entry.info.directions)
        for name in names:
            if name not in known:
                current = [direction.name for direction in entry.info.directions]
                raise NotFoundError("direction", name, current)

    def candidate_models(
        self, name: str, directions: Collection[str], count: int = 1
    ) -> tuple[RegisteredModel, ...]:
        """Return the models that can be used for a fill, the preferred one first.

        If a model is named, it is the only one. Otherwise these are the default and the models that
        can replace it: with the same alignment, a higher resolution, all directions of the
        fill, and all abilities of the default.

        Args:
            name: the name in the request, or empty.
            directions: the names of all edits.
            count: the number of candidates.

        Raises:
            InvalidRequestError: the model cannot make several candidates, or edit them.
            NotFoundError: the model or a direction does not exist.
        """
        first = self.find(name)
        with refused_in("seeds"):
            check_count(first.info.config.abilities, first.info.shown_name, count)
        self.check_edits(first, directions)
        if name or not first.info.alignment:
            return (first,)
        return (first, *(e for e in self.entries.values() if _can_replace(e, first, directions)))


def _can_replace(
    entry: RegisteredModel, first: RegisteredModel, directions: Collection[str]
) -> bool:
    known = by_name(entry.info.directions)
    return (
        entry.info.alignment == first.info.alignment
        and entry.info.resolution > first.info.resolution
        and known.keys() >= set(directions)
        and entry.info.config.abilities.covers(first.info.config.abilities)
    )


def select_model(
    candidate_models: Sequence[RegisteredModel],
    side: float,
    is_loaded: Callable[[RegisteredModel], bool],
) -> RegisteredModel:
    """Return the model to use for a frame.

    It is the first model if its fill need not be enlarged, else the smallest model for which this
    holds, else the largest model. Among equal resolutions, a loaded model is preferred, then the
    earlier one. Models of different resolutions compete regardless of whether they are loaded, so
    the resolution of a fill does not depend on earlier requests.

    Args:
        candidate_models: the models, the preferred one first.
        side: side of the frame, document px.
        is_loaded: returns whether a model is loaded on the device that will fill.
    """
    if candidate_models[0].info.resolution >= side:
        return candidate_models[0]
    enough = [e.info.resolution for e in candidate_models if e.info.resolution >= side]
    wanted = min(enough) if enough else max(e.info.resolution for e in candidate_models)
    equals = [entry for entry in candidate_models if entry.info.resolution == wanted]
    return next((entry for entry in equals if is_loaded(entry)), equals[0])


def default_sources(bundled: Path) -> tuple[str, ...]:
    """Return the bundles in a folder of the package; the untrained `tiny` if there are none."""
    if not bundled.is_dir():
        return (TINY,)
    names = sorted(folder.parent.name for folder in bundled.glob("*/model.yaml"))
    names.sort(key=lambda name: name != "portrait")  # the portrait model is the default
    return tuple(names) or (TINY,)
