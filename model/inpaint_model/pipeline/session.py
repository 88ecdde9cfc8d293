"""A fill that can go on: how it is framed, and what was encoded, sampled and rendered so far.

What needs no network is here: a candidate's patches in document pixels, its recipe, its attachment.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from inpaint_model.document import geometry
from inpaint_model.document.arrays import FloatImage
from inpaint_model.document.blending import BlendSettings
from inpaint_model.document.compositing import Patch
from inpaint_model.document.document_image import DocumentImage
from inpaint_model.document.hole import Hole
from inpaint_model.document.notices import RefusalError
from inpaint_model.document.placement import BlendFit, Placement
from inpaint_model.networks.inpainting_model import Encoding
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

Outputs = tuple[FloatImage, ...]
"""What the network made of a candidate: one [R, R, 3] for each group of holes."""

Edits = Mapping[str, float]
"""How far to go along directions, by their names, in units."""

UNEDITED_KEPT = 16  # a session's candidates without edits
FITTING_BYTES = 96  # per pixel around a hole: what blending prepares for all of a candidate's edits


class UneditableError(UnusableError):
    """A smooth fill is to be edited, drawn again or mixed."""

    subject = "the smooth fill"

    def __init__(self) -> None:
        super().__init__("was made without the model and cannot be edited; edit another candidate")


class Candidate(NamedTuple):
    """What an image is rendered from."""

    seed: int
    truncation_psi: float
    edits: Edits
    mixing: MixingNote | None
    codes: Codes  # after mixing, before edits; none of a smooth fill
    method: Method = "model"

    @property
    def is_smooth(self) -> bool:
        """Whether it is filled without a model: it can be neither edited nor mixed."""
        return self.method == "smooth"

    @property
    def origin(self) -> tuple[int, float]:
        """What it was sampled from; edits and mixing came later."""
        return self.seed, self.truncation_psi

    @property
    def is_changed(self) -> bool:
        """Whether it is not as it was sampled."""
        return self.mixing is not None or any(self.edits.values())

    def edited(self, edits: Edits) -> Candidate:
        """Return it with these edits instead of its own.

        Raises:
            UneditableError: it is smooth, and there are any.
        """
        if self.is_smooth and any(edits.values()):
            raise UneditableError
        return self._replace(edits=edits)


SMOOTH = Candidate(0, 0.0, {}, None, (), "smooth")
"""The candidate that is filled without a model."""


@dataclass(frozen=True)
class Task:
    """An image to be rendered."""

    index: int  # of the candidate in its session
    variant: int  # -1: the candidate itself
    candidate: Candidate


@dataclass(frozen=True)
class Rendering:
    """One candidate or variant, as the network made it."""

    index: int
    variant: int  # -1: the candidate itself
    candidate: Candidate
    outputs: Outputs
    unedited: Outputs | None  # those before edits and mixing; None if `outputs` are those


class Encodings(NamedTuple):
    """What the encoder made of a session's groups, and in whose memory it is."""

    home: object
    groups: list[Encoding]  # one a group


@dataclass
class FillSession:
    """A document whose holes are framed, and everything that was made for them since.

    `DocumentInpainter.open` makes one; `dataclasses.replace` with another `blending` shares the
    rest. Rendering and the methods here may run in different threads.
    """

    model: ModelIdentity
    image: DocumentImage
    hole: Hole  # of the image's size and origin
    placements: Sequence[Placement]  # one a group
    blending: BlendSettings
    encodings: Encodings | None = None  # None when the model has left the device
    candidates: dict[int, Candidate] = field(default_factory=dict)
    # Outputs without edits and mixing, by seed and truncation, the latest last: blending of edited
    # candidates is fitted to them.
    unedited: dict[tuple[int, float], Outputs] = field(default_factory=dict)
    # How the last candidate is fitted, one a group: its edits come next, when a slider moves.
    _fittings: dict[tuple[tuple[int, float], BlendSettings], list[BlendFit]] = field(
        default_factory=dict
    )
    _attachment: list[bytes] = field(default_factory=list)  # empty until it is asked for

    @property
    def home(self) -> object | None:
        """In whose memory the encodings are; None: nowhere."""
        return self.encodings.home if self.encodings else None

    @property
    def num_bytes(self) -> int:
        """Roughly what keeping it costs."""
        codes = sum(c.nbytes for made in list(self.candidates.values()) for c in made.codes)
        groups = self.encodings.groups if self.encodings else ()
        encoded: int = sum(part.nbytes for parts in groups for part in parts)
        rendered = sum(part.nbytes for parts in list(self.unedited.values()) for part in parts)
        fitting = FITTING_BYTES * sum(placement.fitted_px for placement in self.placements)
        images = self.image.pixels.nbytes + self.hole.coverage.nbytes
        if self.image.context is not None:
            images += self.image.context.pixels.nbytes
        return images + codes + encoded + rendered + fitting

    def keep_unedited(self, candidate: Candidate, outputs: Outputs) -> None:
        """Keep what the network made of a candidate without edits; the oldest go."""
        self.unedited[candidate.origin] = outputs
        for oldest in list(self.unedited)[:-UNEDITED_KEPT]:
            self.unedited.pop(oldest, None)  # another device's worker may have done it

    def prepare_blending(self) -> None:
        """Make what all candidates are fitted to, ahead of the first one."""
        for placement in self.placements:
            placement.surroundings.prepare(self.blending)

    @property
    def has_surroundings(self) -> bool:
        """Whether a smooth fill of every group has something to continue."""
        return all(placement.has_surroundings for placement in self.placements)

    def smooth(self, index: int) -> Rendering:
        """Return the candidate that is filled without a model. There is nothing to render.

        Args:
            index: of the candidate in this session.

        Raises:
            RefusalError: there is nothing to continue around a group of the hole.
        """
        if not self.has_surroundings:
            raise RefusalError("NOTHING_AROUND")
        self.candidates[index] = SMOOTH
        return Rendering(index, -1, SMOOTH, (), None)

    def patches(self, rendering: Rendering) -> list[Patch]:
        """Return a rendering as pixels of the document, one patch a group.

        Edits and mixtures are fitted to the document as their candidate is without them, so that
        blending takes nothing of the change back.
        """
        if rendering.candidate.is_smooth:
            return [placement.smooth(self.blending) for placement in self.placements]
        fittings = zip(self._fitted(rendering), rendering.outputs, strict=True)
        if rendering.unedited is None:
            return [fitting.to_patch() for fitting, _ in fittings]
        return [fitting.edit_to_patch(output) for fitting, output in fittings]

    def _fitted(self, rendering: Rendering) -> list[BlendFit]:
        key = rendering.candidate.origin, self.blending
        fittings = self._fittings.get(key)
        if fittings is None:
            outputs = rendering.outputs if rendering.unedited is None else rendering.unedited
            pairs = zip(self.placements, outputs, strict=True)
            fittings = [BlendFit.of(place, output, self.blending) for place, output in pairs]
            self._fittings.clear()
            self._fittings[key] = fittings
        return fittings

    def recipe(self, candidate: Candidate) -> Recipe:
        """Return everything that makes a candidate again, together with the attachment."""
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
        """Return the PNG of what the encoder saw; the same for all candidates, so made once."""
        if not self._attachment:
            sources = [placement.source for placement in self.placements]
            self._attachment.append(write_attachment(sources))
        return self._attachment[0]
