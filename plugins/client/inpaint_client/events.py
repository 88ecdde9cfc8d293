"""What the daemon answers while it fills, as values.

A run sends `Accepted`, one `FrameChosen` for each group of the hole, `Candidate`s with `Progress`
between them, and ends with exactly one of `Done` and `Failed`. While a large request is on its way,
the client itself says so before: `Sending`. It also says when it waits to ask a busy daemon again
(`Waiting`), and when the daemon ended in the middle and it asks for what is missing (`Resumed`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum

from .errors import InpaintError
from .geometry import Box, Frame
from .images import Picture
from .requests import FrameMode


@dataclass(frozen=True)
class Sending:
    """A part of a large request is on its way; said by the client, not by the daemon."""

    fraction: float  # 0..1 of the images' bytes


@dataclass(frozen=True)
class Waiting:
    """The daemon has no room now, and the client asks again after a while; said by the client."""

    seconds: float


@dataclass(frozen=True)
class Accepted:
    """The daemon has the request and will work on it."""

    session_id: str  # for EditJob, as long as the daemon keeps it
    queue_position: int  # 0 = running now


@dataclass(frozen=True)
class Notice:
    """What the daemon tells the user of a fill."""

    text: str  # a `Sentence` if it is known here: it can be translated
    is_detail: bool = False  # how the fill was made: nothing is to be decided
    code: str = ""  # of `inpaint_protos.sentences`; empty from a daemon that tells no codes


@dataclass(frozen=True)
class FrameChosen:
    """The frame of one group of the hole is known."""

    group: int  # 0, 1, ...: disconnected holes far apart get a frame each
    frame: Frame
    confidence: float  # 0..1 that the frame shows what the model knows; 1 if explicit
    model_resolution: int  # px
    enlargement: float  # document px per model px; above 1 the fill is enlarged
    warning: str  # empty, or sentences for the user, in English: all of `notices`
    mode: FrameMode  # how it was found: AUTO that fell back says BOX
    model: str = ""  # the name of the model that fills; empty from a daemon that does not tell
    notices: tuple[Notice, ...] = ()  # what `warning` says, one by one


@dataclass(frozen=True)
class Progress:
    """How many of the renderings are done."""

    done: int  # renderings sent so far
    total: int  # renderings that will be sent, candidates and variants

    @property
    def fraction(self) -> float:
        """The share that is done, 0..1."""
        return self.done / self.total if self.total else 0.0


@dataclass(frozen=True)
class Patch:
    """The pixels of one group of the hole."""

    fill: Picture  # valid where coverage > 0; size of box
    coverage: Picture  # 1 channel, U8: the group's part of the selection, unchanged; else 0
    box: Box  # document px


class Method(IntEnum):
    """What made a candidate."""

    MODEL = 1
    SMOOTH = 2  # without the model: it cannot be edited, mixed or drawn from another seed


@dataclass(frozen=True)
class Candidate:
    """One rendering: a candidate, or a variant of it."""

    index: int  # 0, 1, ... in the order of the seeds; a smooth one is the last
    variant: int  # -1 = the candidate itself, else the index of the request's variant
    seed: int
    patches: tuple[Patch, ...]  # one a group
    recipe: str = field(repr=False)  # JSON: everything that makes this candidate again
    attachment: bytes = field(repr=False)  # PNG; only with variant -1, variants share it
    method: Method = Method.MODEL

    @property
    def is_variant(self) -> bool:
        """Whether it is a candidate with the edits of a variant."""
        return self.variant >= 0


@dataclass(frozen=True)
class Done:
    """All was sent. Milliseconds on the daemon's side."""

    queue_ms: float = 0.0  # waiting for the device
    encode_ms: float = 0.0  # framing, resampling, the encoder
    first_candidate_ms: float = 0.0  # from the start of work to the first candidate sent
    total_ms: float = 0.0  # from the start of work to the last


@dataclass(frozen=True)
class Failed:
    """The run ended early. Comes from `Worker` only; `Client` raises the error instead."""

    error: InpaintError


@dataclass(frozen=True)
class Resumed:
    """The daemon ended in the middle, and is asked for what is missing; said by the client."""

    text: str  # a `Sentence` for the user


FillEvent = Sending | Waiting | Resumed | Accepted | FrameChosen | Progress | Candidate | Done
Message = FillEvent | Failed
