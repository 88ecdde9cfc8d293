"""The dialog of the fill procedure: settings, candidates as they arrive, sliders, one choice."""

from __future__ import annotations

import gi

gi.require_version("Gtk", "3.0")
gi.require_version("GimpUi", "3.0")
from gi.repository import GimpUi, GLib, GObject, Gtk  # noqa: E402
from inpaint_client import (  # noqa: E402
    Cancelled,
    DaemonInfo,
    Edit,
    InpaintError,
    RecipeSource,
    Worker,
)

from .arguments import FillSettings  # noqa: E402
from .capture import Capture, capture, fill_job  # noqa: E402
from .edits import format_edits, parse_edits  # noqa: E402
from .image import GimpImage  # noqa: E402
from .layers import Rendering, layer_pixels, short_name  # noqa: E402
from .presenter import Phase, Presenter, State  # noqa: E402
from .preview import Preview  # noqa: E402
from .runs import Call, insert  # noqa: E402
from .service import Locator, draw_seed  # noqa: E402
from .translation import _  # noqa: E402
from .widgets import (  # noqa: E402
    PREVIEW_SIZE,
    PreviewPane,
    Sliders,
    StatusLine,
    labelled,
)

_MAIN = ("candidates", "new-seed", "seed", "truncation", "source", "context")
_MORE = ("frame", "variants", "group", "colour-match", "gradient", "grain", "feather")


def fill_with_dialog(call: Call) -> None:
    """Run the dialog until the user inserts or cancels. The image changes only on inserting."""
    GimpUi.init("inpaint-gimp")
    dialog = FillDialog(call)
    try:
        if not dialog.run():
            raise Cancelled("Cancelled.")
        dialog.insert()
    finally:
        dialog.close()


