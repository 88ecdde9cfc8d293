"""The wheel scrolls a dialog; it changes no value that it happens to pass over."""

from __future__ import annotations

from collections.abc import Iterator

from .gtk import GObject, Gtk

_CONTROLS = (Gtk.ComboBox, Gtk.SpinButton, Gtk.Scale)


class QuietWheel:
    """One handler for all lists, number boxes and sliders of a dialog, GIMP's own included.

    They take the wheel only while they have the focus, which it does not give them.
    """

    def __init__(self) -> None:
        self._watched: set[Gtk.Widget] = set()

    def watch(self, root: Gtk.Widget) -> None:
        """Take in every control inside `root`; those that are known already stay as they are."""
        for control in _controls(root):
            if control not in self._watched:
                self._watched.add(control)
                control.connect("scroll-event", self._scrolled)
                control.connect("destroy", self._watched.discard)

    def _scrolled(self, control: Gtk.Widget, event: object) -> bool:
        """Hand the wheel on to what is around the control, past what its class does with it."""
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
    """Whether the control, or the part of it that takes the keys, has the focus."""
    window = control.get_toplevel()
    focus = window.get_focus() if isinstance(window, Gtk.Window) else None
    return focus is not None and (focus is control or focus.is_ancestor(control))
