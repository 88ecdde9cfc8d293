"""The models that the daemon offers: known from the start, loaded when they are needed.

A model is loaded, used and dropped on the worker thread only; `entries`, `find` and `info` may be
called from anywhere.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Collection, Generator, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import torch
from inpaint_model import Inpainter, load_bundle, tiny_inpainter
from inpaint_model.bundle import BundleInfo, find_bundle, read_bundle
from inpaint_model.directions import Direction, offered

from .device import free_cached_memory, is_out_of_memory
from .errors import ConfigurationError, NotFound, OutOfMemory, WrongModel

log = logging.getLogger(__name__)


TINY = "tiny"  # untrained, random weights: for tests and trials
STORED_BYTES = {"fp32": 4, "fp16": 2, "bf16": 2}


@dataclass(frozen=True)
class ModelInfo:
    """What requests and clients need to know of a model that may not be loaded."""

    name: str
    title: str
    resolution: int  # px
    num_ws: int
    w_dim: int
    alignment: str
    licence: str
    weights_sha256: str
    generator_sha256: str
    directions: tuple[Direction, ...]
    has_framer: bool
    memory_bytes: int  # of the weights in float32; what is computed with them comes on top


class Loader(Protocol):
    """Where models come from."""

    def describe(self, source: str) -> ModelInfo:
        """What a bundle says about itself, without its weights."""

    def load(self, source: str) -> Inpainter:
        """The model, on the daemon's device."""


class BundleLoader:
    """Bundles by name (those that come with the package) or by folder."""

    def __init__(self, device: torch.device, precision: str = "auto") -> None:
        self.device = device
        self.dtype = None if precision == "auto" else precision

    def describe(self, source: str) -> ModelInfo:
        if source == TINY:
            return _model_info(tiny_inpainter().info, memory_bytes=1 << 20)
        info = read_bundle(find_bundle(source))
        if info.kind != "inpainter":
            raise ValueError(
                f"{info.folder} holds a generator only; train it to fill holes with "
                "`inpaint-model train inpainter --generator` first"
            )
        stored = (info.folder / "weights.safetensors").stat().st_size
        return _model_info(info, memory_bytes=stored * 4 // STORED_BYTES[info.dtype])

    def load(self, source: str) -> Inpainter:
        if source == TINY:
            return tiny_inpainter()
        return load_bundle(source, device=self.device, dtype=self.dtype)


def _model_info(info: BundleInfo, memory_bytes: int) -> ModelInfo:
    generator = info.generator_config
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
    )


class Entry:
    """One model of the registry."""

    def __init__(self, source: str, info: ModelInfo) -> None:
        self.source = source
        self.info = info
        self.inpainter: Inpainter | None = None
        self.last_used = 0.0

    @property
    def name(self) -> str:
        return self.info.name

    @property
    def loaded(self) -> bool:
        return self.inpainter is not None


