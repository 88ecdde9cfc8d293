"""The dialog of the fill procedure: settings, candidates as they arrive, sliders."""

from __future__ import annotations

from collections.abc import Callable, Generator

from inpaint_client import (
    Box,
    DaemonInfo,
    InpaintError,
    InputError,
    RecipeSource,
    RequestCancelledError,
)
from inpaint_client.session.abilities import why_single
from inpaint_client.session.frame_preview import Expected, expected
from inpaint_client.session.tour import Stop

from ..app.fill_tour import FillTour
from ..app.memory import memory_file
from ..app.state import Phase, State
from ..host.image import GimpImage
from ..host.target import NothingSelectedError
from ..runs.arguments import FillSettings
from ..runs.calls import Call, make_layers
from ..runs.capture import (
    Captured,
    Glance,
    capture,
    check_target,
    fill_job,
    find_target,
    glance,
    overview,
)
from ..runs.image_layers import ImageLayers
from ..runs.layers import Rendering
from ..runs.service import draw_seed
from ..translation import _, say, say_error
from .contact_sheet import draw_sheet
from .empty_state import select_part
from .frame_tip import FrameTip
from .gtk import Gdk, GimpUi, GLib, GObject, Gtk
from .in_turns import InTurns
from .results_dialog import ResultsDialog
from .tour import NARROW, WIDE, Place, TourBubbles
from .widgets import labeled, parts_of

_MAIN = ("new-seed", "seed", "truncation", "source", "context")
_MORE = (
    "frame",
    "variants",
    "smooth",
    "group",
    "color-match",
    "gradient",
    "grain",
    "detail",
    "feather",
)


def fill_with_dialog(call: Call) -> None:
    """Run the dialog until the user inserts or cancels. The image changes only on inserting.

    If nothing is selected, the user first selects a part of the face.

    Raises:
        InputError: the image cannot be filled; this is reported before any window opens.
        RequestCancelledError: the user cancels.
    """
    image = GimpImage(call.image, call.drawables)
    try:
        check_target(image, find_target(image, from_layer=False))
    except NothingSelectedError:
        select_part(image)
    try:
        find_target(image, call.config.get_property("source") == "layer")
    except InputError:
        # The source used last does not fit this image; the user can choose one in the dialog.
        call.config.set_property("source", "visible")
    image.prepare_reading()  # before the window opens, which would not respond meanwhile
    dialog = FillDialog(call, image)
    try:
        if not dialog.run():
            raise RequestCancelledError("Canceled.")
        dialog.insert()
    finally:
        dialog.close()