class FillDialog:
    """The view of a `Presenter` on GIMP's own procedure dialog."""

    def __init__(self, call: Call) -> None:
        self._config = call.config
        self._image = GimpImage(call.image, call.drawables)
        # Before any window: what cannot be filled is said at once.
        self._captured = capture(self._image, self._from_layer())
        self._settings: FillSettings | None = None
        self._info = DaemonInfo()
        self._preview: Preview
        self._wanted = True
        self._dialog = GimpUi.ProcedureDialog.new(call.procedure, call.config, None)
        self._models = Gtk.ComboBoxText()
        self._again = Gtk.Button.new_with_mnemonic(_("_New candidates"))
        self._keep = Gtk.Button.new_with_mnemonic(_("_Keep a copy"))
        self._worker = Worker(Locator(self._report, lambda: self._wanted))
        self._presenter = Presenter(self, self._worker, _post)
        self._pane = PreviewPane(self._presenter.choose)
        self._sliders = Sliders(self._slid)
        self._status = StatusLine(self._presenter.stop, self._presenter.connect)
        self._build()
        self._show_captured()
        self._presenter.connect()

    def run(self) -> bool:
        """True when the user wants what is there inserted, False to leave all as it was."""
        while self._dialog.run():
            if self._presenter.state.phase is Phase.READY:
                return True
            self._fill()
        return False

    def insert(self) -> None:
        assert self._settings is not None
        insert(
            self._image,
            self._captured,
            self._settings,
            self._presenter.renderings,
            self._presenter.chosen,
        )

    def close(self) -> None:
        self._wanted = False
        self._presenter.close()
        self._dialog.destroy()
        self._worker.close()

    # --- what the presenter shows

    def show_info(self, info: DaemonInfo) -> None:
        self._info = info
        self._models.remove_all()
        for model in info.models:
            self._models.append(model.name, model.title or model.name)
        self._show_model()

    def show_state(self, state: State) -> None:
        ready = state.phase is Phase.READY
        self._dialog.set_ok_label(_("_Insert") if ready else _("_Fill"))
        self._dialog.set_response_sensitive(
            Gtk.ResponseType.OK, state.phase in (Phase.IDLE, Phase.READY)
        )
        self._again.set_sensitive(ready)
        self._keep.set_sensitive(ready)
        self._status.show_state(state)

    def show_renderings(self, renderings: list[Rendering], chosen: int) -> None:
        pictures = [self._preview.with_fill(layer_pixels(each.candidate)) for each in renderings]
        self._pane.show_all_results(pictures, [short_name(each) for each in renderings], chosen)

    def show_rendering(self, index: int, rendering: Rendering) -> None:
        picture = self._preview.with_fill(layer_pixels(rendering.candidate))
        self._pane.show_result(index, picture, short_name(rendering))

    def show_edits(self, edits: tuple[Edit, ...]) -> None:
        self._sliders.show_edits(edits)
        self._config.set_property("edits", format_edits(edits))

    # --- what the user does

    def _fill(self) -> None:
        """Read the image as it is now and send it."""
        try:
            settings = FillSettings.read(self._config.get_property).with_seed(draw_seed)
            captured = capture(self._image, settings.from_layer)
            job = fill_job(captured, settings)
        except InpaintError as error:
            self.show_state(State(Phase.IDLE, str(error), is_error=True))
            return
        self._settings, self._captured = settings, captured
        self._config.set_property("seed", settings.seed)
        self._show_captured()
        self._presenter.fill(job, lambda rendering: _source(captured, rendering))

    def _slid(self, edits: tuple[Edit, ...]) -> None:
        self._config.set_property("edits", format_edits(edits))
        self._presenter.slide(edits)

    def _from_layer(self) -> bool:
        return bool(self._config.get_property("source") == "layer")

    def _model_chosen(self) -> None:
        name = self._models.get_active_id()
        if name is not None and name != self._config.get_property("model"):
            self._config.set_property("model", name)

    def _report(self, text: str) -> None:
        self._presenter.report(text)

    # --- building and following the values

    def _show_captured(self) -> None:
        captured = self._captured
        self._preview = Preview(
            captured.crop, captured.crop_box, captured.hole_box, PREVIEW_SIZE
        )
        self._pane.show_source(
            self._preview.original, self._preview.with_hole(captured.hole, captured.crop_box)
        )

    def _show_model(self) -> None:
        model = self._info.model(self._config.get_property("model") or "")
        self._models.set_active_id(model.name if model else None)
        self._sliders.show_directions(model.directions if model else ())
        self._show_values()

    def _show_values(self) -> None:
        """The config's edits in the sliders: after Reset, a preset, or the last values."""
        try:
            edits = parse_edits(self._config.get_property("edits") or "")
        except InpaintError:
            return
        if format_edits(edits) != format_edits(self._sliders.edits()):
            self._sliders.show_edits(edits)
            self._presenter.slide(edits)

    def _build(self) -> None:
        columns = Gtk.Box(spacing=18)
        columns.pack_start(self._settings_column(), True, True, 0)
        right = Gtk.Box(orientation=Gtk.Orientation.VERTICAL, spacing=6)
        right.pack_start(self._pane, True, True, 0)
        buttons = Gtk.Box(spacing=6, homogeneous=True)
        for button in (self._again, self._keep):
            buttons.pack_start(button, True, True, 0)
        self._again.connect("clicked", lambda button: self._fill())
        self._keep.connect("clicked", lambda button: self._presenter.keep())
        self._keep.set_tooltip_text(
            _("Keep this result as a layer of its own and go on changing the sliders")
        )
        right.pack_start(buttons, False, False, 0)
        right.pack_start(self._status, False, False, 0)
        columns.pack_start(right, False, False, 0)
        columns.show_all()
        self._dialog.get_content_area().pack_start(columns, True, True, 0)
        self._models.connect("changed", lambda combo: self._model_chosen())
        self._config.connect("notify::model", lambda *args: self._show_model())
        self._config.connect("notify::edits", lambda *args: self._show_values())

    def _settings_column(self) -> Gtk.Box:
        column = Gtk.Box(orientation=Gtk.Orientation.VERTICAL, spacing=6)
        column.pack_start(labelled(_("_Model"), self._models), False, False, 0)
        for name in _MAIN:
            column.pack_start(self._argument(name), False, False, 0)
        more = Gtk.Box(orientation=Gtk.Orientation.VERTICAL, spacing=6, margin_start=12)
        for name in _MORE:
            more.pack_start(self._argument(name), False, False, 0)
        expander = Gtk.Expander(label=_("_More settings"), use_underline=True)
        expander.add(more)
        column.pack_start(expander, False, False, 0)
        scroller = Gtk.ScrolledWindow(
            hscrollbar_policy=Gtk.PolicyType.NEVER, min_content_height=160
        )
        scroller.add(self._sliders)
        column.pack_start(scroller, True, True, 0)
        reset = Gtk.Button.new_with_mnemonic(_("_Zero all sliders"))
        reset.connect("clicked", lambda button: self._sliders.reset())
        column.pack_start(reset, False, False, 0)
        return column

    def _argument(self, name: str) -> Gtk.Widget:
        if name == "truncation":
            return self._dialog.get_scale_entry(name, 1.0)
        if name == "seed":  # GIMP 3.0 makes no widgets for unsigned numbers
            return labelled(_("S_eed"), GimpUi.prop_spin_button_new(self._config, name, 1, 100, 0))
        kind = Gtk.Entry.__gtype__ if name in ("frame", "variants") else GObject.TYPE_NONE
        return self._dialog.get_widget(name, kind)


def _source(captured: Capture, rendering: Rendering) -> RecipeSource:
    return RecipeSource(
        recipe=rendering.candidate.recipe,
        attachment=rendering.candidate.attachment,
        crop=captured.crop,
        hole=captured.hole,
        crop_box=captured.crop_box,
        document=captured.document,
    )


def _post(function: object) -> None:
    """Run `function` in the window's thread, soon."""

    def once() -> bool:
        function()  # type: ignore[operator]
        return False

    GLib.idle_add(once)
