"""A bar for notices, which stay until they are dismissed or the next fill starts."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from ..translation import _
from .gtk import Gtk


class NoticeBar(Gtk.InfoBar):  # type: ignore[misc]
    def __init__(self, dismiss: Callable[[], None]) -> None:
        super().__init__(message_type=Gtk.MessageType.WARNING, show_close_button=True)
        self._text = Gtk.Label(xalign=0, wrap=True, max_width_chars=46)
        self._text.show()
        self.get_content_area().pack_start(self._text, True, True, 0)
        for button in _buttons(self):
            button.set_tooltip_text(_("Dismiss"))
            button.get_accessible().set_name(_("Dismiss"))
        self.connect("response", lambda bar, response: dismiss())
        self.set_no_show_all(True)

    def show_text(self, text: str) -> None:
        """Show a text; hide the bar if it is empty."""
        self._text.set_text(text)
        self.set_visible(bool(text))


def _buttons(container: Gtk.Container) -> Iterator[Gtk.Button]:
    """Yield the buttons inside; GTK creates the one of a bar."""
    for child in container.get_children():
        if isinstance(child, Gtk.Button):
            yield child
        elif isinstance(child, Gtk.Container):
            yield from _buttons(child)
