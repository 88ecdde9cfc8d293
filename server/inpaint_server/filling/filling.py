"""Fills and edits as steps for the worker, with the choice of models and batch sizes.

The steps use the model's `pipeline`. The first candidate is rendered alone, so that it is ready as
soon as possible. The following ones are rendered in batches that fit into the device's memory and
that candidates of several requests may share.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import Any, NamedTuple

import numpy as np
from inpaint_model import DocumentInpainter
from inpaint_model.document.document_image import DocumentImage
from inpaint_model.document.hole import Hole
from inpaint_model.document.notices import RefusalError
from inpaint_model.inference.abilities import check_count, check_editable
from inpaint_model.inference.cuda_graphs import batch_sizes
from inpaint_model.pipeline.session import (
    Candidate,
    FillSession,
    Rendering,
    Task,
    UneditableError,
)
from inpaint_model.pipeline.smooth_offer import is_worth_smoothing
from inpaint_model.pipeline.style_mixing import Mixing, UnseenImageError

from ..errors import DeviceOutOfMemoryError, InvalidRequestError, NotFoundError, refused_in
from ..models.device import free_cached_memory, is_out_of_memory, peak_memory
from ..models.device_models import DeviceModels
from ..models.registry import RegisteredModel, select_model
from ..scheduling.engine import PAUSE, Joint, Pause, Steps
from ..scheduling.measurements import Histogram
from .recipe_errors import mixing_field, recipe_in
from .specs import EditSpec, FillSpec

log = logging.getLogger(__name__)


@dataclass
class ServedSession:
    """A session with its model and the sample type of its fills."""

    entry: RegisteredModel
    session: FillSession
    output_dtype: np.dtype[Any]

    @property
    def home(self) -> DeviceModels | None:
        """The device on which an edit needs no encoding; None if it always needs one."""
        home = self.session.home
        return home if isinstance(home, DeviceModels) else None


class Encoded(NamedTuple):
    """Result of a step: the frames are chosen and the encoder has run."""

    served: ServedSession
    encode_s: float
    smooth: bool = False  # whether a smooth candidate follows the requested ones


@dataclass(frozen=True, eq=False)
class RenderJoint(Joint):
    """Candidates that can be rendered together with those of other requests."""

    document: DocumentInpainter
    session: FillSession
    batch: Sequence[Task]
    sizes: Histogram  # of batches on the device

    def together(self, others: Sequence[RenderJoint]) -> list[list[Rendering]]:
        """Render all candidates in one batch."""
        self.sizes.observe(self.size + sum(joint.size for joint in others))
        jobs = [(joint.session, joint.batch) for joint in (self, *others)]
        return self.document.render_together(jobs)


# None = no result, but a suitable moment to switch to other work.
Event = Encoded | list[Rendering] | RenderJoint | Pause | None


def _document(models: DeviceModels, entry: RegisteredModel) -> DocumentInpainter:
    """Return the pipeline for a model, which is loaded when a step needs it."""
    return DocumentInpainter(partial(models.use, entry), home=models)


def fill_steps(
    models: DeviceModels,
    candidate_models: Sequence[RegisteredModel],
    spec: FillSpec,
    image: DocumentImage,
    hole: Hole,
    overview: DocumentImage | None,
) -> Steps[Event]:
    """Load the model if necessary, choose the frames, encode, and render all candidates.

    Args:
        models: the models on the device.
        candidate_models: the models that may be used; the size of the frames decides which one is.
        spec: the request.
        image: the document around the hole.
        hole: the hole.
        overview: the entire document at reduced size, if it was sent.
    """

    def framed(entry: RegisteredModel) -> FillSession:
        try:
            return _document(models, entry).open(
                image, hole, frame=spec.frame, overview=overview, blending=spec.blending
            )
        except ValueError as error:
            raise InvalidRequestError.because("hole", error) from error

    entry = next(filter(models.is_loaded, candidate_models), candidate_models[0])
    models.use(entry)
    yield None
    began = time.monotonic()
    session = framed(entry)
    side = max(placement.full_resolution for placement in session.placements)
    best = select_model(candidate_models, side, models.is_loaded)
    if best is not entry:
        yield None
        models.use(best)
        yield None
        if entry.info.has_framer or not best.info.has_framer:
            session = _document(models, best).take_over(session, overview)
        else:
            session = framed(best)
        entry = best
    document = _document(models, entry)
    yield from document.encode(session)
    smooth = _wants_smooth(spec, session)
    served = ServedSession(entry, session, spec.output_dtype)
    yield Encoded(served, time.monotonic() - began, smooth)
    batch_size = models.batch_size(entry)
    tasks = document.tasks(
        session, spec.seeds, spec.truncation_psi, spec.edits, spec.variants, batch_size
    )
    yield from _render(models, entry, session, tasks, batch_size)
    if smooth:
        yield [session.smooth(len(spec.seeds))]


def _wants_smooth(spec: FillSpec, session: FillSession) -> bool:
    """Return whether to add a smooth candidate.

    Raises:
        InvalidRequestError: it was requested but cannot be made.
    """
    if spec.smooth == "always" and not session.has_surroundings:
        raise InvalidRequestError.because("smooth", RefusalError("NOTHING_AROUND"))
    if spec.smooth != "auto":
        return spec.smooth == "always"
    return is_worth_smoothing(session.placements) and session.has_surroundings


def edit_steps(
    models: DeviceModels, served: ServedSession, index: int, spec: EditSpec
) -> Steps[Event]:
    """Render one candidate of a session again, with changes, which the session does not keep."""
    entry, session = served.entry, served.session
    if index not in session.candidates:
        raise NotFoundError("candidate", str(index), map(str, session.candidates))
    candidate = session.candidates[index]
    _check_abilities(entry, candidate, spec)
    began = time.monotonic()
    document = _document(models, entry)
    if not candidate.is_smooth:
        models.use(entry)
        began = time.monotonic()
        document.equip(session)
        if session.home is not models:
            yield from document.encode(session)
    try:
        candidate = document.changed(session, candidate, spec.seed, spec.truncation_psi)
        for k, mixing in enumerate(spec.mixings):
            candidate = _mixed(document, session, candidate, mixing, mixing_field(k))
        task = Task(index, -1, candidate.edited(spec.edits))
    except UneditableError as error:
        raise InvalidRequestError("index", error.reason, "SMOOTH_IS_FIXED") from None
    yield Encoded(served, time.monotonic() - began)
    yield from _render(models, entry, session, iter([task]), models.batch_size(entry))


def _mixed(
    document: DocumentInpainter,
    session: FillSession,
    candidate: Candidate,
    mixing: Mixing,
    field: str,
) -> Candidate:
    """Mix styles into a candidate; `field` of the request has the mixing."""
    try:
        with recipe_in(f"{field}.recipe"):
            return document.mixed(session, candidate, mixing)
    except UnseenImageError as error:
        raise InvalidRequestError(f"{field}.picture", error.reason, "UNSEEN_PICTURE") from None


def _check_abilities(entry: RegisteredModel, candidate: Candidate, spec: EditSpec) -> None:
    """Check, before anything is computed, that the model can change a candidate like this.

    Raises:
        InvalidRequestError: it cannot.
    """
    abilities, name = entry.info.config.abilities, entry.info.shown_name
    if spec.mixings:
        with refused_in("mixing"):
            check_editable(abilities, name)
    if spec.seed is not None and not candidate.is_smooth:
        with refused_in("seed"):
            check_count(abilities, name, len({candidate.seed, spec.seed}))


def _render(
    models: DeviceModels,
    entry: RegisteredModel,
    session: FillSession,
    tasks: Iterator[Task],
    batch_size: int,
) -> Steps[Event]:
    """Render all tasks, the first one alone, and use smaller batches if memory runs out.

    If the device uses batches, candidates of other requests may be rendered in the same batch.

    On a CPU, the second candidate waits until the first one was sent. Otherwise the threads that
    blend the first one would share the cores with the networks, which would delay it. Of a large
    hole, two are blended at a time (`serving.finishing`), so it only waits until the first one was
    received.
    """
    document = _document(models, entry)
    pending: list[Task] = []
    size = 1
    first = True
    while True:
        pending += islice(tasks, max(size - len(pending), 0))
        if not pending:
            return
        batch = pending[: batch_sizes(len(pending), size)[0]]
        made: list[Rendering] | None = None
        if batch_size > 1 and not batch[0].candidate.is_smooth:
            num = len(batch) * len(session.placements)
            made = yield RenderJoint(
                entry, num, batch_size, document, session, batch, models.batch_sizes
            )
        try:
            renderings = made or document.render(session, batch)
        except Exception as error:
            if not is_out_of_memory(error):
                raise
            batch_size = size = _less_memory(models, entry, len(batch), error)
            continue
        if made is None:
            models.batch_sizes.observe(len(batch) * len(session.placements))
        yield renderings
        del pending[: len(batch)]
        size = batch_size
        if first and models.device.type == "cpu":
            yield PAUSE
        first = False


def _less_memory(
    models: DeviceModels, entry: RegisteredModel, batch_size: int, error: Exception
) -> int:
    """Free memory and return the batch size to try next.

    Raises:
        DeviceOutOfMemoryError: no more memory can be freed.
    """
    free_cached_memory(models.device)
    if batch_size > 1:
        return batch_size // 2
    if models.unload_oldest(entry):
        return 1
    raise DeviceOutOfMemoryError("DEVICE_MEMORY") from error


def warm_up_steps(models: DeviceModels, entry: RegisteredModel) -> Steps[None]:
    """Load a model and run every kernel once, before the first request.

    The largest batch comes first, so that the graphs of the smaller ones fit into its memory.
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
    inpainter.assessor.features(np.zeros((resolution, resolution, 3), np.float32))
    yield
    largest = models.batch_size(entry)
    for size in (1 << k for k in reversed(range(largest.bit_length()))):
        inpainter.render(encoding, np.repeat(codes, size, axis=0))
        yield
        if size > 1:
            inpainter.render_each([encoding] * size, np.repeat(codes, size, axis=0))
            yield
    if measured := peak_memory(models.device):
        log.info(
            "model=%s device=%s batch_size=%d computed_mib=%d measured_mib=%d",
            entry.name, models.device, largest, models.needed(entry) >> 20, measured >> 20,
        )  # fmt: skip
