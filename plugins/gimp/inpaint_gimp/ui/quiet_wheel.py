"""Make the mouse wheel scroll a dialog instead of changing values under the pointer."""

from __future__ import annotations

from collections.abc import Iterator

from .gtk import GObject, Gtk

_CONTROLS = (Gtk.ComboBox, Gtk.SpinButton, Gtk.Scale)


class QuietWheel:
    """A handler for all combo boxes, spin buttons and sliders of a dialog, including GIMP's.

    They accept the wheel only while they have the focus, and the wheel does not focus them.
    """

    def __init__(self) -> None:
        self._watched: set[Gtk.Widget] = set()

    def watch(self, root: Gtk.Widget) -> None:
        """Handle the events of every control inside `root`; may be called again."""
        for control in _controls(root):
            if control not in self._watched:
                self._watched.add(control)
                control.connect("scroll-event", self._scrolled)
                control.connect("destroy", self._watched.discard)

    def _scrolled(self, control: Gtk.Widget, event: object) -> bool:
        """Pass the wheel on to the surrounding widget, skipping the control's own handler."""
        if not _has_focus(control):
            GObject.signal_stop_emission_by_name(control, "scroll-event")
        return False


def _controls(root: Gtk.Widget) -> Iterator[Gtk.Widget]:
    if isinstance(root, _CONTROLS):
        yield root
    elif isinstance(root, Gtk.Container):
        for child in root.get_children():
            yield from _controls(child)


def _has_focus(control: Gtk.Widget) -> bool:
    """Return whether the control, or a widget inside it, has the focus."""
    window = control.get_toplevel()
    focus = window.get_focus() if isinstance(window, Gtk.Window) else None
    return focus is not None and (focus is control or focus.is_ancestor(control))
