"""Let the user choose the daemon's program if it is not found."""

from __future__ import annotations

from dataclasses import replace

from inpaint_client import connection_file

from ..translation import _
from .gtk import Gtk


def choose_program(parent: Gtk.Window) -> bool:
    """Let the user choose `inpaint-server`, and store it; return False if none was chosen."""
    chooser = Gtk.FileChooserNative.new(
        _("Choose inpaint-server"), parent, Gtk.FileChooserAction.OPEN, None, None
    )
    answer, path = chooser.run(), chooser.get_filename()
    chooser.destroy()
    if answer != Gtk.ResponseType.ACCEPT or not path:
        return False
    file = connection_file()
    file.save(replace(file.load(), executable=path))
    return True
