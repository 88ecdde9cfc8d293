"""Form for mixing: what to mix with, the style levels and the amount."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from inpaint_client import StyleLevel

from ..runs.mixing import NOTHING, Mix, Other, with_other
from ..translation import _
from .gtk import GimpUi, GLib, Gtk, Pango
from .undo_keys import on_release
from .widgets import SLIDE_PAUSE_MS, describe, labeled, widen


class MixForm(Gtk.Box):  # type: ignore[misc]
    """The section "Mix" of a dialog; it calls `changed` as `Sliders` does."""

    def __init__(self, changed: Callable[[Mix], None], rested: Callable[[], None]) -> None:
        super().__init__(orientation=Gtk.Orientation.VERTICAL, spacing=6, margin_top=6)
        labels = Gtk.SizeGroup(mode=Gtk.SizeGroupMode.HORIZONTAL)
        self.mix = NOTHING
        self._changed = changed
        self._rested = rested
        self.others: Sequence[Other] = ()
        self._is_setting = False
        self._timer = 0
        self._combo = Gtk.ComboBoxText()
        self._combo.set_tooltip_text(
            _(
                "Another candidate, or a layer whose style to copy. Only the part of the layer "
                "over the fill is used, so move its face onto the face in the image."
            )
        )
        self._combo.get_accessible().set_name(_("Mix with"))
        for cell in self._combo.get_cells():  # a layer's name may be long
            cell.set_property("ellipsize", Pango.EllipsizeMode.END)
        self._combo.connect("changed", lambda combo: self._choose())
        self._checks = {
            StyleLevel.STRUCTURE: _check(_("Structure"), _("Pose and shape")),
            StyleLevel.FEATURES: _check(_("Features"), _("Eyes, mouth, hair")),
            StyleLevel.COLORS: _check(_("Colors"), _("Light, color, texture")),
        }
        checks = Gtk.Box(spacing=12)
        for box in self._checks.values():
            box.connect("toggled", lambda box: self._checked())
            checks.pack_start(box, False, False, 0)
        self._amount = GimpUi.ScaleEntry.new(_("Amount"), NOTHING.amount, 0.0, 1.0, 2)
        self._amount.set_increments(0.05, 0.25)
        widen(self._amount)
        describe(self._amount, _("Amount"), _("0: this candidate, 1: the other one"))
        self._amount.connect("value-changed", lambda entry: self._moved())
        on_release(self._amount, self._released)
        labels.add_widget(self._amount.get_label())
        self.pack_start(labeled(_("Mi_x"), self._combo, labels), False, False, 0)
        self.pack_start(checks, False, False, 0)
        self.pack_start(self._amount, False, False, 0)
        self._draw_others()
        self._draw_values()

    def show_mix(self, mix: Mix) -> None:
        """Set the controls without calling `changed`."""
        self.mix = mix
        if self._timer:
            GLib.source_remove(self._timer)
            self._timer = 0
        self._draw_others()
        self._draw_values()

    def show_others(self, others: Sequence[Other]) -> None:
        if tuple(others) != tuple(self.others):
            self.others = tuple(others)
            self._draw_others()

    def finish(self) -> None:
        """Report a pending change immediately."""
        if self._timer:
            GLib.source_remove(self._timer)
            self._tell()

    def _draw_others(self) -> None:
        self._is_setting = True
        chosen = self.mix.other or 0
        entries = [(0, _("None")), *((each.key, each.label) for each in self.others)]
        if all(key != chosen for key, label in entries):
            entries.append((chosen, _("Deleted layer")))
        self._combo.remove_all()
        for key, label in entries:
            self._combo.append(str(key), label)
        self._combo.set_active_id(str(chosen))
        self._is_setting = False

    def _draw_values(self) -> None:
        self._is_setting = True
        for level, box in self._checks.items():
            box.set_active(level in self.mix.levels)
        self._amount.set_value(self.mix.amount)
        self._is_setting = False
        for widget in (*self._checks.values(), self._amount):
            widget.set_sensitive(bool(self.mix.other))

    def _choose(self) -> None:
        key = self._combo.get_active_id()
        if self._is_setting or key is None:
            return
        other = next((each for each in self.others if each.key == int(key)), None)
        self.mix = replace(self.mix, other=int(key) or None)
        if other is not None:
            self.mix = with_other(self.mix, other)
        self._draw_values()
        self._change_at_once()

    def _checked(self) -> None:
        if not self._is_setting:
            levels = tuple(level for level, box in self._checks.items() if box.get_active())
            self.mix = replace(self.mix, levels=levels)
            self._change_at_once()

    def _change_at_once(self) -> None:
        """Report a change that is complete; it is a step of its own to undo."""
        self._released()
        self._changed(self.mix)
        self._rested()

    def _released(self) -> None:
        self.finish()
        self._rested()

    def _moved(self) -> None:
        if self._is_setting:
            return
        self.mix = replace(self.mix, amount=round(self._amount.get_value(), 3))
        if not self._timer:
            self._timer = GLib.timeout_add(SLIDE_PAUSE_MS, self._tell)

    def _tell(self) -> bool:
        self._timer = 0
        self._changed(self.mix)
        return False


def _check(title: str, tip: str) -> Gtk.CheckButton:
    box = Gtk.CheckButton(label=title)
    box.set_tooltip_text(tip)
    return box
