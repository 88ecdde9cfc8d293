"""Widgets of both dialogs: the preview with the strip, the sliders, the status."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from inpaint_client import Direction, Edits

from ..app.state import Phase, State
from ..runs.model_names import spoken
from ..translation import _
from .gtk import GdkPixbuf, GimpUi, GLib, Gtk
from .undo_keys import on_release

PREVIEW_SIZE = 320  # px
THUMBNAIL_SIZE = 84
SLIDER_WIDTH = 120  # px, minimum
SLIDE_PAUSE_MS = 40  # minimum interval between renderings while a slider moves


class Result(NamedTuple):
    """The images and names of one rendering."""

    image: GdkPixbuf.Pixbuf
    thumbnail: GdkPixbuf.Pixbuf
    label: str  # the caption
    name: str  # the tooltip and the name for screen readers
    likeness: float | None = None  # 0..1, shown as a bar; None = unknown


class PreviewPane(Gtk.Box):  # type: ignore[misc]
    """The chosen result in its surroundings, large, above a strip of all results.

    Holding the mouse button on the large image shows the original. `large` and `strip` are the
    widgets.
    """

    def __init__(self, choose: Callable[[int], None], beside: Gtk.Widget) -> None:
        """Create the pane; `beside` is placed to the right of the large image, to save height."""
        super().__init__(orientation=Gtk.Orientation.VERTICAL, spacing=6)
        self._choose = choose
        self._images: list[GdkPixbuf.Pixbuf] = []
        self._original: GdkPixbuf.Pixbuf | None = None
        self._image = Gtk.Image()
        self._image.set_size_request(PREVIEW_SIZE, PREVIEW_SIZE)
        holder = Gtk.EventBox()
        holder.add(self._image)
        holder.get_accessible().set_name(_("Enlarged view of the chosen candidate"))
        holder.set_tooltip_text(_("Hold the mouse button to see the original"))
        holder.connect("button-press-event", lambda *args: self._show_original())
        holder.connect("button-release-event", lambda *args: self._show_chosen())
        self.large = Gtk.Frame()
        self.large.add(holder)
        top = Gtk.Box(spacing=6)
        top.pack_start(self.large, False, False, 0)
        top.pack_start(beside, True, True, 0)
        self.pack_start(top, False, False, 0)
        self._strip = Gtk.FlowBox(
            selection_mode=Gtk.SelectionMode.BROWSE,
            homogeneous=True,
            valign=Gtk.Align.START,
            halign=Gtk.Align.START,
        )
        self._strip.get_accessible().set_name(_("Candidates"))
        self._strip.connect("selected-children-changed", lambda strip: self._selected())
        # A permanent scroll bar shows that there is more to see.
        self.strip = scroller = Gtk.ScrolledWindow(
            vscrollbar_policy=Gtk.PolicyType.NEVER, overlay_scrolling=False
        )
        scroller.set_size_request(PREVIEW_SIZE, THUMBNAIL_SIZE + 56)
        scroller.add(self._strip)
        self.pack_start(scroller, False, False, 0)

    def show_source(self, original: GdkPixbuf.Pixbuf, shown: GdkPixbuf.Pixbuf) -> None:
        """Show the image before there are results; in `shown`, the hole is marked."""
        self._original = original
        self._image.set_from_pixbuf(shown)

    def show_results(self, results: Sequence[Result], chosen: int) -> None:
        self._images = [result.image for result in results]
        for child in self._strip.get_children():
            child.destroy()
        for result in results:
            self._strip.add(_thumbnail_widget(result))
        self._strip.set_max_children_per_line(max(1, len(results)))  # one line, which scrolls
        self._strip.set_min_children_per_line(max(1, len(results)))
        self._strip.show_all()
        shown = Gtk.PolicyType.ALWAYS if results else Gtk.PolicyType.AUTOMATIC
        self.strip.set_policy(shown, Gtk.PolicyType.NEVER)
        if results:
            self._strip.select_child(self._strip.get_child_at_index(chosen))
            self._show_chosen()

    def show_result(self, index: int, result: Result) -> None:
        """Replace the image of one result."""
        self._images[index] = result.image
        _dress(self._strip.get_child_at_index(index), result)
        if index == self._chosen():
            self._show_chosen()

    def _chosen(self) -> int | None:
        selected = self._strip.get_selected_children()
        return selected[0].get_index() if selected else None

    def _selected(self) -> None:
        chosen = self._chosen()
        if chosen is not None:
            self._show_chosen()
            self._choose(chosen)

    def _show_chosen(self) -> None:
        chosen = self._chosen()
        if chosen is not None and chosen < len(self._images):
            self._image.set_from_pixbuf(self._images[chosen])

    def _show_original(self) -> None:
        if self._original is not None:
            self._image.set_from_pixbuf(self._original)


def _thumbnail_widget(result: Result) -> Gtk.FlowBoxChild:
    box = Gtk.Box(orientation=Gtk.Orientation.VERTICAL, spacing=2)
    text = Gtk.Label()
    text.get_style_context().add_class("dim-label")
    box.pack_start(Gtk.Image(), False, False, 0)
    box.pack_start(Gtk.LevelBar(no_show_all=True), False, False, 0)
    box.pack_start(text, False, False, 0)
    child = Gtk.FlowBoxChild()
    child.add(box)
    _dress(child, result)
    return child


def _dress(child: Gtk.FlowBoxChild, result: Result) -> None:
    image, gauge, text = child.get_child().get_children()
    image.set_from_pixbuf(result.thumbnail)
    gauge.set_visible(result.likeness is not None)
    gauge.set_value(result.likeness or 0.0)
    text.set_text(result.label)
    child.set_tooltip_text(result.name)
    child.get_accessible().set_name(result.name)


def labeled(text: str, widget: Gtk.Widget, labels: Gtk.SizeGroup) -> Gtk.Box:
    """Return a row of a widget and its label with a mnemonic, aligned with `labels`."""
    row = Gtk.Box(spacing=6)
    label = Gtk.Label(label=text, use_underline=True, xalign=0, mnemonic_widget=widget)
    labels.add_widget(label)
    row.pack_start(label, False, False, 0)
    row.pack_start(widget, True, True, 0)
    return row


def widen(entry: GimpUi.ScaleEntry) -> None:
    """Keep the slider wide enough to use, even next to a long name."""
    entry.get_range().set_size_request(SLIDER_WIDTH, -1)


def describe(control: Gtk.Widget, name: str, tip: str) -> None:
    """Set the tooltip of a control, and its name and its parts' names for screen readers."""
    control.set_tooltip_text(tip)
    for part in (control, *parts_of(control)):
        part.get_accessible().set_name(name)


