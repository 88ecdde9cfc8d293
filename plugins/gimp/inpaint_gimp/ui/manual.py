"""Show the manual included with the plug-in."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from inpaint_client.folders import is_flatpak

from ..translation import _
from .gtk import Gio, GLib, Gtk

MANUAL = Path(__file__).resolve().parents[1] / "Manual.html"


def show_manual(parent: Gtk.Window, say: Callable[[str], None]) -> None:
    """Open the manual in the user's browser; if there is none, show its path."""
    # GTK reports no error if there is no browser. In Flatpak, only the host system knows.
    if Gio.AppInfo.get_default_for_type("text/html", False) is None and not is_flatpak():
        say(_("The manual is at {path}.").format(path=MANUAL))
        return
    try:
        Gtk.show_uri_on_window(parent, MANUAL.as_uri(), Gtk.get_current_event_time())
    except GLib.Error:
        say(_("The manual is at {path}.").format(path=MANUAL))
