"""The dialog for an image with nothing selected: says what to do, and selects a part of a face."""

from __future__ import annotations

from functools import partial

from gi.repository import Gimp
from inpaint_client import Part, Picture, RequestCancelledError, Worker

from ..app.part_search import READY, PartSearch
from ..app.state import Phase, State
from ..host.image import GimpImage
from ..runs.arguments import parts
from ..runs.segment import segment_job_in_steps, step_of
from ..runs.service import Locator
from ..translation import _
from .gtk import GimpUi, GLib, Gtk
from .guard import Guard, what_happened
from .in_turns import InTurns, Posts
from .program import choose_program
from .widgets import StatusLine

_OFFERED = (Part.HAIR, Part.EYES, Part.MOUTH, Part.SKIN, Part.BROWS, Part.GLASSES)
_COLUMNS = 3
_WIDTH_CHARS = 46
_PULSE_MS = 100


def select_part(image: GimpImage) -> None:
    """Let the user choose a part of the face, which becomes the selection.

    Raises:
        RequestCancelledError: the user cancels.
    """
    dialog = EmptyState(image)
    try:
        if not dialog.run():
            raise RequestCancelledError("Canceled.")
    finally:
        dialog.close()


class EmptyState:
    """What to do first, and a button for each part that can be selected right away."""

    def __init__(self, image: GimpImage) -> None:
        GimpUi.init("inpaint-gimp")
        self._image = image
        self._guard = Guard(lambda: self._search.fail(what_happened()))
        self._is_wanted = True
        locator = Locator(self._report, lambda: self._is_wanted)
        self._worker = Worker(locator)
        self._search = PartSearch(
            self._worker,
            Posts().post,
            InTurns,
            partial(segment_job_in_steps, image),
            self._show_state,
            self._select,
        )
        self._state = READY
        self._pulse = 0
        self._status = StatusLine(lambda: None, self._search.retry, self._choose_program)
        self._parts = Gtk.Grid(
            row_spacing=6, column_spacing=6, column_homogeneous=True, hexpand=True
        )
        self._dialog = GimpUi.Dialog(
            title=_("Inpaint (StyleGAN)"), role="inpaint-nothing-selected", resizable=False
        )
        self._build()

    def run(self) -> bool:
        """Run the dialog; return whether a part was selected."""
        return bool(self._dialog.run() == Gtk.ResponseType.OK)

    def close(self) -> None:
        """Stop the search and close the window."""
        self._is_wanted = False
        self._search.close()
        if self._pulse:
            GLib.source_remove(self._pulse)
        self._dialog.destroy()
        self._worker.close()
        self._guard.release()

    def _report(self, text: str) -> None:
        self._search.report(text)

    def _select(self, mask: Picture) -> None:
        self._image.select(mask, step_of(self._image, mask.extent))
        Gimp.displays_flush()
        self._dialog.response(Gtk.ResponseType.OK)

    def _show_state(self, state: State) -> None:
        self._state = state
        self._parts.set_sensitive(not self._search.is_running)
        self._status.set_visible(bool(state.status))
        self._status.controls.set_visible(state.phase is not Phase.IDLE)
        self._status.show_state(state)
        if self._search.is_running and not self._pulse:
            self._pulse = GLib.timeout_add(_PULSE_MS, self._move_bar)

    def _move_bar(self) -> bool:
        """Show that the search goes on."""
        if not self._search.is_running:
            self._pulse = 0
            return False
        self._status.show_state(self._state)
        return True

    def _choose_program(self) -> None:
        if choose_program(self._dialog):
            self._search.retry()

    def _build(self) -> None:
        self._dialog.add_button(_("_Cancel"), Gtk.ResponseType.CANCEL)
        content = Gtk.Box(orientation=Gtk.Orientation.VERTICAL, spacing=12, border_width=12)
        for text in (
            _(
                "Nothing is selected yet. Select what to replace with any selection tool, then "
                "choose this command again."
            ),
            _("Or choose a part of the face:"),
        ):
            label = Gtk.Label(label=text, xalign=0, wrap=True, max_width_chars=_WIDTH_CHARS)
            content.pack_start(label, False, False, 0)
        labels = {each.nick: each for each in parts()}
        for place, part in enumerate(_OFFERED):
            choice = labels[part.label]
            button = Gtk.Button(label=choice.label, tooltip_text=choice.help)
            button.connect("clicked", lambda button, part=part: self._search.find(part))
            self._parts.attach(button, place % _COLUMNS, place // _COLUMNS, 1, 1)
        content.pack_start(self._parts, False, False, 0)
        content.pack_start(self._status, False, False, 0)
        content.pack_start(self._status.controls, False, False, 0)
        content.show_all()
        self._show_state(READY)
        self._dialog.get_content_area().pack_start(content, True, True, 0)
