"""The client of the daemon: pure Python, shared by the plug-ins and the command line.

A host builds a `FillJob` (geometry and pixels help), hands it to a `Worker` (threads) or a
`BlockingClient` (scripts), and gets the events back as values; errors are `InpaintError`s whose
text says what to do. `ensure_daemon` finds the daemon, or starts it.
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
    BadInput,
    Cancelled,
    ConnectionLost,
    DaemonFault,
    DaemonRefused,
    Exhausted,
    InpaintError,
    InvalidInput,
    NoDaemon,
    NotAnswering,
    NotFound,
    ProgramNotFound,
    StartFailed,
    Timeout,
    Unauthenticated,
    Unavailable,
    WrongModel,
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
from .info import Activity, DaemonInfo, Direction, LastKilled, Limits, Model
from .pictures import Picture, SampleType, Transfer
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
from .session.style_mix import StyleMix
from .settings import ConnectionSettings, SettingsFile, connection_file
from .worker import Run, Worker

__all__ = [
    "MAX_SEED",
    "RAW",
    "Accepted",
    "Activity",
    "BadInput",
    "Blending",
    "BlockingClient",
    "Box",
    "Cancelled",
    "Candidate",
    "Capture",
    "Client",
    "ConnectionLost",
    "ConnectionSettings",
    "DaemonFault",
    "DaemonInfo",
    "DaemonRefused",
    "Direction",
    "Done",
    "EditJob",
    "Edits",
    "Endpoint",
    "Exhausted",
    "Extent",
    "Failed",
    "FillEvent",
    "FillJob",
    "Frame",
    "FrameChoice",
    "FrameChosen",
    "FrameMode",
    "InpaintError",
    "InvalidInput",
    "Job",
    "LastKilled",
    "Limits",
    "Message",
    "Method",
    "Mixing",
    "Model",
    "NoDaemon",
    "NotAnswering",
    "NotFound",
    "Notice",
    "Patch",
    "Picture",
    "Point",
    "ProgramNotFound",
    "Progress",
    "Recipe",
    "RecipeSource",
    "Resumed",
    "Run",
    "SampleType",
    "Secret",
    "SettingsFile",
    "SmoothFill",
    "StartFailed",
    "Starting",
    "StyleLevel",
    "StyleMix",
    "Timeout",
    "TlsFiles",
    "Transfer",
    "Unauthenticated",
    "Unavailable",
    "Waiting",
    "Worker",
    "WrongModel",
    "connection_file",
    "crop_for_hole",
    "ensure_daemon",
    "find_daemon",
    "parse_endpoint",
    "parse_recipe",
    "seed_sequence",
]
