"""What a daemon is and can do, as values."""

from __future__ import annotations

from dataclasses import dataclass

from .geometry import MAX_IMAGE_BYTES, MAX_SIDE
from .sentence import Sentence


@dataclass(frozen=True)
class Direction:
    """A named slider of a model; minimum..maximum is the range that stays natural, in units."""

    name: str
    group: str
    minimum: float
    maximum: float
    description: str = ""


@dataclass(frozen=True)
class Model:
    """What a daemon says of one of its models."""

    name: str
    title: str = ""
    resolution: int = 0  # px of the square it knows
    alignment: str = ""
    loaded: bool = False
    is_default: bool = False
    directions: tuple[Direction, ...] = ()
    licence: str = ""
    weights_sha256: str = ""
    generator_sha256: str = ""
    has_framer: bool = False  # FrameMode.AUTO is possible
    memory_bytes: int = 0  # when loaded


@dataclass(frozen=True)
class Limits:
    """What a daemon accepts at most."""

    max_picture_bytes: int = MAX_IMAGE_BYTES
    max_side: int = MAX_SIDE
    max_seeds: int = 64
    max_variants: int = 64
    max_queue: int = 0  # 0 = not told
    max_context_side: int = 0  # px, of `Capture.context`; 0 = the daemon does not look at it
    max_message_bytes: int = 0  # of one message; here and below 0 = not told
    max_chunk_bytes: int = 0
    max_overview_side: int = 0  # px, of `Capture.overview`
    max_mixing_side: int = 0  # px, of `Mixing.image`
    max_document_side: int = 0  # px
    max_edits: int = 0  # of one candidate
    max_recipe_bytes: int = 0
    max_attachment_bytes: int = 0
    max_regions: int = 0  # of a selection, far apart
    max_pending_bytes: int = 0  # images of all requests together
    max_calls: int = 0  # open at once
    max_sessions: int = 0  # kept for `EditJob.session_id`
    max_session_bytes: int = 0  # images of all sessions together
    session_ttl_s: float = 0.0  # how long an unused session is kept
    idle_s: float = 0.0  # how long a call may neither send nor read


@dataclass(frozen=True)
class Activity:
    """What a daemon is doing, for all its clients together."""

    calls: int = 0  # open now
    busy_workers: int = 0  # rendering now
    workers: int = 0
    sessions: int = 0  # kept for `EditJob.session_id`
    session_bytes: int = 0  # their images
    memory_bytes: int = 0  # main memory of its process; 0 = not known


@dataclass(frozen=True)
class LastKilled:
    """What the daemon before this one did when it was killed."""

    work: tuple[str, ...]  # the latest last; such as "Fill model=portrait crop=512x512x3"
    began_unix_s: float

    @property
    def sentence(self) -> Sentence:
        """Say it to the user."""
        return Sentence(
            "The last daemon was killed while it worked ({work}). Often that means that memory "
            "ran out: close other programs, or select a smaller region.",
            work=self.work[-1],
        )


@dataclass(frozen=True)
class DaemonInfo:
    """What a daemon says of itself."""

    version: str = ""
    device: str = ""  # for people
    device_type: str = ""  # "cuda" or "cpu"
    precision: str = ""  # "bf16", "fp16" or "fp32"
    models: tuple[Model, ...] = ()
    limits: Limits = Limits()
    queue_length: int = 0
    uptime_s: float = 0.0
    activity: Activity | None = None  # None from a daemon that does not tell
    last_killed: LastKilled | None = None  # None: the daemon before it ended as it should

    def model(self, name: str = "") -> Model | None:
        """Return the model of that name, or the default one; None if there is none."""
        for model in self.models:
            if model.name == name or (not name and model.is_default):
                return model
        return self.models[0] if self.models and not name else None