class FillDialog(ResultsDialog):
    def __init__(self, call: Call, image: GimpImage) -> None:
        super().__init__(call.procedure, call.config)
        self._image = image
        self._captured: Captured | None = None  # the input of the candidates in the strip
        self._glance: Glance | None = None
        self._reading: InTurns[Glance] | InTurns[Captured] | None = None
        self._settings: FillSettings | None = None
        self._tip = FrameTip(self._read_overview, self._expected)
        self._models = Gtk.ComboBoxText()
        self._labels = Gtk.SizeGroup(mode=Gtk.SizeGroupMode.HORIZONTAL)
        self._again = Gtk.Button.new_with_mnemonic(_("_Fill again"))
        self._keep = Gtk.Button.new_with_mnemonic(_("_Keep a copy"))
        self._more = Gtk.Button.new_with_label(_("More candidates"))
        self._delete = Gtk.Button.new_with_label(_("Delete this one"))
        self._sheet = Gtk.Button.new_with_label(_("Contact sheet"))
        self._drawing: InTurns[None] | None = None  # a contact sheet
        self._tour = FillTour(memory_file(), self._show_bubble)
        self._build()
        self._look()
        self._presenter.connect()

    def run(self) -> bool:
        """Run the dialog; return whether the user inserts the candidates."""
        while self._dialog.run():
            if self._presenter.state.phase is not Phase.READY:
                self._fill()
            elif self._finish_editing() and self._prepare(self._make_layers()):
                return True
        return False

    def _make_layers(self) -> Generator[None, None, Callable[[], None]]:
        assert self._settings is not None
        assert self._captured is not None
        results, chosen = self._presenter.strip.renderings, self._presenter.strip.chosen
        return make_layers(self._image, self._captured, self._settings, results, chosen)

    def show_info(self, info: DaemonInfo) -> None:
        super().show_info(info)
        self._models.remove_all()
        for model in info.models:
            self._models.append(model.name, model.title or model.name)
        self._show_model()

    def show_state(self, state: State) -> None:
        super().show_state(state)
        self._tour.follow(state, has_candidates=bool(self._presenter.strip.renderings))
        ready = state.phase is Phase.READY
        self._dialog.set_ok_label(_("_Insert") if ready else _("_Fill"))
        for button in (self._again, self._keep, self._delete, self._sheet):
            button.set_sensitive(ready)
        single = self._presenter.why_single()
        self._more.set_sensitive(ready and not single)
        self._more.set_tooltip_text(
            single or _("Add candidates for the same selection and settings, with new seeds")
        )

    def show_renderings(self, renderings: list[Rendering], chosen: int) -> None:
        super().show_renderings(renderings, chosen)
        if not renderings and self._glance is not None:  # all were deleted: show the hole again
            self._show_glance(self._glance)

    def close(self) -> None:
        """Stop reading and close the dialog."""
        self._tour.leave()
        self._tip.stop()
        self._read(None)
        if self._drawing is not None:
            self._drawing.cancel()
        super().close()

    def _key_pressed(self, dialog: Gtk.Window, event: Gdk.EventKey) -> bool:
        if event.keyval == Gdk.KEY_Escape and self._tour.shown is not None:
            self._tour.close()  # and not the dialog, until Escape is pressed again
            return True
        return super()._key_pressed(dialog, event)

    def _fill(self) -> None:
        """Read the image and send it."""
        try:
            settings = FillSettings.read(self._config.get_property).with_seed(draw_seed)
            model = self._info.model(settings.model)
            settings = settings.possible(model).without_refused_edits(model)
            target = find_target(self._image, settings.from_layer)
        except InpaintError as error:
            self._say(error)
            return

        def send(captured: Captured) -> None:
            try:
                job = fill_job(captured.capture, settings)
            except InpaintError as error:
                self._presenter.unreadable(error)
                return
            self._settings, self._captured = settings, captured
            self._config.set_property("seed", settings.seed)
            self._show(captured.glance)
            self._presenter.fill(
                job,
                lambda rendering: RecipeSource(
                    recipe=rendering.unmixed,
                    attachment=rendering.candidate.attachment,
                    capture=captured.capture,
                ),
                ImageLayers(self._image, captured.around),
            )

        steps = capture(self._image, target, self._info.limits)
        self._read(InTurns(steps, send, self._presenter.unreadable))
        self._presenter.read(lambda: self._read(None))

    def _read(self, reading: InTurns[Glance] | InTurns[Captured] | None) -> None:
        """Cancel the current reading and replace it."""
        if self._reading is not None:
            self._reading.cancel()
        self._reading = reading

    def _show(self, glance: Glance) -> None:
        self._glance = glance
        self._show_glance(glance)

    def _read_overview(self, side: int) -> Generator[None, None, tuple[Box, Glance]]:
        """Start to read the whole image for the tooltip of *Fill*."""
        target = find_target(self._image, self._config.get_property("source") == "layer")
        return overview(self._image, target, side)

    def _expected(self, hole: Box) -> Expected:
        """Return what is known about the frame of the next fill."""
        settings = FillSettings.read(self._config.get_property)
        model = self._info.model(settings.model)
        resolution = model.resolution if model else 0
        return expected(hole, self._image.extent, settings.frame, resolution)

    def _add_candidates(self) -> None:
        """Add the set number of candidates to the fill, with the sliders' edits."""
        if self._finish_editing():
            count = int(self._config.get_property("candidates"))
            self._presenter.add_candidates(count, self._sliders.edits())

    def _open_sheet(self) -> None:
        """Open the contact sheet of all candidates as a new image."""
        if self._glance is None or not self._finish_editing():
            return
        if self._drawing is None or not self._drawing.is_running:
            steps = draw_sheet(self._glance, self._presenter.strip.renderings)
            self._drawing = InTurns(steps, lambda _sheet: None, self._say)

    def _source_chosen(self) -> None:
        """Update the preview, unless it shows candidates or they are being made."""
        if (
            not self._presenter.strip.renderings
            and self._presenter.state.phase is not Phase.RUNNING
        ):
            self._look()

    def _look(self) -> None:
        """Show what would be filled; reading starts once the window is open."""
        try:
            target = find_target(self._image, self._config.get_property("source") == "layer")
        except InpaintError as error:
            self._say(error)
            return

        def show(seen: Glance) -> None:
            self._show(seen)
            self.show_state(self._presenter.state)

        self._read(InTurns(glance(self._image, target), show, self._say))

    def _say(self, error: InpaintError) -> None:
        self.show_state(State(self._presenter.state.phase, say_error(error), is_error=True))

    def _model_chosen(self) -> None:
        name = self._models.get_active_id()
        if name is not None and name != self._shown_model():
            self._config.set_property("model", name)

    def _shown_model(self) -> str:
        """Return the name of the model selected by the value "model"."""
        model = self._info.model(self._config.get_property("model") or "")
        return model.name if model else ""

    def _show_model(self) -> None:
        name = self._shown_model()
        self._models.set_active_id(name)
        single = why_single(self._info.model(name))
        self._candidates.set_visible(single is None)
        self._one.set_visible(single is not None)
        self._one.set_tooltip_text("" if single is None else say(single))
        self._show_sliders(name)

    # --- building

    def _build(self) -> None:
        self._dialog.set_ok_label(_("_Fill"))  # first: GIMP would warn that "OK" shares a mnemonic
        self._form.pack_start(labeled(_("_Model"), self._models, self._labels), False, False, 0)
        self._candidates = self._argument("candidates")
        text = self._candidates.get_label().get_text()
        self._one = labeled(text, Gtk.Label(label="1", xalign=0), self._labels)
        self._one.show_all()
        self._one.set_sensitive(False)
        for widget in (self._candidates, self._one):  # of which one is shown
            widget.set_no_show_all(True)
            widget.set_visible(widget is self._candidates)
        for widget in (self._candidates, self._one, *map(self._argument, _MAIN)):
            self._form.pack_start(widget, False, False, 0)
        more = Gtk.Box(orientation=Gtk.Orientation.VERTICAL, spacing=6, margin_start=12)
        for name in _MORE:
            more.pack_start(self._argument(name), False, False, 0)
        program = Gtk.Button(label=_("Choose program…"))
        program.set_tooltip_text(_("Choose the program inpaint-server"))
        program.connect("clicked", lambda button: self._choose_program())
        more.pack_start(labeled(_("Daemon"), program, self._labels), False, False, 0)
        expander = Gtk.Expander(label=_("More settings"))
        expander.set_tooltip_text(_("Less common settings"))
        expander.add(more)
        self._form.pack_start(expander, False, False, 0)
        self._add_changes()
        self._again.set_tooltip_text(_("Discard these candidates and fill again"))
        self._again.connect("clicked", lambda button: self._fill())
        self._tip.watch(
            self._dialog.get_widget_for_response(Gtk.ResponseType.OK),
            lambda: self._presenter.state.phase is Phase.IDLE,
        )
        self._keep.set_tooltip_text(
            _("Keep a copy of this candidate as a separate layer and continue editing")
        )
        self._keep.connect("clicked", lambda button: self._presenter.keep())
        self._more.connect("clicked", lambda button: self._add_candidates())
        self._delete.set_tooltip_text(_("Remove this candidate from the list"))
        self._delete.connect("clicked", lambda button: self._presenter.delete())
        self._sheet.set_tooltip_text(
            _("Open a new image that shows all candidates with captions, to export it")
        )
        self._sheet.connect("clicked", lambda button: self._open_sheet())
        for button in (self._again, self._more, self._keep, self._delete, self._sheet):
            self._buttons.pack_start(button, False, False, 0)
        self._models.get_accessible().set_name(_("Model used for the fill"))
        self._models.set_tooltip_text(_("Model used for the fill"))
        super()._build()
        self._add_tour()
        self._models.connect("changed", lambda combo: self._model_chosen())
        self._config.connect("notify::model", lambda *args: self._show_model())
        self._config.connect("notify::source", lambda *args: self._source_chosen())

    def _add_tour(self) -> None:
        fill = self._dialog.get_widget_for_response(Gtk.ResponseType.OK)
        places = {
            Stop.SELECTION: Place(self._pane.large, Gtk.PositionType.BOTTOM, NARROW),
            Stop.FILL: Place(fill, Gtk.PositionType.TOP, WIDE),
            Stop.CANDIDATES: Place(self._pane.strip, Gtk.PositionType.BOTTOM, WIDE),
        }
        self._bubbles = TourBubbles(places, fill, self._tour.next, self._tour.close)
        guide = Gtk.Button(label=_("Show me around"), tooltip_text=_("Explain this dialog"))
        guide.connect("clicked", lambda button: self._tour.begin())
        self._add_beside_help(guide)
        self._dialog.connect_after("map", lambda dialog: GLib.idle_add(self._tour.begin_if_new))

    def _show_bubble(self, stop: Stop | None) -> None:
        self._bubbles.show(stop)

    def _argument(self, name: str) -> Gtk.Widget:
        """Return the widget for an argument: GIMP's if it is suitable, else our own."""
        if name == "truncation":
            entry = self._dialog.get_scale_entry(name, 1.0)
            entry.set_digits(2)
            return self._in_line(entry)
        if name == "seed":  # GIMP 3.0 has no widget for unsigned numbers
            spin = GimpUi.prop_spin_button_new(self._config, name, 1, 100, 0)
            row = labeled(_("S_eed"), spin, self._labels)
            self._config.bind_property(
                "new-seed",
                row,
                "sensitive",
                GObject.BindingFlags.SYNC_CREATE | GObject.BindingFlags.INVERT_BOOLEAN,
            )
            return row
        if name in ("frame", "variants"):
            entry = GimpUi.prop_entry_new(self._config, name, -1)
            text = _("Frame s_quare") if name == "frame" else _("Variants")
            return labeled(text, entry, self._labels)
        return self._in_line(self._dialog.get_widget(name, GObject.TYPE_NONE))

    def _in_line(self, widget: Gtk.Widget) -> Gtk.Widget:
        """Align the label of a widget with the other labels, if it has one."""
        if isinstance(widget, GimpUi.Labeled):
            label = widget.get_label()
            self._labels.add_widget(label)
            for part in parts_of(widget):
                part.get_accessible().set_name(label.get_text())
        return widget
