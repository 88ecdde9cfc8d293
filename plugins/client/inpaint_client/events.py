"""Events of a fill or an edit, as values.

A run yields `Accepted`, one `FrameChosen` for each group of the hole, `Candidate`s with `Progress`
between them, and finally exactly one `Done` or `Failed`. The client adds events of its own:
`Sending` while it sends a large request, `Waiting` before it retries a request that a busy daemon
refused, and `Resumed` when the daemon stopped early and the missing candidates are requested again.
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
    """A part of a large request was sent. Comes from the client, not from the daemon."""

    fraction: float  # 0..1 of the images' bytes


@dataclass(frozen=True)
class Waiting:
    """The daemon is busy, and the client will retry after a delay. Comes from the client."""

    seconds: float


@dataclass(frozen=True)
class Accepted:
    """The daemon has accepted the request."""

    session_id: str  # for EditJob, as long as the daemon keeps it
    queue_position: int  # 0 = running now
    routing_key: str = ""  # for EditJob: leads to this daemon through a proxy. From the client


@dataclass(frozen=True)
class Notice:
    """A message from the daemon to the user about a fill."""

    text: str  # a `Sentence`, which can be translated, if the client knows the code
    is_detail: bool = False  # describes how the fill was made; the user need not decide anything
    code: str = ""  # of `inpaint_protos.sentences`; empty from a daemon that sends no codes


@dataclass(frozen=True)
class FrameChosen:
    """The frame of one group of the hole was chosen."""

    group: int  # 0, 1, ...; parts of the hole that are far apart get their own frames
    frame: Frame
    confidence: float  # 0..1 that the frame shows what the model knows; 1 if explicit
    model_resolution: int  # px
    enlargement: float  # document px per model px; above 1, the fill is enlarged
    warning: str  # all of `notices` as English sentences for the user, or empty
    mode: FrameMode  # how it was found; BOX if AUTO fell back to it
    model: str = ""  # the name of the model that fills; empty from older daemons
    notices: tuple[Notice, ...] = ()  # the sentences of `warning` one by one


@dataclass(frozen=True)
class Progress:
    """Number of finished renderings."""

    done: int  # renderings sent so far
    total: int  # renderings that will be sent, candidates and variants

    @property
    def fraction(self) -> float:
        """The fraction that is done, 0..1."""
        return self.done / self.total if self.total else 0.0


@dataclass(frozen=True)
class Patch:
    """The pixels of one group of the hole."""

    fill: Picture  # valid where coverage > 0; size of box
    coverage: Picture  # 1 channel, U8: the group's part of the selection, unchanged; 0 elsewhere
    box: Box  # document px


@dataclass(frozen=True)
class Scores:
    """How the daemon judges a fill of a face; None = unknown."""

    # How much the person is still the person of the image before: 1 = the same face, 0 = as two
    # persons on average. Unknown where the selection covers most of the face, for example.
    likeness: float | None = None
    naturalness: float | None = None  # share of the model's fills that look less natural, 0..1


UNKNOWN = Scores()


class Method(IntEnum):
    """What made a candidate."""

    MODEL = 1
    SMOOTH = 2  # made without the model: it cannot be edited, mixed or drawn from another seed


@dataclass(frozen=True)
class Candidate:
    """One rendering: a candidate, or a variant of it."""

    index: int  # 0, 1, ... in the order of the seeds; a smooth one is the last
    variant: int  # -1 = the candidate itself, else the index of the request's variant
    seed: int
    patches: tuple[Patch, ...]  # one per group
    recipe: str = field(repr=False)  # JSON: everything needed to make this candidate again
    attachment: bytes = field(repr=False)  # PNG; only with variant -1; variants share it
    method: Method = Method.MODEL
    scores: Scores = UNKNOWN

    @property
    def is_variant(self) -> bool:
        """Whether it is a candidate with the edits of a variant."""
        return self.variant >= 0


@dataclass(frozen=True)
class Done:
    """The answer is complete. The times were measured by the daemon, in milliseconds."""

    queue_ms: float = 0.0  # waiting for the device
    encode_ms: float = 0.0  # framing, resampling, the encoder
    first_candidate_ms: float = 0.0  # from the start of the work to the first candidate sent
    total_ms: float = 0.0  # from the start of the work to the last candidate sent


@dataclass(frozen=True)
class Failed:
    """The run failed or was cancelled. Only `Worker` sends it; `Client` raises the error."""

    error: InpaintError


@dataclass(frozen=True)
class Resumed:
    """The daemon stopped early, and the missing candidates are requested. From the client."""

    text: str  # a `Sentence` for the user


FillEvent = Sending | Waiting | Resumed | Accepted | FrameChosen | Progress | Candidate | Done
Message = FillEvent | Failed
