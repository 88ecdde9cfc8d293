"""What is asked of the daemon: one tree of values that holds everything that decides the result."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum

from .errors import BadInput
from .geometry import MIXED_SIDE, Box, Extent, Frame


class SampleType(IntEnum):
    """How one sample is stored, little endian. The numbers are the wire's."""

    U8 = 1  # 0..255
    U16 = 2  # 0..65535
    F16 = 3  # nominally 0..1, may exceed it
    F32 = 4  # nominally 0..1, may exceed it

    @property
    def size(self) -> int:
        """Bytes of one sample."""
        return {SampleType.U8: 1, SampleType.U16: 2, SampleType.F16: 2, SampleType.F32: 4}[self]


class Transfer(IntEnum):
    """The curve of a picture's samples; the primaries are always sRGB's."""

    SRGB = 1
    LINEAR = 2


class FrameMode(IntEnum):
    """How the square that the model sees is chosen."""

    AUTO = 1  # found by the model's framer; BOX when it is unsure
    BOX = 2  # a square around the selection with context
    EXPLICIT = 3  # `FillJob.frame`


class StyleLevel(IntEnum):
    """Which styles mixing takes from the other candidate or picture."""

    STRUCTURE = 1  # pose and shape
    FEATURES = 2  # eyes, mouth, hair
    COLOURS = 3  # light, colour, texture


@dataclass(frozen=True)
class Picture:
    """Raw interleaved rows, top to bottom, little endian, no padding.

    `channels` is 1 (gray), 3 (RGB) or 4 (RGBA, straight alpha). A `bytearray` is kept as it is, not
    copied: nobody may change it any more.
    """

    width: int
    height: int
    channels: int
    data: bytes | bytearray = field(repr=False)
    sample_type: SampleType = SampleType.U8
    transfer: Transfer = Transfer.SRGB

    def __post_init__(self) -> None:
        if self.width < 1 or self.height < 1:
            raise BadInput(f"A picture of {self.width} x {self.height} px has no pixels.")
        if self.channels not in (1, 3, 4):
            raise BadInput(f"A picture has 1, 3 or 4 channels, not {self.channels}.")
        expected = self.width * self.height * self.pixel_bytes
        if len(self.data) != expected:
            raise BadInput(
                f"A picture of {self.width} x {self.height} px, {self.channels} channels of "
                f"{self.sample_type.name}, has {expected} bytes, not {len(self.data)}."
            )

    @property
    def extent(self) -> Extent:
        """Its size."""
        return Extent(self.width, self.height)

    @property
    def pixel_bytes(self) -> int:
        """Bytes of one pixel."""
        return self.channels * self.sample_type.size


@dataclass(frozen=True)
class Edit:
    """How far to go along one direction of the model, in units (1 = one standard deviation)."""

    name: str
    value: float


@dataclass(frozen=True)
class Variant:
    """A further rendering of every candidate: the request's edits and these."""

    edits: tuple[Edit, ...]


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
    """A hole to fill.

    `crop` shows the document around the hole (see `crop_for_hole`), `hole` is the selection over
    the same pixels: 1 channel, U8, 255 = fill, 0 = known, between = softness. `overview` shows the
    whole document, longest side at most 512 px, unless the crop already does.
    """

    crop: Picture
    hole: Picture
    crop_box: Box
    document: Extent
    overview: Picture | None = None
    model: str = ""  # empty = the daemon's default, or one with more detail for a large frame
    seeds: tuple[int, ...] = ()  # 0..2**32-1, one candidate each; one seed s with count n: s, s+1..
    count: int = 0  # candidates, when there are no seeds or one; 0 = 1
    truncation_psi: float | None = None  # 0..1, 1 = widest variety; None = the daemon's default
    edits: tuple[Edit, ...] = ()
    variants: tuple[Variant, ...] = ()
    frame_mode: FrameMode = FrameMode.AUTO
    frame: Frame | None = None  # with FrameMode.EXPLICIT
    blending: Blending = Blending()
    output_sample_type: SampleType | None = None  # of the fills; None = that of the crop

    def __post_init__(self) -> None:
        _check_hole(self.crop, self.hole, self.crop_box)
        if (self.frame is not None) != (self.frame_mode is FrameMode.EXPLICIT):
            raise BadInput("A frame belongs to FrameMode.EXPLICIT, and only to it.")
        for seed in self.seeds:
            check_seed(seed)


