"""What the dialogs show, and the interface by which the presenter shows it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import Protocol

from inpaint_client import DaemonInfo, Edits

from ..runs.layers import Rendering
from ..runs.mixing import Mix, Other


class Phase(Enum):
    CONNECTING = auto()  # finding or starting the daemon
    UNREACHABLE = auto()  # no connection; trying again may help
    IDLE = auto()  # nothing to insert yet
    RUNNING = auto()  # waiting for candidates
    READY = auto()  # candidates can be chosen, edited and inserted


@dataclass(frozen=True)
class State:
    """What the view shows in addition to the images."""

    phase: Phase
    status: str
    fraction: float = 0.0
    is_error: bool = False
    lacks_program: bool = False  # offer to choose the daemon's program


class View(Protocol):
    def show_info(self, info: DaemonInfo) -> None: ...
    def show_state(self, state: State) -> None: ...
    def show_notice(self, text: str) -> None: ...
    def show_renderings(self, renderings: list[Rendering], chosen: int) -> None: ...
    def show_rendering(self, index: int, rendering: Rendering) -> None: ...
    def show_edits(self, edits: Edits) -> None: ...
    def show_mix(self, mix: Mix) -> None: ...
    def show_others(self, others: Sequence[Other]) -> None: ...
    def show_fixed(self, why: str) -> None: ...
