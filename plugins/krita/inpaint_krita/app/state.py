"""All that the docker shows, as one value: the controller makes it, the panel draws it."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum, auto

from inpaint_client.info import Model
from inpaint_client.requests import Edits
from inpaint_client.session.history import Mix, PastRun
from inpaint_client.session.run_status import RunStatus

from ..runs.mixing import Choice
from ..runs.wishes import Wishes
from .connection import Connection


class Offer(Enum):
    """What the button in a notice does."""

    NONE = auto()
    SELECT_TRANSPARENT = auto()
    SETTINGS = auto()
    SHOW_LOG = auto()
    AGAIN = auto()


@dataclass(frozen=True)
class Notice:
    """One sentence for the artist, with what can be done about it."""

    text: str
    is_problem: bool = True
    offer: Offer = Offer.NONE
    offer_label: str = ""


@dataclass(frozen=True)
class State:
    connection: Connection = field(default_factory=Connection)
    wishes: Wishes = field(default_factory=Wishes)
    has_document: bool = False
    progress: RunStatus = field(default_factory=RunStatus)
    notice: Notice | None = None
    runs: tuple[PastRun, ...] = ()  # of this document, oldest first
    run: PastRun | None = None  # the one that is shown, with the results that are not deleted
    missing: frozenset[str] = frozenset()  # layers of `run` that are not in the picture now
    edits: Edits = field(default_factory=dict)  # what the sliders show
    is_editing: bool = False  # a slider's rendering is under way
    mix: Mix = field(default_factory=Mix)  # what the chosen result is mixed with
    mix_choices: tuple[Choice, ...] = ()  # what it could be mixed with

    @property
    def model(self) -> Model | None:
        """The model that the next run will use."""
        info = self.connection.info
        if info is None:
            return None
        return info.model(self.wishes.model) or info.model()

    @property
    def run_is_kept(self) -> bool:
        """Whether results of the shown run are layers of their own, without the others."""
        run = self.run
        if run is None:
            return False
        if run.kept and run.kept not in self.missing:
            return True
        return run.group in self.missing and self.run_is_attached

    @property
    def starred(self) -> int:
        """How many results of the shown run are starred."""
        return sum(result.starred for result in self.run.results) if self.run else 0

    @property
    def run_is_attached(self) -> bool:
        """Whether any layer of the shown run is in the picture."""
        run = self.run
        if run is None:
            return False
        if run.kept and run.kept not in self.missing:
            return True
        return any(result.layer not in self.missing for result in run.results)