@dataclass(frozen=True, kw_only=True)
class RecipeSource:
    """What Edit needs when the daemon no longer has the session, or never had it.

    Without crop and hole the candidate is laid over the attachment's own picture: patches are then
    in pixels of the model.
    """

    recipe: str  # as `Candidate.recipe`
    attachment: bytes = field(repr=False)  # as `Candidate.attachment`
    crop: Picture | None = None  # this and the rest as in FillJob: all or none
    hole: Picture | None = None
    crop_box: Box | None = None
    document: Extent | None = None

    def __post_init__(self) -> None:
        if self.crop is None and self.hole is None and self.crop_box is None:
            return
        if self.crop is None or self.hole is None or self.crop_box is None or not self.document:
            raise BadInput("A recipe's picture needs crop, hole, crop_box and document.")
        _check_hole(self.crop, self.hole, self.crop_box)


@dataclass(frozen=True, kw_only=True)
class Mixing:
    """Styles of another candidate, of the same model, or of a picture, laid over this candidate.

    Either `recipe`, or `picture` and `picture_box`: a layer of the same document or a part of one,
    reduced to at most `MIXED_SIDE` px. The model sees it through the candidate's own frame;
    transparent pixels, and what it does not reach, are unknown to it.
    """

    recipe: str = ""
    levels: tuple[StyleLevel, ...] = ()  # none = all of a candidate's, COLOURS of a picture's
    amount: float = 1.0  # 0..1: 0 = this candidate, 1 = the other
    picture: Picture | None = None
    picture_box: Box | None = None  # document px: what it shows; may reach beyond the document

    def __post_init__(self) -> None:
        if (self.picture is None) == (not self.recipe):
            raise BadInput("Mixing takes either another candidate or a picture.")
        if not 0 <= self.amount <= 1:
            raise BadInput(f"An amount of {self.amount:g} is not between 0 and 1.")
        if self.picture is None:
            return
        if self.picture_box is None:
            raise BadInput("A picture to mix needs its place in the document.")
        width, height = self.picture.extent
        if self.picture.extent.longest > MIXED_SIDE:
            raise BadInput(
                f"A picture of {width} x {height} px is too large to mix.",
                f"Reduce it to at most {MIXED_SIDE} px.",
            )
        if width > self.picture_box.width or height > self.picture_box.height:
            raise BadInput("A picture to mix has more pixels than its place in the document.")


@dataclass(frozen=True, kw_only=True)
class EditJob:
    """A candidate to be rendered again; what is None stays as it was.

    `session_id` (of `Accepted`), `source`, or both: the source is used if the session is gone.
    """

    session_id: str = ""
    source: RecipeSource | None = None
    index: int = 0  # which candidate of the session
    edits: tuple[Edit, ...] = ()  # replace the candidate's
    truncation_psi: float | None = None
    seed: int | None = None
    mixing: Mixing | None = None
    blending: Blending | None = None
    output_sample_type: SampleType | None = None

    def __post_init__(self) -> None:
        if not self.session_id and self.source is None:
            raise BadInput("An edit needs the session of a fill, or a recipe with its picture.")
        if self.seed is not None:
            check_seed(self.seed)


Job = FillJob | EditJob


def check_seed(seed: int) -> None:
    """Raise BadInput unless 0 <= seed < 2**32."""
    if not 0 <= seed < 1 << 32:
        raise BadInput(f"Seed {seed} is out of range.", "Use a whole number from 0 to 4294967295.")


def _check_hole(crop: Picture, hole: Picture, crop_box: Box) -> None:
    if hole.channels != 1 or hole.sample_type is not SampleType.U8:
        raise BadInput("The hole has one channel of U8.")
    if not crop.extent == hole.extent == crop_box.extent:
        raise BadInput(
            f"Crop {tuple(crop.extent)}, hole {tuple(hole.extent)} and box "
            f"{tuple(crop_box.extent)} differ in size."
        )
