"""Ctrl+Z in a dialog: undo the last change of its sliders, which leave no steps in GIMP."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from .gtk import Gdk, Gtk

_MODIFIERS = (
    Gdk.ModifierType.CONTROL_MASK | Gdk.ModifierType.SHIFT_MASK | Gdk.ModifierType.MOD1_MASK
)
_RELEASES = (Gdk.EventType.BUTTON_RELEASE, Gdk.EventType.KEY_RELEASE, Gdk.EventType.FOCUS_CHANGE)


class UndoKeys:
    """Handles Ctrl+Z for undo, and Ctrl+Shift+Z and Ctrl+Y for redo, unless text is being typed."""

    def __init__(self, undo: Callable[[], None], redo: Callable[[], None]) -> None:
        self._undo = undo
        self._redo = redo

    def press(self, window: Gtk.Window, event: Gdk.EventKey) -> bool:
        """Handle a key press of the window; return whether the key was for us."""
        key = Gdk.keyval_to_lower(event.keyval)
        control = Gdk.ModifierType.CONTROL_MASK
        shift = control | Gdk.ModifierType.SHIFT_MASK
        asked = key, event.state & _MODIFIERS
        if asked not in ((Gdk.KEY_z, control), (Gdk.KEY_z, shift), (Gdk.KEY_y, control)):
            return False
        if _is_typing(window.get_focus()):
            return False
        (self._undo if asked == (Gdk.KEY_z, control) else self._redo)()
        return True


def on_release(control: Gtk.Widget, released: Callable[[], None]) -> None:
    """Call `released` at the end of each drag, key press or typed value of a compound widget."""

    def after(widget: Gtk.Widget, event: Gdk.Event) -> None:
        if event.get_event_type() in _RELEASES:
            released()

    for part in _focusable(control):
        part.connect("event-after", after)


def _focusable(widget: Gtk.Widget) -> Iterator[Gtk.Widget]:
    if widget.get_can_focus():
        yield widget
    elif isinstance(widget, Gtk.Container):
        for child in widget.get_children():
            yield from _focusable(child)


def _is_typing(focus: Gtk.Widget | None) -> bool:
    """Return whether the focus is in a text, or in a number that was changed but not entered."""
    if not isinstance(focus, Gtk.SpinButton):
        return isinstance(focus, Gtk.Editable)
    try:
        typed = float(focus.get_text().replace(",", "."))
    except ValueError:
        return True
    return bool(typed != round(focus.get_value(), focus.get_digits()))
