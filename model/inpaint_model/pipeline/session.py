"""A document's frames, its results so far, and all that needs no network."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from inpaint_model.document import geometry
from inpaint_model.document.arrays import FloatImage
from inpaint_model.document.backdrop import Matte
from inpaint_model.document.blending import BlendSettings
from inpaint_model.document.compositing import Patch
from inpaint_model.document.document_image import DocumentImage
from inpaint_model.document.hole import Hole
from inpaint_model.document.large_hole import LARGE
from inpaint_model.document.notices import RefusalError
from inpaint_model.document.placement import BlendFit, FramePart, Placement
from inpaint_model.document.skin_tone import Skin
from inpaint_model.networks.inpainting_model import Encoding
from inpaint_model.pipeline.assessing import UNKNOWN, Assessment, GroupAssessor, assess
from inpaint_model.pipeline.backdrops import matte_of
from inpaint_model.pipeline.enlarging import Enlarger
from inpaint_model.pipeline.recipe import (
    Codes,
    Group,
    Method,
    MixingNote,
    ModelIdentity,
    Recipe,
    UnusableError,
    write_attachment,
)
from inpaint_model.pipeline.skin import skin_of

Outputs = tuple[FloatImage, ...]
"""The network's outputs for a candidate: one [R, R, 3] for each group of holes."""

Edits = Mapping[str, float]
"""Distances in units, by name of direction."""

UNEDITED_KEPT = 16  # candidates
FITTING_BYTES = 112  # per pixel around a hole, for `_fittings`


class UneditableError(UnusableError):
    """Smooth fills cannot be edited or mixed."""

    subject = "the smooth fill"

    def __init__(self) -> None:
        super().__init__("was made without the model and cannot be edited. Edit another candidate.")


class Candidate(NamedTuple):
    """The parameters of a fill."""

    seed: int
    truncation_psi: float
    edits: Edits
    mixing: MixingNote | None
    codes: Codes  # after mixing, before edits; empty if smooth
    method: Method = "model"

    @property
    def is_smooth(self) -> bool:
        """Whether it is filled without a model."""
        return self.method == "smooth"

    @property
    def origin(self) -> tuple[int, float]:
        """Seed and truncation from which it was sampled."""
        return self.seed, self.truncation_psi

    @property
    def is_changed(self) -> bool:
        """Whether it is edited or mixed."""
        return self.mixing is not None or any(self.edits.values())

    def edited(self, edits: Edits) -> Candidate:
        """Return it with other edits.

        Raises:
            UneditableError: It is smooth, and there are edits.
        """
        if self.is_smooth and any(edits.values()):
            raise UneditableError
        return self._replace(edits=edits)


SMOOTH = Candidate(0, 0.0, {}, None, (), "smooth")
"""The candidate without a model."""


@dataclass(frozen=True)
class Task:
    """A candidate or variant to render."""

    index: int  # of the candidate in its session
    variant: int  # -1: the candidate itself
    candidate: Candidate


@dataclass(frozen=True)
class Rendering:
    """A rendered `Task`."""

    index: int
    variant: int
    candidate: Candidate
    outputs: Outputs
    unedited: Outputs | None  # before edits and mixing; None if the same


class Encodings(NamedTuple):
    """Encodings of all groups, and their memory."""

    home: object
    groups: list[Encoding]