def parts_of(control: Gtk.Widget) -> list[Gtk.Widget]:
    """Return the slider and the number entry inside a compound widget of GIMP."""
    inside = control.get_children() if isinstance(control, Gtk.Container) else []
    return [part for part in inside if isinstance(part, Gtk.Scale | Gtk.SpinButton | Gtk.Entry)]


def scrolling(column: Gtk.Box) -> Gtk.Box:
    """Add a scrolling box to the column that fills the remaining height, and return it."""
    box = Gtk.Box(orientation=Gtk.Orientation.VERTICAL, spacing=6, margin_end=6)
    # A permanent scroll bar shows that there is more to see.
    scroller = Gtk.ScrolledWindow(hscrollbar_policy=Gtk.PolicyType.NEVER, overlay_scrolling=False)
    scroller.add(box)
    column.pack_start(scroller, True, True, 0)
    return box


class Sliders(Gtk.Box):  # type: ignore[misc]
    """One slider with an entry for each of the model's directions, in groups."""

    def __init__(self, changed: Callable[[Edits], None], rested: Callable[[], None]) -> None:
        """Create it; `rested` is called when a slider is released, after the last `changed`."""
        super().__init__(orientation=Gtk.Orientation.VERTICAL, spacing=4)
        self._changed = changed
        self._rested = rested
        self.why_none = ""
        self._entries: dict[str, GimpUi.ScaleEntry] = {}
        self._unknown: dict[str, float] = {}  # edits of another model: kept, not shown
        self._is_setting = False
        self._timer = 0
        self.connect("mnemonic-activate", lambda box, cycling: self._focus())

    def show_directions(self, directions: Sequence[Direction], why_none: str) -> None:
        """Show one slider for each direction, or why there are none."""
        self.why_none = "" if directions else why_none
        edits = self.edits()
        for child in self.get_children():
            child.destroy()
        self._entries = {}
        labels = Gtk.SizeGroup(mode=Gtk.SizeGroupMode.HORIZONTAL)
        for group in dict.fromkeys(direction.group for direction in directions):
            heading = Gtk.Label(xalign=0)
            heading.set_markup(f"<b>{GLib.markup_escape_text(spoken(group))}</b>")
            self.pack_start(heading, False, False, 0)
            for direction in directions:
                if direction.group == group:
                    self.pack_start(self._entry(direction, labels), False, False, 0)
        if not directions:
            empty = Gtk.Label(label=why_none, xalign=0, wrap=True, max_width_chars=40)
            self.pack_start(empty, False, False, 0)
        self.show_all()
        self.show_edits(edits)

    def _entry(self, direction: Direction, labels: Gtk.SizeGroup) -> GimpUi.ScaleEntry:
        entry = GimpUi.ScaleEntry.new(
            spoken(direction.name),
            0.0,
            direction.minimum,
            direction.maximum,
            2,
        )
        entry.set_increments(0.1, 0.5)
        labels.add_widget(entry.get_label())
        widen(entry)
        describe(entry, spoken(direction.name), direction.description or spoken(direction.name))
        entry.connect("value-changed", lambda widget: self._moved())
        on_release(entry, self._released)
        self._entries[direction.name] = entry
        return entry

    def edits(self) -> Edits:
        shown = {name: entry.get_value() for name, entry in self._entries.items()}
        return {name: value for name, value in shown.items() if value} | self._unknown

    def show_edits(self, edits: Edits) -> None:
        """Set the sliders without calling `changed`."""
        self._unknown = {name: edits[name] for name in edits if name not in self._entries}
        self._is_setting = True
        for name, entry in self._entries.items():
            entry.set_value(edits.get(name, 0.0))
        self._is_setting = False

    def reset(self) -> None:
        self._released()
        self.show_edits({})
        self._changed({})
        self._rested()

    def _focus(self) -> bool:
        """Focus the first slider, when the mnemonic of the heading is pressed."""
        for entry in self._entries.values():
            entry.get_range().grab_focus()
            break
        return True

    def _moved(self) -> None:
        if not self._is_setting and not self._timer:
            self._timer = GLib.timeout_add(SLIDE_PAUSE_MS, self._tell)

    def finish(self) -> None:
        """Report a pending change immediately."""
        if self._timer:
            GLib.source_remove(self._timer)
            self._tell()

    def _released(self) -> None:
        self.finish()
        self._rested()

    def _tell(self) -> bool:
        self._timer = 0
        self._changed(self.edits())
        return False


