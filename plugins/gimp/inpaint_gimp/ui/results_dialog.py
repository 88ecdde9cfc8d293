"""Base of both dialogs: previews of the results, sliders, mixing, the daemon."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Generator, Sequence

from inpaint_client import DaemonInfo, Edits, InpaintError, Worker
from inpaint_client.session.abilities import why_unedited
from inpaint_client.session.mixer_pad import can_mix_several
from inpaint_client.session.ranking import described

from ..app.presenter import Presenter
from ..app.state import Phase, State
from ..runs.capture import Glance
from ..runs.edits import format_edits, parse_edits
from ..runs.layers import Rendering, layer_name, short_name
from ..runs.mixing import Mix, Other
from ..runs.service import Locator
from ..translation import _, say, say_error
from .corner_images import CornerImages
from .gtk import Gdk, GimpUi, GLib, Gtk
from .guard import Guard, what_happened
from .in_turns import InTurns, Posts
from .manual import show_manual
from .mix_form import MixForm
from .notice_bar import NoticeBar
from .preview import Preview, thumbnail
from .program import choose_program
from .quiet_wheel import QuietWheel
from .undo_keys import UndoKeys
from .widgets import (
    PREVIEW_SIZE,
    THUMBNAIL_SIZE,
    PreviewPane,
    Result,
    Sliders,
    StatusLine,
    scrolling,
)

_LEFT_WIDTH = 420  # px
_BUTTONS_WIDTH = 142  # px
_HEIGHT = 680  # px; on a 768 px screen the title bar and a panel need the rest
_SWITCH_S = 0.0005  # after which the worker's thread lets the window's continue; Python's is 5 ms
_PATIENCE_S = 60  # for one rendering, on a slow CPU


class ResultsDialog:
    """A view of a `Presenter` in GIMP's procedure dialog, with its Reset, presets and Help.

    The procedure has an argument "edits", which is kept in sync with the sliders.
    """

    def __init__(self, procedure: object, config: GimpUi.ProcedureConfig) -> None:
        GimpUi.init("inpaint-gimp")
        sys.setswitchinterval(_SWITCH_S)  # each call of GTK waits this long for a busy worker
        self._guard = Guard(self._say_what_happened)
        self._config = config
        self._info = DaemonInfo()
        self._preview: Preview
        self._shown_glance: Glance | None = None
        self._results: dict[int, tuple[Rendering, Result]] = {}
        self._is_wanted = True
        self._insert: Callable[[], None] = _nothing
        self._dialog = GimpUi.ProcedureDialog.new(procedure, config, None)
        locator = Locator(lambda text: self._presenter.report(text), lambda: self._is_wanted)
        self._worker = Worker(locator)
        self._presenter = Presenter(self, self._worker, Posts().post)
        self._buttons = Gtk.Box(orientation=Gtk.Orientation.VERTICAL, spacing=6)
        self._buttons.set_size_request(_BUTTONS_WIDTH, -1)
        self._pane = PreviewPane(self._presenter.choose, self._buttons)
        self._sliders = Sliders(self._slid, self._presenter.sliders.rest)
        self._zero = Gtk.Button.new_with_mnemonic(_("Reset all to _0"))
        self._corners = CornerImages(
            self._presenter, lambda each: self._result(each).thumbnail, lambda: self._preview
        )
        self._mix = MixForm(self._mixed, self._presenter.sliders.rest, self._corners)
        self._fixed = Gtk.Label(xalign=0, wrap=True, max_width_chars=40, no_show_all=True)
        self._status = StatusLine(
            self._presenter.stop, self._presenter.connect, self._choose_program
        )
        self._notice = NoticeBar(self._presenter.dismiss)
        self._wheel = QuietWheel()
        self._undo_keys = UndoKeys(self._undo, self._redo)
        self._left = Gtk.Box(orientation=Gtk.Orientation.VERTICAL, spacing=6)
        self._left.set_size_request(_LEFT_WIDTH, -1)
        self._form = scrolling(self._left)
        config.connect("notify::edits", lambda *args: self._follow_edits())
        # The user may have added, moved or deleted layers in the image.
        self._dialog.connect("key-press-event", self._key_pressed)
        self._dialog.connect("focus-in-event", lambda *args: self._presenter.sliders.offer())

    def close(self) -> None:
        """Disconnect from the daemon and close the window."""
        self._is_wanted = False
        self._presenter.close()
        self._dialog.destroy()
        self._worker.close()
        self._guard.release()

    def _say_what_happened(self) -> None:
        self._presenter.warn(what_happened())

    def _finish_editing(self) -> bool:
        """Wait for the last edit to be rendered, so that the sliders match what is inserted.

        Returns:
            False if that failed. The status shows the error, and the dialog stays open.
        """
        self._report_moves()
        if not self._presenter.sliders.is_rendering:
            return True
        end = time.monotonic() + _PATIENCE_S
        while self._presenter.sliders.is_rendering and time.monotonic() < end:
            if not GLib.MainContext.default().iteration(False):
                time.sleep(0.01)
        return not self._presenter.state.is_error

    def _help(self) -> None:
        show_manual(self._dialog, self._presenter.warn)

    def _key_pressed(self, dialog: Gtk.Window, event: Gdk.EventKey) -> bool:
        if event.keyval == Gdk.KEY_F1:
            self._help()
            return True
        return self._undo_keys.press(dialog, event)

    def _undo(self) -> None:
        self._report_moves()
        self._presenter.sliders.undo()

    def _redo(self) -> None:
        self._report_moves()
        self._presenter.sliders.redo()

    def _prepare(self, steps: Generator[None, None, Callable[[], None]]) -> bool:
        """Make the layers between turns of the event loop; `insert` then inserts them.

        Returns:
            False if that failed. The status shows the error, and the dialog stays open.
        """
        self._status.show_state(State(Phase.READY, _("Making the layers…"), 1.0))
        Gtk.Widget.set_sensitive(
            self._dialog, False
        )  # GIMP's dialog has another method of the name
        keep_open = self._dialog.connect("delete-event", lambda *args: True)
        ready: list[Callable[[], None]] = []
        errors: list[InpaintError] = []
        making = InTurns(steps, ready.append, errors.append)
        while making.is_running:
            GLib.MainContext.default().iteration(True)
        self._dialog.disconnect(keep_open)
        if ready:
            self._insert = ready[0]
            return True
        Gtk.Widget.set_sensitive(self._dialog, True)
        text = say_error(errors[0]) if errors else ""
        self.show_state(State(Phase.READY, text, is_error=True))
        return False

    def insert(self) -> None:
        """Insert what was prepared, after hiding the window, which would not respond meanwhile."""
        self._dialog.hide()
        self._dialog.get_display().flush()
        self._insert()

    def _report_moves(self) -> None:
        self._sliders.finish()
        self._mix.finish()

    def _take_over_help(self) -> None:
        """Replace GIMP's Help button, which opens a page of GIMP's manual, by our own.

        GIMP's handler of its button cannot be overridden.
        """
        theirs = self._dialog.get_widget_for_response(Gtk.ResponseType.HELP)
        ours = Gtk.Button.new_with_mnemonic(theirs.get_label())
        ours.set_tooltip_text(_("Open the manual for this plug-in"))
        ours.connect("clicked", lambda button: self._help())
        self._add_beside_help(ours)
        theirs.set_no_show_all(True)
        theirs.hide()

    def _add_beside_help(self, button: Gtk.Button) -> None:
        row = self._dialog.get_widget_for_response(Gtk.ResponseType.HELP).get_parent()
        row.pack_start(button, False, True, 0)
        row.set_child_secondary(button, True)
        button.show()

    def _choose_program(self) -> None:
        """Let the user choose the daemon's program, and start it."""
        if choose_program(self._dialog):
            self._presenter.connect()

    # --- called by the presenter

    def show_info(self, info: DaemonInfo) -> None:
        self._info = info
        self._mix.allow_several(can_mix_several(info.limits))

    def show_state(self, state: State) -> None:
        may_accept = state.phase in (Phase.IDLE, Phase.READY)
        self._dialog.set_response_sensitive(Gtk.ResponseType.OK, may_accept)
        self._draw_sensitivity()
        self._status.show_state(state)

    def show_notice(self, text: str) -> None:
        self._notice.show_text(text)

    def show_renderings(self, renderings: list[Rendering], chosen: int) -> None:
        self._pane.show_results([self._result(each) for each in renderings], chosen)
        self._corners.remember()

    def show_rendering(self, index: int, rendering: Rendering) -> None:
        self._pane.show_result(index, self._result(rendering))
        shown = {id(each) for each in self._presenter.strip.renderings}  # a drag makes many
        self._results = {each: self._results[each] for each in shown & self._results.keys()}
        self._corners.remember()
        self._mix.draw_corners()

    def _result(self, rendering: Rendering) -> Result:
        """Return the preview of a rendering; cached, since each arrival redraws the strip."""
        known = self._results.get(id(rendering))
        if known is None or known[0] is not rendering:
            image = self._preview.with_fill(rendering.candidate)
            small = thumbnail(image, THUMBNAIL_SIZE)
            scores = rendering.candidate.scores
            name = "\n".join((layer_name(rendering), *map(say, described(scores))))
            result = Result(image, small, short_name(rendering), name, scores.likeness)
            self._results[id(rendering)] = known = (rendering, result)
        return known[1]

    def show_edits(self, edits: Edits) -> None:
        self._sliders.show_edits(edits)
        self._config.set_property("edits", format_edits(edits))

    def show_mix(self, mix: Mix) -> None:
        self._mix.show_mix(mix)

    def show_others(self, others: Sequence[Other]) -> None:
        self._corners.forget_layers()
        self._mix.show_others(others)

    def show_fixed(self, why: str) -> None:
        self._fixed.set_text(why)
        self._fixed.set_visible(bool(why) and why != self._sliders.why_none)
        self._draw_sensitivity()

    def _draw_sensitivity(self) -> None:
        may_change = not self._fixed.get_text()
        self._sliders.set_sensitive(may_change)
        self._zero.set_sensitive(may_change)
        self._mix.set_sensitive(may_change and self._presenter.state.phase is Phase.READY)

    # --- building and following the values

    def _show_glance(self, glance: Glance) -> None:
        if glance is not self._shown_glance:
            self._shown_glance = glance
            self._preview = Preview(glance, PREVIEW_SIZE)
            self._results.clear()
        self._pane.show_source(self._preview.original, self._preview.tinted)

    def _show_sliders(self, model: str) -> None:
        known = self._info.model(model)
        reason = why_unedited(known)
        self._sliders.show_directions(
            known.directions if known else (),
            _("This model has no sliders.") if reason is None else say(reason),
        )
        self._wheel.watch(self._sliders)
        self._follow_edits()

    def _slid(self, edits: Edits) -> None:
        self._config.set_property("edits", format_edits(edits))
        self._presenter.sliders.slide(edits, self._mix.mix)

    def _mixed(self, mix: Mix) -> None:
        self._presenter.sliders.slide(self._sliders.edits(), mix)

    def _follow_edits(self) -> None:
        """Follow the value "edits", which a slider, Reset, a preset or the last values changed."""
        try:
            edits = parse_edits(self._config.get_property("edits") or "")
        except InpaintError:
            return  # incomplete input; keep the sliders
        if format_edits(edits) != format_edits(self._sliders.edits()):
            self._sliders.show_edits(edits)
            self._presenter.sliders.rest()
            self._presenter.sliders.slide(edits, self._mix.mix)
            self._presenter.sliders.rest()

    def _build(self) -> None:
        right = Gtk.Box(orientation=Gtk.Orientation.VERTICAL, spacing=6)
        right.pack_start(self._pane, False, False, 0)
        messages = scrolling(right)  # so that long messages do not enlarge the window
        messages.pack_start(self._notice, False, False, 0)
        messages.pack_end(self._status, False, False, 0)
        self._buttons.pack_end(self._status.controls, False, False, 0)
        self._take_over_help()
        columns = Gtk.Box(spacing=18)
        columns.pack_start(self._left, True, True, 0)
        columns.pack_start(right, False, False, 0)
        columns.show_all()
        self._dialog.get_content_area().pack_start(columns, True, True, 0)
        self._dialog.set_default_size(-1, _HEIGHT)
        self._wheel.watch(self._dialog)

    def _add_changes(self) -> None:
        heading = Gtk.Box(spacing=6)
        label = Gtk.Label(
            label=_("Ad_just"), use_underline=True, xalign=0, mnemonic_widget=self._sliders
        )
        self._zero.set_tooltip_text(_("Reset all sliders to 0"))
        self._zero.connect("clicked", lambda button: self._sliders.reset())
        heading.pack_start(label, True, True, 0)
        heading.pack_start(self._zero, False, False, 0)
        self._form.pack_start(heading, False, False, 0)
        self._form.pack_start(self._sliders, False, False, 0)
        self._left.pack_start(self._fixed, False, False, 0)
        self._left.pack_start(self._mix, False, False, 0)


def _nothing() -> None:
    """Insert nothing, because nothing changed."""
