"""The dialog of the edit procedure: the sliders of a fill that was made earlier."""

from __future__ import annotations

from inpaint_client import Cancelled, DaemonInfo, parse_recipe

from .capture import recipe_source
from .edits import format_edits
from .gtk import GObject, Gtk
from .presenter import Phase, State
from .reopen import Opened
from .results_dialog import ResultsDialog
from .runs import Call
from .translation import _


def edit_with_dialog(call: Call, opened: Opened) -> None:
    """Run the dialog until the user accepts or cancels. The image changes only on accepting."""
    recipe = parse_recipe(opened.keepsake.recipe)
    call.config.set_property("edits", format_edits(recipe.edits))
    dialog = EditDialog(call, opened)
    try:
        if not dialog.run():
            raise Cancelled("Cancelled.")
        dialog.finish()
    finally:
        dialog.close()


class EditDialog(ResultsDialog):
    def __init__(self, call: Call, opened: Opened) -> None:
        super().__init__(call.procedure, call.config)
        self._opened = opened
        self._before = opened.rendering()
        self._build()
        self._show_captured(opened.captured)
        self._presenter.open(
            self._before,
            lambda rendering: recipe_source(
                opened.captured, rendering.candidate.recipe, rendering.candidate.attachment
            ),
        )
        self._presenter.connect()

    def run(self) -> bool:
        while self._dialog.run():
            if self._finish_editing():
                return True
        return False

    def finish(self) -> None:
        after = self._presenter.renderings[0]
        if after != self._before:
            self._opened.finish(after, in_place=bool(self._config.get_property("replace")))

    def show_info(self, info: DaemonInfo) -> None:
        super().show_info(info)
        self._show_sliders(parse_recipe(self._opened.keepsake.recipe).model)

    def show_state(self, state: State) -> None:
        super().show_state(state)
        self._dialog.set_response_sensitive(
            Gtk.ResponseType.OK, state.phase is Phase.READY and not state.is_error
        )

    def _build(self) -> None:
        name = Gtk.Label(label=self._opened.layer.get_name(), xalign=0, wrap=True)
        self._left.pack_start(name, False, False, 0)
        self._add_sliders()
        self._left.pack_start(
            self._dialog.get_widget("replace", GObject.TYPE_NONE), False, False, 0
        )
        self._dialog.set_ok_label(_("_Insert"))
        super()._build()