@dataclass
class FillSession:
    """A document with framed holes, and everything computed for them.

    Copies with another `blending` share everything else. Rendering and the methods here may run in
    different threads.
    """

    model: ModelIdentity
    image: DocumentImage
    hole: Hole  # of the image's size and origin
    placements: Sequence[Placement]  # one per group
    blending: BlendSettings
    enlargers: Sequence[Enlarger] = ()  # one per group, if the model has a detail network
    assessors: Sequence[GroupAssessor] = ()  # one per group, if all frames show faces
    is_equipped: bool = False  # whether it has the networks that run beside the model
    encodings: Encodings | None = None  # None when the model has left the device
    candidates: dict[int, Candidate] = field(default_factory=dict)
    # Outputs without edits and mixing, by seed and truncation, latest last.
    unedited: dict[tuple[int, float], Outputs] = field(default_factory=dict)
    # Fits of the last candidate's groups, for all its edits while a slider moves.
    _fittings: dict[tuple[tuple[int, float], BlendSettings], list[BlendFit]] = field(
        default_factory=dict
    )
    _attachment: list[bytes] = field(default_factory=list)

    @property
    def home(self) -> object | None:
        """The memory that holds the encodings, if any."""
        return self.encodings.home if self.encodings else None

    @property
    def fitted_px(self) -> int:
        """Number of pixels that a candidate is fitted to."""
        return sum(placement.fitted_px for placement in self.placements)

    @property
    def num_bytes(self) -> int:
        """Approximate memory."""
        codes = sum(c.nbytes for made in list(self.candidates.values()) for c in made.codes)
        groups = self.encodings.groups if self.encodings else ()
        encoded: int = sum(part.nbytes for parts in groups for part in parts.values())
        rendered = sum(part.nbytes for parts in list(self.unedited.values()) for part in parts)
        fitting = FITTING_BYTES * self.fitted_px
        fitting += sum(enlarger.num_bytes for enlarger in self.enlargers)
        fitting += sum(placement.texture_bytes for placement in self.placements)
        images = self.image.pixels.nbytes + self.hole.coverage.nbytes
        if self.image.context is not None:
            images += self.image.context.pixels.nbytes
        return images + codes + encoded + rendered + fitting

    def keep_unedited(self, candidate: Candidate, outputs: Outputs) -> None:
        """Keep a candidate's outputs without edits; drop the oldest."""
        self.unedited[candidate.origin] = outputs
        for oldest in list(self.unedited)[:-UNEDITED_KEPT]:
            self.unedited.pop(oldest, None)  # another worker may have removed it

    def preparations(self) -> list[Callable[[], object]]:
        """Return functions that precompute what all fits share, each in a thread of its own."""
        prepared: list[Callable[[], object]] = []
        for placement in self.placements:
            prepared += placement.preparations(self.blending)
        if self.blending.detail:
            prepared += [enlarger.prepare for enlarger in self.enlargers]
        return prepared + [assessor.prepare for assessor in self.assessors]

    @property
    def fits_two(self) -> bool:
        """Whether memory was reserved to fit two candidates at once (see `memory_estimate`)."""
        return 2 * self.fitted_px <= LARGE

    @property
    def has_surroundings(self) -> bool:
        """Whether a smooth fill has something to continue in every group."""
        return all(placement.has_surroundings for placement in self.placements)

    def smooth(self, index: int) -> Rendering:
        """Add the smooth candidate, which needs no rendering.

        Raises:
            RefusalError: Nothing around a group is known.
        """
        if not self.has_surroundings:
            raise RefusalError("NOTHING_AROUND")
        self.candidates[index] = SMOOTH
        return Rendering(index, -1, SMOOTH, (), None)

    def patches(self, rendering: Rendering) -> list[Patch]:
        """Return a rendering as document pixels, one patch per group.

        Edits and mixtures use the fit of their unedited candidate; their own would undo them.
        """
        if rendering.candidate.is_smooth:
            return [placement.smooth(self.blending) for placement in self.placements]
        fittings = self._fitted(rendering)
        if rendering.unedited is None:
            return [fitting.to_patch() for fitting in fittings]
        outputs = rendering.outputs
        edited = zip(fittings, self._parts(outputs), self._mattes(outputs), strict=True)
        return [fitting.edit_to_patch(part, matte) for fitting, part, matte in edited]

    def assess(self, rendering: Rendering) -> Assessment:
        """Judge a rendering; nothing is known of smooth fills, or where there is no face."""
        if rendering.candidate.is_smooth or not self.assessors:
            return UNKNOWN
        return assess(self.assessors, rendering.outputs)

    def _parts(self, outputs: Outputs) -> list[FramePart]:
        """Return outputs with detail, if that is wanted and the model can."""
        if not self.enlargers or not self.blending.detail:
            return [FramePart.of(output) for output in outputs]
        return [enlarge(own) for enlarge, own in zip(self.enlargers, outputs, strict=True)]

    def _mattes(self, outputs: Outputs) -> list[Matte | None]:
        """Return what outputs show in front of the background, where that is continued."""
        if not self.blending.gradient:
            return [None] * len(outputs)
        matched = self.blending.colour_match
        return [matte_of(*pair, matched) for pair in zip(self.placements, outputs, strict=True)]

    def _skins(self, outputs: Outputs) -> list[Skin | None]:
        """Return where outputs show skin, if the frames show faces."""
        if not self.assessors or not self.blending.colour_match:
            return [None] * len(outputs)
        return [skin_of(*pair) for pair in zip(self.placements, outputs, strict=True)]

    def _fitted(self, rendering: Rendering) -> list[BlendFit]:
        key = rendering.candidate.origin, self.blending
        fittings = self._fittings.get(key)
        if fittings is None:
            outputs = rendering.outputs if rendering.unedited is None else rendering.unedited
            groups = zip(
                self.placements,
                self._parts(outputs),
                self._mattes(outputs),
                self._skins(outputs),
                strict=True,
            )
            fittings = [
                BlendFit.of(place, part, self.blending, matte, skin)
                for place, part, matte, skin in groups
            ]
            self._fittings.clear()
            self._fittings[key] = fittings
        return fittings

    def recipe(self, candidate: Candidate) -> Recipe:
        """Return the recipe of a candidate."""
        none = (None,) * len(self.placements)
        codes_of_groups = none if candidate.is_smooth else candidate.codes
        return Recipe(
            model=self.model.name,
            weights_sha256=self.model.weights_sha256,
            generator_sha256=self.model.generator_sha256,
            seed=candidate.seed,
            truncation_psi=candidate.truncation_psi,
            edits=candidate.edits,
            mixing=candidate.mixing,
            document=self.image.document_size,
            box=geometry.union([placement.box for placement in self.placements]),
            blending=self.blending,
            groups=tuple(
                Group(placement.frame, placement.box, codes, placement.whole)
                for placement, codes in zip(self.placements, codes_of_groups, strict=True)
            ),
            method=candidate.method,
        )

    def attachment(self) -> bytes:
        """Return a PNG of what the encoder saw, shared by all candidates."""
        if not self._attachment:
            sources = [placement.source for placement in self.placements]
            self._attachment.append(write_attachment(sources))
        return self._attachment[0]
