"""The logic of the dialogs without a window: phases, filling, choosing, keeping.

The view shows the presenter's state and forwards the user's actions. `post` brings the worker's
messages to the GUI thread. Nothing here changes the image.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import replace

from inpaint_client import (
    Candidate,
    DaemonInfo,
    Edits,
    Failed,
    FillJob,
    FrameChosen,
    InpaintError,
    Job,
    Limits,
    Message,
    Model,
    ProgramNotFoundError,
    RequestCancelledError,
    Resumed,
    Run,
    SmoothFill,
    Worker,
)
from inpaint_client.session.abilities import model_of, why_single, why_unedited
from inpaint_client.session.daemon_session import Session
from inpaint_client.session.killed_notice import KilledNotice
from inpaint_client.session.strip import seeds_after

from ..runs.collector import Collector
from ..runs.layers import Rendering
from ..runs.mixing import Layers
from ..translation import _, say, say_error
from .sliders import Sliders, SourceOf
from .state import Phase, State, View
from .strip import Slot, Strip

Post = Callable[[Callable[[], None]], None]


class Presenter:
    """The presenter of one dialog. Call all methods except `report` in the GUI thread."""

    def __init__(self, view: View, worker: Worker, post: Post) -> None:
        self._view = view
        self._worker = worker
        self._post = post
        self.strip = Strip()
        self.sliders = Sliders(view, self.strip, self)
        self._job: FillJob | None = None  # the fill whose candidates are in the strip
        self._seeds: tuple[int, ...] = ()  # requested so far, including deleted candidates
        self._numbers = 0  # candidates received, including deleted ones
        self._info: DaemonInfo | None = None
        self._run: Run | None = None
        self._stop_reading: Callable[[], None] | None = (
            None  # set while the image is read for a fill
        )
        self._serial = 0  # of the current run; messages of earlier runs are ignored
        self.state = State(Phase.CONNECTING, "")
        self.notice = ""  # stays visible while the status changes
        self._last_killed = KilledNotice()

    @property
    def limits(self) -> Limits:
        """The daemon's limits, as far as known."""
        return self._info.limits if self._info is not None else Limits()

    @property
    def model(self) -> Model | None:
        """The model that made the candidates in the strip, if the daemon has it."""
        made = (each for each in self.strip.renderings if not each.is_smooth)
        recipe = next((each.candidate.recipe for each in made), "")
        return model_of(self._info, recipe)

    def show_state(self, state: State) -> None:
        self.state = state
        self._view.show_state(state)

    # --- the daemon

    def connect(self) -> None:
        """Request the daemon's info, starting the daemon if necessary."""
        self.show_state(State(Phase.CONNECTING, _("Looking for the daemon…")))
        future = self._worker.call(lambda client: client.info())
        future.add_done_callback(lambda done: self._post(lambda: self._connected(done)))

    def report(self, text: str) -> None:
        """Show a status while the daemon starts. May be called from any thread."""

        def show() -> None:
            if self.state.phase in (Phase.CONNECTING, Phase.RUNNING):
                self.show_state(replace(self.state, status=text))

        self._post(show)

    def _connected(self, future: Future[DaemonInfo]) -> None:
        try:
            info = future.result()
        except InpaintError as error:
            lacks = isinstance(error, ProgramNotFoundError)
            self.show_state(
                State(Phase.UNREACHABLE, say_error(error), is_error=True, lacks_program=lacks)
            )
            return
        self._info = info
        self._view.show_info(info)
        if sentence := self._last_killed.news(info):
            self.warn(say(sentence))
        self.sliders.offer()
        phase = Phase.READY if self.strip.slots else Phase.IDLE
        self.show_state(State(phase, _("Ready on {device}.").format(device=info.device)))

    # --- notices

    def warn(self, text: str) -> None:
        """Append a sentence to the notice, which stays until `dismiss` or the next fill."""
        if text not in self.notice:
            self.notice = f"{self.notice} {text}".strip()
            self._view.show_notice(self.notice)

    def dismiss(self) -> None:
        self.notice = ""
        self._view.show_notice("")

    # --- filling

    def read(self, cancel: Callable[[], None]) -> None:
        """Show that the image is being read. `fill` or `unreadable` follows, or `stop` cancels."""
        self._stop_reading = cancel
        self.show_state(State(Phase.RUNNING, _("Reading the image…")))

    def unreadable(self, error: InpaintError) -> None:
        """Show that the image could not be read, and keep the candidates."""
        self._stop_reading = None
        self.show_state(State(self._phase, say_error(error), is_error=True))

    @property
    def _phase(self) -> Phase:
        """The phase while nothing is running."""
        return Phase.READY if self.strip.slots else Phase.IDLE

    def fill(self, job: FillJob, source_of: SourceOf, layers: Layers | None = None) -> None:
        """Start a fill and discard the earlier candidates.

        Args:
            job: the request.
            source_of: returns the source for editing a rendering without a session.
            layers: the image's layers, to mix with.
        """
        self._stop_reading = None
        self.sliders.use(source_of, layers)
        self.sliders.stop()
        self.strip.reset()
        self._view.show_renderings([], 0)
        self.sliders.reset_mix()
        self.dismiss()
        self.sliders.offer()
        self._job, self._seeds, self._numbers = job, (), 0
        self._ask(job)

    def add_candidates(self, count: int, edits: Edits) -> None:
        """Add candidates to the same fill, with new seeds and these edits."""
        if self._job is None or self.why_single():
            return
        if why_unedited(self.model) is not None:  # edits may be set for another model
            edits = {}
        if self.state.phase is Phase.READY:
            self.sliders.stop()
            seeds = seeds_after(self._seeds, count)
            self._ask(replace(self._job, seeds=seeds, edits=edits, smooth=SmoothFill.NEVER))

    def why_single(self) -> str:
        """Return why the fill in the strip has one candidate; empty if it may have more."""
        reason = why_single(self.model)
        return say(reason) if reason is not None else ""

    def _ask(self, job: FillJob) -> None:
        """Submit a fill; its candidates are appended to the strip and numbered consecutively."""
        collector = Collector(job.edits, job.variants)
        there, number = tuple(self.strip.slots), self._numbers
        self._seeds += job.seeds

        def receive(message: Message) -> None:
            self._fill_message(collector, there, number, message)

        self.submit(job, receive)
        self.show_state(State(Phase.RUNNING, collector.status))

    def open(self, rendering: Rendering, source_of: SourceOf, layers: Layers | None = None) -> None:
        """Start with an existing fill, to edit it; arguments as for `fill`."""
        self.sliders.use(source_of, layers)
        self.strip.reset(self.strip.new_slot(rendering))
        self._view.show_renderings(self.strip.renderings, 0)
        self.sliders.offer()
        self.sliders.take(rendering)

    def stop(self) -> None:
        """Stop the run and keep the candidates received so far."""
        if self._stop_reading is not None:
            self._stop_reading()
            self._stop_reading = None
            self.show_state(State(self._phase, _("Stopped.")))
            return
        if self._run is not None:
            self._run.cancel()

    def close(self) -> None:
        """Cancel the run and ignore further messages, since the dialog is closed."""
        self._serial += 1
        if self._stop_reading is not None:
            self._stop_reading()
            self._stop_reading = None
        self.stop()

    def _slot(self, rendering: Rendering, session: Session | None) -> Slot:
        """Return a new slot; `session` is the daemon's session of its candidate."""
        slot = self.strip.new_slot(rendering)
        self.sliders.remember(slot, session)
        return slot

    def submit(self, job: Job, receive: Callable[[Message], None]) -> Run:
        """Submit a job and ignore further messages of the previous one."""
        self.stop()
        self._serial += 1
        serial = self._serial

        def in_window(message: Message) -> None:
            if serial == self._serial:
                receive(message)

        self._run = self._worker.submit(job, lambda message: self._post(lambda: in_window(message)))
        return self._run

    def _fill_message(
        self, collector: Collector, there: tuple[Slot, ...], number: int, message: Message
    ) -> None:
        """Handle a message of a fill.

        Args:
            collector: collects the events of the fill.
            there: the slots that were in the strip before.
            number: of the first new candidate.
            message: the message.
        """
        if isinstance(message, Failed):
            stopped = isinstance(message.error, RequestCancelledError)
            text = _("Stopped.") if stopped else say_error(message.error)
            phase = Phase.READY if self.strip.slots else Phase.IDLE
            self.show_state(State(phase, text, is_error=not stopped))
            self.sliders.offer()
            return
        collector.receive(message)
        if isinstance(message, Resumed):
            self.warn(say(message.text))
        if isinstance(message, FrameChosen):
            for notice in message.notices:
                if not notice.is_detail:
                    self.warn(say(notice.text))
        if isinstance(message, Candidate):
            new = [
                self._slot(
                    _numbered(each, number + each.candidate.index),
                    collector.run.session.of(each.candidate.index),
                )
                for each in collector.renderings
            ]
            self.strip.put((*there, *new))
            self._numbers = max(self._numbers, number + message.index + 1)
            self._show_strip()
        if collector.is_complete:
            told = collector.status
            if self._show_most_natural_first(is_new=not there):
                told = f"{told} {_('The most natural candidate is first.')}"
            self.show_state(State(Phase.READY, told, 1.0))
            self.sliders.offer()
        else:
            self.show_state(State(Phase.RUNNING, collector.status, collector.fraction))

    def _show_most_natural_first(self, *, is_new: bool) -> bool:
        """Sort the strip, and return whether the naturalness of several candidates is known.

        Args:
            is_new: choose the first one, unless the user already works on another one.
        """
        works_on_first = self.strip.chosen == 0 and not self.sliders.is_rendering
        if not self.strip.sort(choose_first=is_new and works_on_first):
            return False
        self._show_strip()
        self.sliders.take_chosen()
        return True

    def _show_strip(self) -> None:
        self._view.show_renderings(self.strip.renderings, self.strip.chosen)

    # --- choosing and changing

    def choose(self, index: int) -> None:
        if index != self.strip.chosen and 0 <= index < len(self.strip):
            self.strip.chosen = index
            self.sliders.offer()
            self.sliders.take_chosen()

    def keep(self) -> None:
        """Keep a copy of the chosen rendering; the sliders continue to change the original."""
        chosen = self.strip.chosen_slot
        if self.state.phase is Phase.READY and chosen is not None:
            copy = self.strip.copy_chosen()
            self.sliders.remember(copy, self.sliders.session_of(chosen))
            self._show_strip()
            self.sliders.offer()

    def delete(self) -> None:
        """Remove the chosen rendering from the strip, and choose the next or the last one."""
        if self.state.phase is not Phase.READY or not self.strip.slots:
            return
        self.sliders.stop()
        self.strip.delete_chosen()
        self._show_strip()
        self.sliders.offer()
        if self.strip.slots:
            self.sliders.take_chosen()
        else:
            self.show_state(State(Phase.IDLE, ""))


def _numbered(rendering: Rendering, index: int) -> Rendering:
    """Return the rendering with its candidate's index in the strip."""
    return rendering._replace(candidate=replace(rendering.candidate, index=index))
