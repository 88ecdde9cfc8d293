"""The values that a backend answers with. All of them can be pickled."""

from __future__ import annotations

from dataclasses import dataclass

from inpaint_model.document.compositing import Patch
from inpaint_model.document.geometry import Box, Frame, Mode
from inpaint_model.document.notices import Notice
from inpaint_model.pipeline.assessing import Assessment
from inpaint_model.pipeline.recipe import Method
from inpaint_model.segmentation.parts import PartMask

from ..models.registry import ModelInfo
from ..scheduling.work_marker import Killed


@dataclass(frozen=True)
class Accepted:
    """The request is queued."""

    session_id: str  # for edits
    queue_position: int  # approximate number of requests before it


@dataclass(frozen=True)
class FrameChosen:
    """The frame of one group of holes."""

    group: int
    model: str
    frame: Frame
    mode: Mode
    confidence: float  # 0..1 that the frame shows a face
    resolution: int  # of the model, px
    enlargement: float  # document px per model px
    notices: tuple[Notice, ...]


@dataclass(frozen=True)
class Progress:
    """How many candidates are done."""

    done: int
    total: int


@dataclass(frozen=True, eq=False)
class FinishedCandidate:
    """A candidate, composited at the resolution of the document."""

    index: int
    variant: int  # -1 = the candidate itself
    seed: int
    method: Method
    patches: tuple[Patch, ...]
    linear: bool  # whether the colors of the patches are linear
    recipe: str
    attachment: bytes  # only of the candidate itself, not of its variants
    assessment: Assessment


@dataclass(frozen=True)
class Done:
    """The request is complete. Times are in seconds."""

    queue_s: float  # from its submission to its first step
    encode_s: float
    first_candidate_s: float  # from its first step to its first candidate; 0 = none
    total_s: float  # from its first step


Answer = Accepted | FrameChosen | Progress | FinishedCandidate | Done


@dataclass(frozen=True)
class FoundFace:
    """A face in an image. Coordinates are in px of the image."""

    frame: Frame
    confidence: float  # 0..1 that it is a face
    box: Box


@dataclass(frozen=True)
class FacesFound:
    """All faces in an image, from large to small."""

    faces: tuple[FoundFace, ...]


SegmentAnswer = FacesFound | PartMask


@dataclass(frozen=True)
class ModelState:
    """A model and whether it is loaded on any device."""

    info: ModelInfo
    is_loaded: bool
    is_default: bool


@dataclass(frozen=True)
class Activity:
    """What a backend is doing."""

    queue_length: int  # requests that wait for a device or for memory
    busy_workers: int
    workers: int
    sessions: int
    session_bytes: int
    memory_bytes: int  # resident memory of its processes


@dataclass(frozen=True)
class Description:
    """What a backend consists of and what it is doing."""

    device: str
    device_type: str
    precision: str
    models: tuple[ModelState, ...]
    memory_budget: int  # bytes that all requests and kept sessions share
    activity: Activity
    killed: Killed | None  # the work at which the previous daemon was killed
