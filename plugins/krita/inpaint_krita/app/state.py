"""Everything that the docker shows, as one value: built by the controller, drawn by the panel."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum, auto
from typing import NamedTuple

from inpaint_client.info import Model
from inpaint_client.requests import Edits
from inpaint_client.session.abilities import model_of, why_unedited
from inpaint_client.session.history import Mix, PastRun
from inpaint_client.session.mixer_pad import MixerPad, can_mix_several
from inpaint_client.session.run_status import RunStatus
from inpaint_client.session.tour import Tour

from ..host.qt import QtGui
from ..runs.fill_settings import FillSettings, edits_of_new
from ..runs.mixing import Choice, first_pad
from .connection_state import ConnectionState


class NoticeAction(Enum):
    """The action of the button in a notice."""

    NONE = auto()
    SELECT_TRANSPARENT = auto()
    SETTINGS = auto()
    CHOOSE_PROGRAM = auto()
    SHOW_LOG = auto()
    SHOW_PLUGIN_LOG = auto()
    AGAIN = auto()


@dataclass(frozen=True)
class Notice:
    """One sentence for the artist, with an optional action."""

    text: str
    is_problem: bool = True
    action: NoticeAction = NoticeAction.NONE
    action_label: str = ""

    def after(self, before: Notice | None) -> Notice:
        """Append this notice to one that is still shown; a problem replaces an earlier problem."""
        if before is None or (before.is_problem and self.is_problem):
            return self
        if self.text in before.text:
            return before
        offers = self if self.action is not NoticeAction.NONE else before
        return Notice(
            f"{before.text} {self.text}",
            before.is_problem or self.is_problem,
            offers.action,
            offers.action_label,
        )


@dataclass(frozen=True)
class Strip:
    """The candidates of one run as drawn. One value, so that two runs cannot be mixed up."""

    run: PastRun | None = None  # with its remaining results
    missing: frozenset[str] = frozenset()  # layers of `run` that are not in the image
    thumbnails: tuple[QtGui.QImage | None, ...] = ()  # of each result; None = not drawn yet
    can_return: bool = False  # whether undo or redo can bring missing layers back
    order: tuple[int, ...] = ()  # positions of the results as shown
    unmixed: QtGui.QImage | None = None  # thumbnail of the chosen result before mixing, if known

    @property
    def count(self) -> int:
        return 0 if self.run is None else len(self.run.results)


class BatchProgress(NamedTuple):
    """How far a batch is."""

    number: int  # of the current item, from 1
    total: int
    title: str  # of the current item


@dataclass(frozen=True)
class State:
    connection: ConnectionState = field(default_factory=ConnectionState)
    fill_settings: FillSettings = field(default_factory=FillSettings)
    has_document: bool = False
    is_selected: bool = False  # whether anything is selected; known only before the first run
    tour: Tour = field(default_factory=Tour)
    progress: RunStatus = field(default_factory=RunStatus)  # of the batch's run, in a batch
    batch: BatchProgress | None = None
    notice: Notice | None = None
    details: tuple[str, ...] = ()  # how the last run was made, in sentences
    runs: tuple[PastRun, ...] = ()  # of this document, oldest first
    strip: Strip = field(default_factory=Strip)  # of the run that is shown
    edits: Edits = field(default_factory=dict)  # values of the sliders
    is_editing: bool = False  # an edit is being rendered
    is_selecting: bool = False  # a part of the faces is being selected
    mix: Mix = field(default_factory=Mix)  # mixing of the chosen result
    mix_choices: tuple[Choice, ...] = ()  # layers that it can be mixed with
    can_undo: bool = False  # a change of sliders or mixing
    can_redo: bool = False

    @property
    def run(self) -> PastRun | None:
        return self.strip.run

    @property
    def can_select(self) -> bool:
        """Whether a part of the faces can be selected now."""
        return self.has_document and not self.is_selecting and not self.progress.is_running

    @property
    def missing(self) -> frozenset[str]:
        return self.strip.missing

    @property
    def model(self) -> Model | None:
        """The model that the next run will use."""
        info = self.connection.info
        if info is None:
            return None
        return info.model(self.fill_settings.model) or info.model()

    @property
    def run_model(self) -> Model | None:
        """The model that made the shown run, if the daemon has it."""
        return None if self.run is None else model_of(self.connection.info, self.run.recipe)

    @property
    def new_edits(self) -> Edits:
        """The edits that new candidates start with."""
        return edits_of_new(self.fill_settings, self.edits, self.model)

    @property
    def can_edit(self) -> bool:
        """Whether the sliders have an effect: on the chosen candidate or on the next run."""
        is_wanted = (self.run_is_attached and not self.is_fixed) or (
            self.has_document and self.fill_settings.edits_for_new
        )
        return is_wanted and not self.progress.is_running

    @property
    def is_smooth_chosen(self) -> bool:
        """Whether the chosen result was filled without the model, and so cannot be edited."""
        run = self.run
        return run is not None and bool(run.results) and run.results[run.chosen].is_smooth

    @property
    def can_mix_several(self) -> bool:
        """Whether the daemon can mix the candidates of a mixer pad; older ones cannot."""
        info = self.connection.info
        return info is not None and can_mix_several(info.limits)

    @property
    def first_pad(self) -> MixerPad[str] | None:
        """The mixer pad to offer for the chosen result; None if it cannot be offered."""
        return first_pad(self.run) if self.can_mix_several else None

    @property
    def is_fixed(self) -> bool:
        """Whether the chosen result cannot be edited or mixed."""
        return self.is_smooth_chosen or why_unedited(self.run_model) is not None

    @property
    def run_is_kept(self) -> bool:
        """Whether results of the shown run were kept as separate layers."""
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
        """Whether any layer of the shown run is in the image."""
        run = self.run
        if run is None:
            return False
        if run.kept and run.kept not in self.missing:
            return True
        return any(result.layer not in self.missing for result in run.results)