class ModelRegistry:
    """Models by name; the first is the default. The least recently used leaves first."""

    def __init__(
        self,
        sources: Iterable[str],
        loader: Loader,
        *,
        memory_bytes: int = 0,
        on_unload: Callable[[str], None] = lambda name: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.entries: dict[str, Entry] = {}
        self._loader = loader
        self._memory_bytes = memory_bytes
        self._on_unload = on_unload
        self._clock = clock
        for source in sources:
            self._add(source)

    def _add(self, source: str) -> None:
        try:
            entry = Entry(source, self._loader.describe(source))
        except (ValueError, OSError) as error:
            raise ConfigurationError(f"model {source}: {error}") from error
        if entry.name in self.entries:
            other = self.entries[entry.name].source
            raise ConfigurationError(
                f"the models {other} and {source} are both called {entry.name!r}; give only one"
            )
        self.entries[entry.name] = entry

    def find(self, name: str) -> Entry:
        """The model of that name, or the default if it is empty."""
        if not name:
            return next(iter(self.entries.values()))
        if name not in self.entries:
            raise NotFound("model", name, self.entries)
        return self.entries[name]

    def find_weights(self, weights_sha256: str, name: str) -> Entry:
        """The model with these weights; WrongModel if none has them. `name` is for the message."""
        for entry in self.entries.values():
            if entry.info.weights_sha256 == weights_sha256:
                return entry
        raise WrongModel(
            f"the recipe was made with the model {name!r} (weights {weights_sha256[:12]}); this "
            f"daemon has {', '.join(self.entries)}"
        )

    def check_edits(self, entry: Entry, names: Iterable[str]) -> None:
        """NotFound for a direction that the model does not have."""
        known = [direction.name for direction in entry.info.directions]
        for name in names:
            if name not in known:
                raise NotFound("direction", name, known)

    def choices(self, name: str, directions: Collection[str]) -> tuple[Entry, ...]:
        """The models that may answer a fill: the named one alone, or the default first and then
        those that could take over from it: of the same alignment, with more detail, and with all
        the directions that the fill names.

        Raises NotFound for a model or a direction that is not here.
        """
        first = self.find(name)
        self.check_edits(first, directions)
        if name or not first.info.alignment:
            return (first,)
        return (first, *(e for e in self.entries.values() if _can_replace(e, first, directions)))

    # On the worker only.

    def use(self, entry: Entry) -> Inpainter:
        """The model, loaded if it is not; others leave when they do not fit beside it."""
        entry.last_used = self._clock()
        if entry.inpainter is None:
            if self._memory_bytes:
                room = self._memory_bytes - entry.info.memory_bytes
                while self._loaded_bytes() > room and self.unload_oldest(entry):
                    pass
            entry.inpainter = self._load(entry)
        return entry.inpainter

    def _load(self, entry: Entry) -> Inpainter:
        while True:
            began = time.monotonic()
            try:
                inpainter = self._loader.load(entry.source)
            except Exception as error:
                if not is_out_of_memory(error):
                    raise
                if not self.unload_oldest(entry):
                    raise OutOfMemory(
                        f"the model {entry.name!r} does not fit into the device's memory"
                    ) from error
                continue
            seconds = time.monotonic() - began
            log.info("model=%s loaded=true seconds=%.2f", entry.name, seconds)
            return inpainter

    def unload(self, entry: Entry) -> bool:
        """Free the model's memory; False if it was not loaded."""
        if entry.inpainter is None:
            return False
        device = entry.inpainter.device
        entry.inpainter = None
        self._on_unload(entry.name)
        free_cached_memory(device)
        log.info("model=%s loaded=false", entry.name)
        return True

    def unload_oldest(self, keep: Entry) -> bool:
        """Free the least recently used model other than `keep`; False if there is none."""
        others = [e for e in self.entries.values() if e.loaded and e is not keep]
        return bool(others) and self.unload(min(others, key=lambda entry: entry.last_used))

    def unload_idle(self, idle_s: float) -> Generator[None, None, None]:
        """Steps that free the models which nobody used for so long."""
        for entry in self.entries.values():
            if entry.loaded and self._clock() - entry.last_used > idle_s:
                self.unload(entry)
                yield

    def _loaded_bytes(self) -> int:
        return sum(e.info.memory_bytes for e in self.entries.values() if e.loaded)


def _can_replace(entry: Entry, first: Entry, directions: Collection[str]) -> bool:
    known = {direction.name for direction in entry.info.directions}
    return (
        entry.info.alignment == first.info.alignment
        and entry.info.resolution > first.info.resolution
        and known.issuperset(directions)
    )


def suited(choices: Sequence[Entry], side: float) -> Entry:
    """The model for a frame of `side` document px.

    The first as long as it need not be enlarged; else the smallest that need not be; else the
    largest. Among equals a loaded one, then the earlier one. All that the daemon was given count,
    loaded or not: the same request gives the same fill, whatever was used before.
    """
    if choices[0].info.resolution >= side:
        return choices[0]
    enough = [e.info.resolution for e in choices if e.info.resolution >= side]
    wanted = min(enough) if enough else max(e.info.resolution for e in choices)
    equals = [entry for entry in choices if entry.info.resolution == wanted]
    return next((entry for entry in equals if entry.loaded), equals[0])


def default_sources(bundled: Path) -> tuple[str, ...]:
    """The bundles that come with the package; the untrained `tiny` if there are none."""
    if not bundled.is_dir():
        return (TINY,)
    names = sorted(folder.parent.name for folder in bundled.glob("*/model.yaml"))
    names.sort(key=lambda name: name != "portrait")  # the portrait model is the default
    return tuple(names) or (TINY,)
