"""Descriptions of a daemon, its models and its limits, as values."""

from __future__ import annotations

from dataclasses import dataclass

from .geometry import MAX_IMAGE_BYTES, MAX_SIDE
from .sentence import Sentence


@dataclass(frozen=True)
class Direction:
    """A named slider of a model; minimum..maximum is the range of natural results, in units."""

    name: str
    group: str
    minimum: float
    maximum: float
    description: str = ""


@dataclass(frozen=True)
class Model:
    """A daemon's description of one of its models."""

    name: str
    title: str = ""
    resolution: int = 0  # side of the model's square, px
    alignment: str = ""
    loaded: bool = False
    is_default: bool = False
    directions: tuple[Direction, ...] = ()
    licence: str = ""
    weights_sha256: str = ""
    generator_sha256: str = ""
    has_framer: bool = False  # FrameMode.AUTO is possible
    memory_bytes: int = 0  # when loaded
    single_candidate: bool = False  # one fill for each selection, whatever the seed
    no_edits: bool = False  # edits and mixing are refused


@dataclass(frozen=True)
class Limits:
    """The limits of a daemon; 0 = unknown, unless noted otherwise."""

    max_picture_bytes: int = MAX_IMAGE_BYTES
    max_side: int = MAX_SIDE
    max_seeds: int = 64
    max_variants: int = 64
    max_queue: int = 0
    max_context_side: int = 0  # px, of `Capture.context`; 0 = the daemon ignores it
    max_message_bytes: int = 0  # of one message
    max_chunk_bytes: int = 0
    max_overview_side: int = 0  # px, of `Capture.overview`
    max_mixing_side: int = 0  # px, of `Mixing.image`
    max_document_side: int = 0  # px
    max_edits: int = 0  # of one candidate
    max_recipe_bytes: int = 0
    max_attachment_bytes: int = 0
    max_regions: int = 0  # of a selection, if they are far apart
    max_pending_bytes: int = 0  # images of all requests together
    max_calls: int = 0  # open at the same time
    max_sessions: int = 0  # kept for `EditJob.session_id`
    max_session_bytes: int = 0  # images of all sessions together
    session_ttl_s: float = 0.0  # how long an unused session is kept
    idle_s: float = 0.0  # how long a call may neither send nor read
    max_segment_side: int = 0  # px, of `SegmentJob.image`; 0 = the daemon cannot find parts
    max_mixings: int = 0  # of `EditJob.mixing`; 0 = an older daemon, which can do one


@dataclass(frozen=True)
class Activity:
    """Current activity of a daemon for all its clients together."""

    calls: int = 0  # open now
    busy_workers: int = 0  # rendering now
    workers: int = 0
    sessions: int = 0  # kept for `EditJob.session_id`
    session_bytes: int = 0  # their images
    memory_bytes: int = 0  # main memory of its process; 0 = unknown


@dataclass(frozen=True)
class LastKilled:
    """The work of the previous daemon when it was killed."""

    work: tuple[str, ...]  # latest last, such as "Fill model=portrait crop=512x512x3"
    began_unix_s: float

    @property
    def sentence(self) -> Sentence:
        """The message for the user."""
        return Sentence(
            "The previous daemon was killed while it was working ({work}). It may have "
            "run out of memory: close other programs, or select a smaller region.",
            work=self.work[-1],
        )


@dataclass(frozen=True)
class DaemonInfo:
    """A daemon's description of itself."""

    version: str = ""
    device: str = ""  # display name
    device_type: str = ""  # "cuda" or "cpu"
    precision: str = ""  # "bf16", "fp16" or "fp32"
    models: tuple[Model, ...] = ()
    limits: Limits = Limits()
    queue_length: int = 0
    uptime_s: float = 0.0
    activity: Activity | None = None  # None from older daemons
    last_killed: LastKilled | None = None  # None = the previous daemon was not killed at work

    def model(self, name: str = "") -> Model | None:
        """Return the model of this name, or the default if it is empty; None if there is none."""
        for model in self.models:
            if model.name == name or (not name and model.is_default):
                return model
        return self.models[0] if self.models and not name else None
