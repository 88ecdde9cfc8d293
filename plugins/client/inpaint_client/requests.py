"""What is asked of the daemon: one tree of values that holds everything that decides the result."""

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
    """How the square that the model sees was chosen, or is to be."""

    AUTO = 1  # found by the model's framer; BOX when it is unsure
    BOX = 2  # a square around the selection with context
    EXPLICIT = 3  # given by the client


FrameChoice = FrameMode | Frame  # AUTO, BOX, or the square itself


class SmoothFill(IntEnum):
    """Whether one more candidate continues the surroundings smoothly, without the model."""

    AUTO = 1  # where the model found nothing that it knows, or the hole is small
    ALWAYS = 2
    NEVER = 3


class StyleLevel(IntEnum):
    """Which styles mixing takes from the other candidate or image."""

    STRUCTURE = 1  # pose and shape
    FEATURES = 2  # eyes, mouth, hair
    COLORS = 3  # light, color, texture
    COLOURS = 3  # the same, as earlier versions wrote it


Edits = Mapping[str, float]
"""How far to go along directions of the model: name -> units (1 = one standard deviation).

Read-only once handed on; texts list the edits in the mapping's order.
"""


@dataclass(frozen=True, kw_only=True)
class Blending:
    """How a fill is fitted to its surroundings, inside the hole. None = the daemon's default."""

    colour_match: bool | None = None  # default on
    gradient: bool | None = None  # gradient-domain blending; default on
    feather_px: float | None = None  # inward feather, document px, 0..256; default 0
    grain: bool | None = None  # default on


RAW = Blending(colour_match=False, gradient=False, feather_px=0.0, grain=False)


@dataclass(frozen=True, kw_only=True)
class FillJob:
    """A hole to fill, and how."""

    capture: Capture
    model: str = ""  # empty = the daemon's default, or one with more detail for a large frame
    seeds: tuple[int, ...] = ()  # one a candidate; none = one candidate, of a seed drawn at random
    truncation_psi: float | None = None  # 0..1, 1 = widest variety; None = the daemon's default
    edits: Edits = field(default_factory=dict)
    variants: tuple[Edits, ...] = ()  # one more rendering each: `edits`, and these
    frame: FrameChoice = FrameMode.AUTO
    blending: Blending = Blending()
    smooth: SmoothFill = SmoothFill.NEVER  # whoever asks for it tells `Candidate.method` apart
    output_sample_type: SampleType | None = None  # of the fills; None = that of the crop

    def __post_init__(self) -> None:
        if self.frame is FrameMode.EXPLICIT:
            raise InputError("An explicit frame is given as a Frame.")
        for seed in self.seeds:
            check_seed(seed)


@dataclass(frozen=True, kw_only=True)
class RecipeSource:
    """What Edit needs when the daemon no longer has the session, or never had it.

    Without `capture`, the candidate is composited over the attachment's own image: patches are
    then in pixels of the model.
    """

    recipe: str  # as `Candidate.recipe`
    attachment: bytes = field(repr=False)  # as `Candidate.attachment`
    capture: Capture | None = None  # its overview is not needed, and is not sent


@dataclass(frozen=True, kw_only=True)
class Mixing:
    """Styles of another candidate, of the same model, or of an image, laid over this candidate.

    Either `recipe`, or `image` and `image_box`: a layer of the same document or a part of one,
    reduced to at most `MIXED_SIDE` px. The model sees it through the candidate's own frame;
    transparent pixels, and what it does not reach, are unknown to it.
    """

    recipe: str = ""
    levels: tuple[StyleLevel, ...] = ()  # none = all of a candidate's, COLORS of an image's
    amount: float = 1.0  # 0..1: 0 = this candidate, 1 = the other
    image: Picture | None = None
    image_box: Box | None = None  # document px: what it shows; may reach beyond the document

    def __post_init__(self) -> None:
        if (self.image is None) == (not self.recipe):
            raise InputError("Mixing takes either another candidate or an image.")
        if not 0 <= self.amount <= 1:
            raise InputError(f"An amount of {self.amount:g} is not between 0 and 1.")
        if self.image is None:
            return
        if self.image_box is None:
            raise InputError("An image to mix needs its place in the document.")
        width, height = self.image.extent
        if self.image.extent.longest > MIXED_SIDE:
            raise InputError(
                f"An image of {width} x {height} px is too large to mix.",
                f"Reduce it to at most {MIXED_SIDE} px.",
            )
        if width > self.image_box.width or height > self.image_box.height:
            raise InputError("An image to mix has more pixels than its place in the document.")


@dataclass(frozen=True, kw_only=True)
class EditJob:
    """A candidate to be rendered again; what is None stays as it was.

    `session_id` (of `Accepted`), `source`, or both: the source is used if the session is gone.
    """

    session_id: str = ""
    source: RecipeSource | None = None
    index: int = 0  # which candidate of the session
    edits: Edits = field(default_factory=dict)  # replace the candidate's
    truncation_psi: float | None = None
    seed: int | None = None
    mixing: Mixing | None = None
    blending: Blending | None = None
    output_sample_type: SampleType | None = None

    def __post_init__(self) -> None:
        if not self.session_id and self.source is None:
            raise InputError("An edit needs the session of a fill, or a recipe with its image.")
        if self.seed is not None:
            check_seed(self.seed)


Job = FillJob | EditJob


def seed_sequence(first: int, count: int) -> tuple[int, ...]:
    """Return the seeds of `count` candidates: first, first + 1, ... modulo 2**32."""
    return tuple((first + k) % (MAX_SEED + 1) for k in range(count))


def check_seed(seed: int) -> None:
    """Raise InputError unless 0 <= seed < 2**32."""
    if not 0 <= seed <= MAX_SEED:
        raise InputError(
            f"Seed {seed} is out of range.", f"Use a whole number from 0 to {MAX_SEED}."
        )
