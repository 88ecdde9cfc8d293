"""Requests to the daemon, as values that contain everything that determines the result."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum

from .capture import Capture
from .errors import InputError
from .geometry import MIXED_SIDE, Box, Frame
from .images import Picture, SampleType

MAX_SEED = 2**32 - 1


class FrameMode(IntEnum):
    """How the square that the model sees is or was chosen."""

    AUTO = 1  # found by the model's framer; falls back to BOX when unsure
    BOX = 2  # a square around the selection with context
    EXPLICIT = 3  # given by the client


FrameChoice = FrameMode | Frame  # AUTO, BOX, or the square itself


class SmoothFill(IntEnum):
    """Whether to add a candidate that continues the surroundings smoothly, without the model."""

    AUTO = 1  # if the model recognized nothing, or the hole is small
    ALWAYS = 2
    NEVER = 3


class StyleLevel(IntEnum):
    """Group of styles that mixing takes from the other candidate or image."""

    STRUCTURE = 1  # pose and shape
    FEATURES = 2  # eyes, mouth, hair
    COLORS = 3  # light, color, texture
    COLOURS = 3  # alias with the spelling of earlier versions


Edits = Mapping[str, float]
"""How far to move along directions of the model: name -> units (1 = one standard deviation).

Read-only once it is passed on. Texts list the edits in the mapping's order.
"""


@dataclass(frozen=True, kw_only=True)
class Blending:
    """How a fill is matched to its surroundings, inside the hole. None = the daemon's default."""

    colour_match: bool | None = None  # default on
    gradient: bool | None = None  # gradient-domain blending; default on
    feather_px: float | None = None  # inward feather, document px, 0..256; default 0
    grain: bool | None = None  # default on
    detail: bool | None = None  # add what the model's resolution lacks; default on


RAW = Blending(colour_match=False, gradient=False, feather_px=0.0, grain=False, detail=False)


@dataclass(frozen=True, kw_only=True)
class FillJob:
    """Request to fill a hole."""

    capture: Capture
    model: str = ""  # empty = the default, or one with higher resolution for a large frame
    seeds: tuple[int, ...] = ()  # one per candidate; none = one candidate with a random seed
    truncation_psi: float | None = None  # 0..1, 1 = widest variety; None = the daemon's default
    edits: Edits = field(default_factory=dict)
    variants: tuple[Edits, ...] = ()  # additional renderings, each with `edits` plus these
    frame: FrameChoice = FrameMode.AUTO
    blending: Blending = Blending()
    smooth: SmoothFill = SmoothFill.NEVER  # if enabled, the caller must check `Candidate.method`
    output_sample_type: SampleType | None = None  # of the fills; None = that of the crop

    def __post_init__(self) -> None:
        if self.frame is FrameMode.EXPLICIT:
            raise InputError("FrameMode.EXPLICIT cannot be requested; pass a Frame instead.")
        for seed in self.seeds:
            check_seed(seed)


@dataclass(frozen=True, kw_only=True)
class RecipeSource:
    """What an edit needs if the daemon no longer has the session, or never had it.

    Without `capture`, the candidate is composited over the attachment's own image, and patches are
    in pixels of the model.
    """

    recipe: str  # as `Candidate.recipe`
    attachment: bytes = field(repr=False)  # as `Candidate.attachment`
    capture: Capture | None = None  # its overview is not needed, and is not sent


@dataclass(frozen=True, kw_only=True)
class Mixing:
    """Style mixing: blend styles of another candidate or of an image into a candidate.

    Set either `recipe`, of a candidate of the same model, or `image` and `image_box`: a layer of
    the same document or part of one, reduced to at most `MIXED_SIDE` px. The model sees the image
    through the candidate's frame; transparent pixels and pixels outside the image are unknown.
    """

    recipe: str = ""
    levels: tuple[StyleLevel, ...] = ()  # none = all levels of a candidate, COLORS of an image
    amount: float = 1.0  # 0..1: 0 = this candidate, 1 = the other
    image: Picture | None = None
    image_box: Box | None = None  # area that it shows, document px; may exceed the document

    def __post_init__(self) -> None:
        if (self.image is None) == (not self.recipe):
            raise InputError("Mixing needs either the recipe of another candidate or an image.")
        if not 0 <= self.amount <= 1:
            raise InputError(f"The mixing amount {self.amount:g} must be between 0 and 1.")
        if self.image is None:
            return
        if self.image_box is None:
            raise InputError("An image to mix needs its box in the document.")
        width, height = self.image.extent
        if self.image.extent.longest > MIXED_SIDE:
            raise InputError(
                f"An image of {width} x {height} px is too large to mix.",
                f"Reduce it to at most {MIXED_SIDE} px.",
            )
        if width > self.image_box.width or height > self.image_box.height:
            raise InputError("An image to mix must not have more pixels than its box.")


@dataclass(frozen=True, kw_only=True)
class EditJob:
    """Request to render a candidate again; fields that are None stay unchanged.

    Set `session_id` (from `Accepted`), `source`, or both: the source is used if the session is
    gone.
    """

    session_id: str = ""
    routing_key: str = ""  # from `Accepted`, with the session
    source: RecipeSource | None = None
    index: int = 0  # which candidate of the session
    edits: Edits = field(default_factory=dict)  # replace the candidate's
    truncation_psi: float | None = None
    seed: int | None = None
    # Each into the result of the one before, at most `Limits.max_mixings`. An older daemon ignores
    # all but the first.
    mixing: tuple[Mixing, ...] = ()
    blending: Blending | None = None
    output_sample_type: SampleType | None = None

    def __post_init__(self) -> None:
        if not self.session_id and self.source is None:
            raise InputError("An edit needs the session of a fill, or a recipe source.")
        if self.seed is not None:
            check_seed(self.seed)


Job = FillJob | EditJob


def seed_sequence(first: int, count: int) -> tuple[int, ...]:
    """Return the seeds of `count` candidates: first, first + 1, ... modulo 2**32."""
    return tuple((first + k) % (MAX_SEED + 1) for k in range(count))


def check_seed(seed: int) -> None:
    """Check that 0 <= seed < 2**32.

    Raises:
        InputError: the seed is out of range.
    """
    if not 0 <= seed <= MAX_SEED:
        raise InputError(
            f"Seed {seed} is out of range.", f"Use a whole number from 0 to {MAX_SEED}."
        )
