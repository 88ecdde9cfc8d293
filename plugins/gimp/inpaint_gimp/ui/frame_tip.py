"""A tooltip of the button that starts a fill, with the square of the image that the model will see.

Plug-ins cannot draw on GIMP's canvas, so the square is shown on a small view of the image.
"""

from __future__ import annotations

from collections.abc import Callable, Generator

from inpaint_client import Box, InpaintError
from inpaint_client.session.frame_preview import Expected

from ..runs.capture import Glance
from ..translation import say, say_error
from .gtk import Gtk
from .in_turns import InTurns
from .preview import Preview

SIDE = 240  # px

Read = Callable[[int], Generator[None, None, tuple[Box, Glance]]]


class FrameTip:
    """Reads the image while the pointer rests on a button; then shows the tooltip."""

    def __init__(self, read: Read, expect: Callable[[Box], Expected]) -> None:
        """Create it.

        Args:
            read: starts to read the whole image, at most so many px a side, and the hole's box.
            expect: returns what is known about the frame for that box.
        """
        self._read = read
        self._expect = expect
        self._reading: InTurns[tuple[Box, Glance]] | None = None
        self._shown: Gtk.Widget | None = None

    def watch(self, button: Gtk.Button, is_wanted: Callable[[], bool]) -> None:
        """Show it for a button, while `is_wanted`."""
        button.set_has_tooltip(True)
        button.connect("enter-notify-event", lambda *args: self._start(button, is_wanted))
        button.connect("leave-notify-event", lambda *args: self.stop())
        button.connect("query-tooltip", lambda *args: is_wanted() and self._show(args[-1]))

    def stop(self) -> None:
        """Forget what was read, because it can change."""
        if self._reading is not None:
            self._reading.cancel()
        self._reading = self._shown = None

    def _start(self, button: Gtk.Button, is_wanted: Callable[[], bool]) -> None:
        self.stop()
        if not is_wanted():
            return

        def done(read: tuple[Box, Glance]) -> None:
            box, glance = read
            try:
                expected = self._expect(box)
            except InpaintError as error:
                failed(error)
                return
            image = Preview(glance, SIDE).with_frame(expected.frame)
            self._shown = _content(say(expected.words), expected.is_warning, image)
            button.trigger_tooltip_query()

        def failed(error: InpaintError) -> None:
            self._shown = _content(say_error(error), True)
            button.trigger_tooltip_query()

        try:
            self._reading = InTurns(self._read(2 * SIDE), done, failed)
        except InpaintError as error:
            failed(error)

    def _show(self, tip: Gtk.Tooltip) -> bool:
        if self._shown is not None:
            tip.set_custom(self._shown)
        return self._shown is not None


def _content(words: str, is_warning: bool, image: object = None) -> Gtk.Widget:
    box = Gtk.Box(orientation=Gtk.Orientation.VERTICAL, spacing=6)
    if image is not None:
        box.pack_start(Gtk.Image.new_from_pixbuf(image), False, False, 0)
    text = f"⚠ {words}" if is_warning else words
    box.pack_start(Gtk.Label(label=text, wrap=True, max_width_chars=34, xalign=0), False, False, 0)
    box.show_all()
    return box
