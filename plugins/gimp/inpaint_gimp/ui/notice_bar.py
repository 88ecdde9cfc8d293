"""What the artist is to know, in one place, until it is dismissed or the next fill begins."""

from __future__ import annotations

from collections.abc import Callable

from .gtk import Gtk


class NoticeBar(Gtk.InfoBar):  # type: ignore[misc]
    def __init__(self, dismiss: Callable[[], None]) -> None:
        super().__init__(message_type=Gtk.MessageType.WARNING, show_close_button=True)
        self._text = Gtk.Label(xalign=0, wrap=True, max_width_chars=46)
        self._text.show()
        self.get_content_area().pack_start(self._text, True, True, 0)
        self.connect("response", lambda bar, response: dismiss())
        self.set_no_show_all(True)

    def show_text(self, text: str) -> None:
        """Show a text; an empty one takes the bar away."""
        self._text.set_text(text)
        self.set_visible(bool(text))