class StatusLine(Gtk.Box):  # type: ignore[misc]
    """The status in words.

    The progress bar and the buttons to stop, retry or choose the program are in `controls`, which
    can be placed elsewhere.
    """

    def __init__(
        self,
        stop: Callable[[], None],
        retry: Callable[[], None],
        choose_program: Callable[[], None],
    ) -> None:
        super().__init__()
        self._text = Gtk.Label(xalign=0, wrap=True, max_width_chars=50, selectable=True)
        self._bar = Gtk.ProgressBar()
        self._bar.set_tooltip_text(_("Progress of the run"))
        self._bar.get_accessible().set_name(_("Progress of the run"))
        self._stop = Gtk.Button.new_with_mnemonic(_("Sto_p"))
        self._stop.set_tooltip_text(_("Stop the run and keep the candidates received so far"))
        self._stop.connect("clicked", lambda button: stop())
        self._retry = Gtk.Button.new_with_mnemonic(_("_Try again"))
        self._retry.set_tooltip_text(_("Connect to the daemon again"))
        self._retry.connect("clicked", lambda button: retry())
        self._program = Gtk.Button.new_with_mnemonic(_("Choose _program…"))
        self._program.set_tooltip_text(_("Choose the program inpaint-server"))
        self._program.connect("clicked", lambda button: choose_program())
        self.controls = Gtk.Box(orientation=Gtk.Orientation.VERTICAL, spacing=6)
        for button in (self._stop, self._retry, self._program):
            button.set_no_show_all(True)
            self.controls.pack_start(button, False, False, 0)
        self.controls.pack_start(self._bar, False, False, 0)
        self.pack_start(self._text, True, True, 0)

    def show_state(self, state: State) -> None:
        text = GLib.markup_escape_text(state.status)
        self._text.set_markup(f"<b>{text}</b>" if state.is_error else text)
        busy = state.phase in (Phase.CONNECTING, Phase.RUNNING)
        if busy and not state.fraction:
            self._bar.pulse()
        else:
            self._bar.set_fraction(state.fraction)
        self._stop.set_visible(state.phase is Phase.RUNNING)
        self._retry.set_visible(state.phase is Phase.UNREACHABLE)
        self._program.set_visible(state.lacks_program)
