"""Form for mixing: what to mix with, the style levels, and the amount or the mixer pad."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from inpaint_client import StyleLevel

from ..runs.mixing import NOTHING, Mix, Other, Pad, first_pad, with_other
from ..translation import _
from .corner_images import CornerImages
from .gtk import GimpUi, GLib, Gtk, Pango
from .mixer_pad import PadView
from .undo_keys import on_release
from .widgets import SLIDE_PAUSE_MS, describe, labeled, widen

_PAD = "pad"  # the list's entry for the mixer pad; the others are keys


class MixForm(Gtk.Box):  # type: ignore[misc]
    """The section "Mix" of a dialog; it calls `changed` as `Sliders` does."""

    def __init__(
        self,
        changed: Callable[[Mix], None],
        rested: Callable[[], None],
        corners: CornerImages,
    ) -> None:
        super().__init__(orientation=Gtk.Orientation.VERTICAL, spacing=6, margin_top=6)
        labels = Gtk.SizeGroup(mode=Gtk.SizeGroupMode.HORIZONTAL)
        self.mix = NOTHING
        self._changed = changed
        self._rested = rested
        self.others: Sequence[Other] = ()
        self._corners = corners
        self._may_mix_several: bool | None = None  # None until the daemon has answered
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
        self._pad = PadView(self._pad_moved, self._pad_placed, self._released)
        for control in (self._amount, self._pad):  # one of them is shown
            control.show_all()
            control.set_no_show_all(True)
        self.pack_start(self._pad, False, False, 0)
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
        self.draw_corners()

    def allow_several(self, may_mix_several: bool) -> None:
        """Offer the mixer pad if the daemon can mix several candidates."""
        self._may_mix_several = may_mix_several
        self._draw_others()
        self._draw_values()

    def draw_corners(self) -> None:
        """Show the current thumbnails in the corners of the pad."""
        if (pad := self.mix.pad) is not None:
            candidates = [self._corners.of(each) for each in self.others if each.recipe]
            self._pad.draw_pad(pad, self._corners.own(), candidates)

    def finish(self) -> None:
        """Report a pending change immediately."""
        if self._timer:
            GLib.source_remove(self._timer)
            self._tell()

    def _draw_others(self) -> None:
        self._is_setting = True
        chosen = _PAD if self.mix.pad is not None else str(self.mix.other or 0)
        entries = [("0", _("None"))]
        entries += [(str(each.key), each.label) for each in self.others if each.recipe]
        if chosen == _PAD or (self._may_mix_several and first_pad(self.others) is not None):
            entries.append((_PAD, _("Several: mixer pad")))
        entries += [(str(each.key), each.label) for each in self.others if not each.recipe]
        if all(key != chosen for key, label in entries):
            entries.append((chosen, _("Deleted layer")))
        self._combo.remove_all()
        for key, label in entries:
            self._combo.append(key, label)
        self._combo.set_active_id(chosen)
        self._is_setting = False

    def _draw_values(self) -> None:
        self._is_setting = True
        for level, box in self._checks.items():
            box.set_active(level in self.mix.levels)
        self._amount.set_value(self.mix.amount)
        self._is_setting = False
        for widget in (*self._checks.values(), self._amount):
            widget.set_sensitive(bool(self.mix.other or self.mix.pad))
        self._amount.set_visible(self.mix.pad is None)
        self._pad.set_visible(self.mix.pad is not None)
        self._pad.allow(self._may_mix_several is not False)
        self.draw_corners()

    def _choose(self) -> None:
        key = self._combo.get_active_id()
        if self._is_setting or key is None:
            return
        other = next((each for each in self.others if str(each.key) == key), None)
        pad = first_pad(self.others) if key == _PAD else None
        if pad is not None:
            self.mix = self.mix.with_pad(pad)
        elif other is not None:
            self.mix = with_other(self.mix, other)
        elif key != _PAD:
            self.mix = replace(self.mix, other=int(key) or None, pad=None)
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

    def _pad_placed(self, pad: Pad) -> None:
        self.mix = self.mix.with_pad(pad)
        self._change_at_once()

    def _pad_moved(self, pad: Pad) -> None:
        self.mix = self.mix.with_pad(pad)
        self._tell_later()

    def _moved(self) -> None:
        if self._is_setting:
            return
        self.mix = replace(self.mix, amount=round(self._amount.get_value(), 3))
        self._tell_later()

    def _tell_later(self) -> None:
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
