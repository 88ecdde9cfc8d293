"""Fills and edits as steps for the worker: model in, raw outputs out.

The order of operations: codes from seed and truncation, then mixing with another candidate or
picture, then edits, then one synthesis. The first rendering is computed alone, so that it is there
as soon as possible; the following ones in batches that fit the device's memory.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Any, NamedTuple

import numpy as np
from inpaint_model import Inpainter
from inpaint_model.document import geometry
from inpaint_model.document.arrays import CodesF32, FloatImage
from inpaint_model.document.blending import BlendSettings
from inpaint_model.document.document_image import DocumentPicture
from inpaint_model.document.geometry import Box
from inpaint_model.document.grouping import Choice
from inpaint_model.document.hole import Hole
from inpaint_model.document.model_view import Source
from inpaint_model.document.placement import Fitting, Placement, place
from inpaint_model.framing.frame_holes import frame_holes
from inpaint_model.inference.cuda_graphs import batch_sizes
from inpaint_model.networks.inpainting_model import Encoding

from ..errors import InvalidRequest, NotFound, OutOfMemory
from ..models.device import free_cached_memory, is_out_of_memory, peak_memory
from ..models.device_models import DeviceModels
from ..models.registry import Entry, suited
from ..scheduling.engine import PAUSE, Pause, Steps
from .mixing import mixed, other_codes, recipe_codes
from .orders import EditOrder, Edits, FillOrder, MixingOrder
from .recipes import MixingNote, Recipe

log = logging.getLogger(__name__)
Outputs = tuple[FloatImage, ...]  # of the network, one [R, R, 3] a group

UNEDITED_KEPT = 16  # a session's candidates without edits
FITTING_BYTES = 96  # per pixel around a hole: what laying prepares for all of a candidate's edits


class Made(NamedTuple):
    """How a candidate was made."""

    seed: int
    truncation_psi: float
    edits: Edits
    mixing: MixingNote | None
    codes: tuple[CodesF32, ...]  # one [num_ws, w_dim] a group, after mixing, before edits

    @property
    def origin(self) -> tuple[int, float]:
        """What it was sampled from; edits and mixing came later."""
        return self.seed, self.truncation_psi

    @property
    def is_changed(self) -> bool:
        """Whether it is not as it was sampled."""
        return self.mixing is not None or any(self.edits.values())


class Encodings(NamedTuple):
    """What the encoder made of a scene, and on which device it is."""

    home: DeviceModels
    groups: list[Encoding]  # one a group


@dataclass
class Scene:
    """A picture whose holes are found and framed: what a session keeps."""

    entry: Entry
    picture: DocumentPicture
    hole: Hole  # of the size and origin of the picture
    placements: Sequence[Placement]  # one a group
    blending: BlendSettings
    output_dtype: np.dtype[Any]
    encodings: Encodings | None = None  # None when the model has left the device
    candidates: dict[int, Made] = field(default_factory=dict)
    # Outputs without edits and mixing, by seed and truncation, the latest last: what blending of
    # edited ones is fitted to.
    unedited: dict[tuple[int, float], Outputs] = field(default_factory=dict)
    attachment: bytes | None = None  # made when it is first needed
    # How the last candidate is fitted, one a group; its edits come next, when a slider moves.
    fittings: dict[tuple[tuple[int, float], BlendSettings], list[Fitting]] = field(
        default_factory=dict
    )

    @property
    def model(self) -> str:
        """Name of the model that it was encoded by."""
        return self.entry.name

    @property
    def home(self) -> DeviceModels | None:
        """Where an edit needs no encoding; None: it needs one everywhere."""
        return self.encodings.home if self.encodings else None

    @property
    def num_bytes(self) -> int:
        """Roughly what keeping it costs."""
        codes = sum(c.nbytes for made in list(self.candidates.values()) for c in made.codes)
        groups = self.encodings.groups if self.encodings else ()
        encoded: int = sum(part.nbytes for parts in groups for part in parts)
        rendered = sum(part.nbytes for parts in list(self.unedited.values()) for part in parts)
        regions = (placement.region for placement in self.placements)
        fitting = FITTING_BYTES * sum(region.width * region.height for region in regions)
        pictures = self.picture.pixels.nbytes + self.hole.coverage.nbytes
        return pictures + codes + encoded + rendered + fitting

    def keep_unedited(self, made: Made, outputs: Outputs) -> None:
        """Keep what the network made of a candidate without edits; the oldest go."""
        self.unedited[made.origin] = outputs
        for oldest in list(self.unedited)[:-UNEDITED_KEPT]:
            self.unedited.pop(oldest, None)  # another device's worker may have done it


class Placed(NamedTuple):
    """The frames are chosen and the encoder has run."""

    scene: Scene
    encode_s: float


@dataclass(frozen=True)
class Rendered:
    """One candidate or variant, as the network made it."""

    index: int
    variant: int  # -1: the candidate itself
    made: Made
    outputs: Outputs
    unedited: Outputs | None  # those before edits and mixing; None if `outputs` are those


# None: nothing to tell, but a good moment to stop.
Event = Placed | list[Rendered] | Pause | None


@dataclass(frozen=True)
class _Task:
    index: int
    variant: int
    made: Made


def working_bytes(hole: Hole) -> int:
    """Estimate what laying fills over this selection takes, on top of the pictures, bytes."""
    box = hole.bounds
    return 0 if box is None else 2 * FITTING_BYTES * box.width * box.height


def fill_steps(
    models: DeviceModels,
    choices: Sequence[Entry],
    order: FillOrder,
    picture: DocumentPicture,
    hole: Hole,
    overview: DocumentPicture | None,
) -> Steps[Event]:
    """Load the model if need be, choose the frames, encode, render all candidates.

    choices: the models that may answer; which one does is decided by what the frames show.
    """

    def framed(inpainter: Inpainter) -> list[Placement]:
        try:
            return frame_holes(
                inpainter,
                picture,
                hole,
                frame=order.frame,
                overview=overview,
            )
        except ValueError as error:
            raise InvalidRequest("hole", str(error)) from error

    entry = next(filter(models.is_loaded, choices), choices[0])
    inpainter = models.use(entry)
    yield None
    began = time.monotonic()
    placements = framed(inpainter)
    best = suited(choices, max(map(_needed_px, placements)), models.is_loaded)
    if best is not entry:
        yield None
        entry, inpainter = best, models.use(best)
        yield None
        placements = framed(inpainter)
    del inpainter  # while this fill waits for its reader, the model may have to leave
    scene = Scene(entry, picture, hole, placements, order.blending, order.output_dtype)
    yield from _encode(models, scene)
    yield Placed(scene, time.monotonic() - began)
    batch_size = models.batch_size(entry)
    yield from _render(models, scene, _tasks(models, scene, order, batch_size), batch_size)


def _needed_px(placement: Placement) -> float:
    """Return the resolution at which a model would show every document pixel of the frame.

    A square around the selection is never smaller than the resolution of the model that it was
    made for; what counts is the square that the selection asks for.
    """
    if placement.mode == "box":
        return geometry.box_frame(placement.box, *placement.picture.document_size).side
    return placement.frame.side


def edit_steps(
    models: DeviceModels,
    scene: Scene,
    index: int,
    order: EditOrder,
) -> Steps[Event]:
    """Render one candidate of a scene again, with changes. The scene itself stays as it is."""
    if index not in scene.candidates:
        raise NotFound("candidate", str(index), map(str, scene.candidates))
    models.use(scene.entry)
    began = time.monotonic()
    if scene.home is not models:
        yield from _encode(models, scene)
    made = _resampled(models, scene, scene.candidates[index], order)
    if order.mixing is not None:
        made = _mixed(models.use(scene.entry), scene, made, order.mixing)
    yield Placed(scene, time.monotonic() - began)
    task = _Task(index, -1, made._replace(edits=order.edits))
    yield from _render(models, scene, iter([task]), 1)


def scene_of_recipe(
    entry: Entry,
    recipe: Recipe,
    sources: Sequence[Source],
    picture: DocumentPicture,
    hole: Hole,
    output_dtype: np.dtype[Any],
) -> Scene:
    """Return the scene of a recipe: the encoder will see exactly what it saw then."""
    try:
        placements = [
            replace(
                place(picture, part, group.frame, entry.info.resolution, selection=hole),
                source=source,
            )
            for part, group, source in zip(
                _parts(hole, recipe), recipe.groups, sources, strict=True
            )
        ]
    except ValueError as error:
        raise InvalidRequest("source.hole", str(error)) from error
    scene = Scene(entry, picture, hole, placements, recipe.blending, output_dtype)
    scene.candidates[0] = Made(
        recipe.seed,
        recipe.truncation_psi,
        recipe.edits,
        recipe.mixing,
        recipe_codes(recipe, entry, "source.recipe"),
    )
    return scene


def _parts(hole: Hole, recipe: Recipe) -> list[Hole]:
    """Return the part of the selection that belongs to each group: found as the fill found it."""
    if len(recipe.groups) == 1:
        return [hole]
    recorded = iter(recipe.groups)

    def choose(box: Box) -> Choice:
        group = next(recorded, None)
        if group is None:
            raise ValueError(f"The selection falls into more than {len(recipe.groups)} groups.")
        return Choice(group.frame, "auto", 1.0, "")

    found = hole.groups(choose)
    if len(found) < len(recipe.groups):
        raise ValueError(f"The selection has {len(found)} groups, not {len(recipe.groups)}.")
    return [group for group, _ in found]


def _encode(models: DeviceModels, scene: Scene) -> Iterator[None]:
    inpainter = models.use(scene.entry)
    groups = []
    for placement in scene.placements:
        groups.append(inpainter.encode(placement.source.erased, placement.source.hole))
        yield None
    scene.encodings = Encodings(models, groups)


def _encodings(models: DeviceModels, scene: Scene) -> list[Encoding]:
    """Return what the encoder made on this device.

    Made again if the model left the device in between, or if an edit on another device took over.
    """
    held = scene.encodings
    while held is None or held.home is not models:
        for _ in _encode(models, scene):
            pass
        held = scene.encodings
    return held.groups


def _sample(
    models: DeviceModels, scene: Scene, seeds: Sequence[int], truncation_psi: float
) -> list[tuple[CodesF32, ...]]:
    """The codes [num_ws, w_dim] of every group, one tuple a seed; all groups share the seed."""
    inpainter = models.use(scene.entry)
    groups = [
        inpainter.sample(encoding, seeds, truncation_psi) for encoding in _encodings(models, scene)
    ]
    return list(zip(*groups, strict=True))


def _tasks(
    models: DeviceModels, scene: Scene, order: FillOrder, batch_size: int
) -> Iterator[_Task]:
    """Every candidate, followed by its variants.

    The first seed is sampled alone and the others some at a time, when the first one's turn comes.
    """
    k = 0
    while seeds := order.seeds[k : k + (batch_size if k else 1)]:
        sampled = _sample(models, scene, seeds, order.truncation_psi)
        for seed, codes in zip(seeds, sampled, strict=True):
            made = Made(seed, order.truncation_psi, order.edits, None, codes)
            scene.candidates[k] = made
            for variant, edits in enumerate(({}, *order.variants), start=-1):
                yield _Task(k, variant, made._replace(edits={**order.edits, **edits}))
            k += 1


def _resampled(models: DeviceModels, scene: Scene, made: Made, order: EditOrder) -> Made:
    """Return the candidate with another seed or truncation; as it is if neither changes."""
    new_seed = made.seed if order.seed is None else order.seed
    new_psi = made.truncation_psi if order.truncation_psi is None else order.truncation_psi
    if made.codes and (new_seed, new_psi) == (made.seed, made.truncation_psi):
        return made
    (codes,) = _sample(models, scene, [new_seed], new_psi)
    return Made(new_seed, new_psi, made.edits, None, codes)


def _mixed(inpainter: Inpainter, scene: Scene, made: Made, order: MixingOrder) -> Made:
    """Return the candidate with styles of another candidate, or of a picture."""
    seen = [placement.frame for placement in scene.placements]
    others = other_codes(inpainter, scene.entry, seen, order)
    note = MixingNote(order.levels, order.amount)
    return made._replace(mixing=note, codes=mixed(made.codes, others, order))


def _render(
    models: DeviceModels, scene: Scene, tasks: Iterator[_Task], batch_size: int
) -> Iterator[list[Rendered] | Pause]:
    """All tasks, the first alone; memory that does not suffice makes the batches smaller.

    Where the device is the processor, the second waits until the first is sent: the threads that
    lay it over would have to share the cores with the networks, and it would come late.
    """
    pending: list[_Task] = []
    size = 1
    first = True
    while True:
        pending += islice(tasks, max(size - len(pending), 0))
        if not pending:
            return
        batch = pending[: batch_sizes(len(pending), size)[0]]
        try:
            rendered = _render_batch(models, scene, batch)
        except Exception as error:
            if not is_out_of_memory(error):
                raise
            batch_size = size = _less_memory(models, scene.entry, len(batch), error)
            continue
        yield rendered
        del pending[: len(batch)]
        size = batch_size
        if first and models.device.type == "cpu":
            yield PAUSE
        first = False


def _less_memory(models: DeviceModels, entry: Entry, batch_size: int, error: Exception) -> int:
    """Return the batch size to try next; OutOfMemory when nothing is left to give up."""
    free_cached_memory(models.device)
    if batch_size > 1:
        return batch_size // 2
    if models.unload_oldest(entry):
        return 1
    raise OutOfMemory(
        "the device's memory does not suffice for one candidate; close other programs that use "
        "it, or start the daemon with `--device cpu`"
    ) from error


def _render_batch(models: DeviceModels, scene: Scene, batch: Sequence[_Task]) -> list[Rendered]:
    inpainter = models.use(scene.entry)
    groups = []
    for g, encoding in enumerate(_encodings(models, scene)):
        codes = [inpainter.edit(task.made.codes[g][None], task.made.edits) for task in batch]
        groups.append(inpainter.render(encoding, np.concatenate(codes)))  # [n, R, R, 3]
    rendered = []
    for k, task in enumerate(batch):
        outputs, unedited = tuple(group[k] for group in groups), None
        if task.made.is_changed:
            unedited = _unedited(models, scene, task.made)
        else:
            scene.keep_unedited(task.made, outputs)
        rendered.append(Rendered(task.index, task.variant, task.made, outputs, unedited))
    return rendered


def _unedited(models: DeviceModels, scene: Scene, made: Made) -> Outputs:
    """Return what the network makes of a candidate without edits and mixing."""
    outputs = scene.unedited.get(made.origin)
    if outputs is None:
        inpainter, codes = models.use(scene.entry), made.codes
        if made.mixing is not None:
            (codes,) = _sample(models, scene, [made.seed], made.truncation_psi)
        outputs = tuple(
            inpainter.render(encoding, own[None])[0]
            for encoding, own in zip(_encodings(models, scene), codes, strict=True)
        )
        scene.keep_unedited(made, outputs)
    return outputs


def warm_up_steps(models: DeviceModels, entry: Entry) -> Steps[None]:
    """Load a model and let every kernel run once, before anybody waits for it.

    The largest batch comes first: the graphs of the smaller ones then fit into its memory.
    """
    inpainter = models.use(entry)
    yield
    resolution = inpainter.resolution
    hole = np.zeros((resolution, resolution), np.uint8)
    hole[resolution // 4 : -resolution // 4, resolution // 4 : -resolution // 4] = 255
    encoding = inpainter.encode(np.zeros((resolution, resolution, 3), np.uint8), hole)
    yield
    codes = inpainter.sample(encoding, [0], 0.8)
    yield
    largest = models.batch_size(entry)
    for size in (1 << k for k in reversed(range(largest.bit_length()))):
        inpainter.render(encoding, np.repeat(codes, size, axis=0))
        yield
    if measured := peak_memory(models.device):
        log.info(
            "model=%s device=%s batch_size=%d computed_mib=%d measured_mib=%d",
            entry.name, models.device, largest, models.needed(entry) >> 20, measured >> 20,
        )  # fmt: skip
