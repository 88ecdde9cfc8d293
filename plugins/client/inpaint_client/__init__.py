"""Client of the daemon in pure Python, shared by the plug-ins and the command line.

A host builds a `FillJob` (with the help of `geometry` and `pixels`), passes it to a `Worker`
(threads) or a `BlockingClient` (scripts), and receives the events as values. Errors are
`InpaintError` exceptions whose text has the remedy. `ensure_daemon` finds or starts the daemon.
"""

from __future__ import annotations

from inpaint_protos.secret import Secret

from .blocking import BlockingClient
from .capture import Capture
from .client import Client
from .daemon import Starting, ensure_daemon
from .discovery import find_daemon
from .endpoint import Endpoint, TlsFiles, parse_endpoint
from .errors import (
    ConnectionLostError,
    DaemonInternalError,
    DaemonNotFoundError,
    InpaintError,
    InputError,
    InvalidRequestError,
    NotFoundError,
    NotRespondingError,
    ProgramNotFoundError,
    RefusedError,
    RequestCancelledError,
    RequestTimeoutError,
    ResourceExhaustedError,
    StartFailedError,
    UnauthenticatedError,
    UnavailableError,
    WrongModelError,
)
from .events import (
    Accepted,
    Candidate,
    Done,
    Failed,
    FillEvent,
    FrameChosen,
    Message,
    Method,
    Notice,
    Patch,
    Progress,
    Resumed,
    Waiting,
)
from .geometry import Box, Extent, Frame, Point, crop_for_hole
from .images import Picture, SampleType, Transfer
from .info import Activity, DaemonInfo, Direction, LastKilled, Limits, Model
from .recipe import Recipe, parse_recipe
from .requests import (
    MAX_SEED,
    RAW,
    Blending,
    EditJob,
    Edits,
    FillJob,
    FrameChoice,
    FrameMode,
    Job,
    Mixing,
    RecipeSource,
    SmoothFill,
    StyleLevel,
    seed_sequence,
)
from .segments import Face, Part, PartMask, Segmentation, SegmentJob
from .session.style_mix import StyleMix
from .settings import ConnectionSettings, SettingsFile, connection_file
from .worker import Run, Worker

__all__ = [
    "MAX_SEED",
    "RAW",
    "Accepted",
    "Activity",
    "Blending",
    "BlockingClient",
    "Box",
    "Candidate",
    "Capture",
    "Client",
    "ConnectionLostError",
    "ConnectionSettings",
    "DaemonInfo",
    "DaemonInternalError",
    "DaemonNotFoundError",
    "Direction",
    "Done",
    "EditJob",
    "Edits",
    "Endpoint",
    "Extent",
    "Face",
    "Failed",
    "FillEvent",
    "FillJob",
    "Frame",
    "FrameChoice",
    "FrameChosen",
    "FrameMode",
    "InpaintError",
    "InputError",
    "InvalidRequestError",
    "Job",
    "LastKilled",
    "Limits",
    "Message",
    "Method",
    "Mixing",
    "Model",
    "NotFoundError",
    "NotRespondingError",
    "Notice",
    "Part",
    "PartMask",
    "Patch",
    "Picture",
    "Point",
    "ProgramNotFoundError",
    "Progress",
    "Recipe",
    "RecipeSource",
    "RefusedError",
    "RequestCancelledError",
    "RequestTimeoutError",
    "ResourceExhaustedError",
    "Resumed",
    "Run",
    "SampleType",
    "Secret",
    "SegmentJob",
    "Segmentation",
    "SettingsFile",
    "SmoothFill",
    "StartFailedError",
    "Starting",
    "StyleLevel",
    "StyleMix",
    "TlsFiles",
    "Transfer",
    "UnauthenticatedError",
    "UnavailableError",
    "Waiting",
    "Worker",
    "WrongModelError",
    "connection_file",
    "crop_for_hole",
    "ensure_daemon",
    "find_daemon",
    "parse_endpoint",
    "parse_recipe",
    "seed_sequence",
]
