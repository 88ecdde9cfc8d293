"""The dialog of the edit procedure: the sliders of an existing fill."""

from __future__ import annotations

from inpaint_client import (
    DaemonInfo,
    InpaintError,
    RecipeSource,
    RequestCancelledError,
    parse_recipe,
)

from ..app.state import Phase, State
from ..runs.calls import Call
from ..runs.edits import format_edits
from ..runs.mixing import Mix, mix_values, read_mix
from ..runs.reopen import Opened
from ..translation import _
from .gtk import GimpUi, GObject, Gtk
from .results_dialog import ResultsDialog


def edit_with_dialog(call: Call, opened: Opened) -> None:
    """Run the dialog until the user inserts or cancels. The image changes only on inserting."""
    recipe = parse_recipe(opened.result.recipe)
    call.config.set_property("edits", format_edits(recipe.edits))
    others = opened.layers.others(opened.result.recipe)
    _write(call.config, mix_values(opened.layers.remembered(), others))
    dialog = EditDialog(call, opened)
    try:
        if not dialog.run():
            raise RequestCancelledError("Canceled.")
        dialog.insert()
    finally:
        dialog.close()


class EditDialog(ResultsDialog):
    def __init__(self, call: Call, opened: Opened) -> None:
        super().__init__(call.procedure, call.config)
        self._opened = opened
        self._before = opened.rendering()
        self._written: dict[str, object] = {}  # the mixing last written to the config
        self._build()
        self._show_glance(opened.glance)
        self._presenter.open(
            self._before,
            lambda rendering: RecipeSource(
                recipe=rendering.unmixed,
                attachment=rendering.candidate.attachment,
                capture=opened.capture,
            ),
            opened.layers,
        )
        for name in ("mix", "levels", "amount"):
            call.config.connect(f"notify::{name}", lambda *args: self._follow_mix())
        self._presenter.connect()

    def run(self) -> bool:
        while self._dialog.run():
            if self._finish_editing() and self._is_prepared():
                return True
        return False

    def _is_prepared(self) -> bool:
        after = self._presenter.strip.renderings[0]
        if after == self._before:
            return True
        in_place = bool(self._config.get_property("replace"))
        return self._prepare(self._opened.make_layer(after, in_place))

    def show_info(self, info: DaemonInfo) -> None:
        super().show_info(info)
        self._show_sliders(parse_recipe(self._opened.result.recipe).model)

    def show_state(self, state: State) -> None:
        super().show_state(state)
        self._dialog.set_response_sensitive(Gtk.ResponseType.OK, state.phase is Phase.READY)

    def show_mix(self, mix: Mix) -> None:
        super().show_mix(mix)
        self._write_mix()

    def _mixed(self, mix: Mix) -> None:
        self._write_mix()
        super()._mixed(mix)

    def _write_mix(self) -> None:
        """Write the mixing to the config, for GIMP's Repeat, Reset and presets."""
        self._written = mix_values(self._mix.mix, self._mix.others)
        _write(self._config, self._written)

    def _follow_mix(self) -> None:
        """Follow a change of the config, unless it was ours: by Reset or a preset."""
        value_of = self._config.get_property
        values = {name: value_of(name) for name in self._written}
        if values == self._written:
            return
        self._written = values
        try:
            mix = read_mix(value_of, self._opened.layers.others(self._opened.result.recipe))
        except InpaintError:
            return  # values from another image
        super().show_mix(mix)
        self._presenter.sliders.slide(self._sliders.edits(), mix)

    def _build(self) -> None:
        name = Gtk.Label(
            label=self._opened.layer.get_name(), xalign=0, wrap=True, max_width_chars=40
        )
        self._form.pack_start(name, False, False, 0)
        self._add_changes()
        self._left.pack_start(
            self._dialog.get_widget("replace", GObject.TYPE_NONE), False, False, 0
        )
        self._dialog.set_ok_label(_("_Insert"))
        super()._build()


def _write(config: GimpUi.ProcedureConfig, values: dict[str, object]) -> None:
    with config.freeze_notify():  # listeners see all values changed
        for name, value in values.items():
            config.set_property(name, value)
