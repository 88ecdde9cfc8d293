"""The bubbles of the tour, which point at parts of the fill dialog and never take the focus."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from inpaint_client.session.tour import Stop

from ..translation import _
from .gtk import Gtk

NARROW, WIDE = 33, 52  # average characters: the large image, and the column with the strip


class Place(NamedTuple):
    """Where a bubble points; on a side with room, since bubbles do not leave their window."""

    widget: Gtk.Widget
    side: Gtk.PositionType
    width: int  # of the text; what is covered should not be cut in the middle of a word


class TourBubbles:
    """One bubble for each stop, of which at most one is shown."""

    def __init__(
        self,
        places: dict[Stop, Place],
        default: Gtk.Button,
        go_on: Callable[[], None],
        close: Callable[[], None],
    ) -> None:
        """Create them.

        Args:
            places: where to show them.
            default: the button that Enter presses in the window.
            go_on: called by *Next*.
            close: called by the button that closes the tour.
        """
        texts = _texts()
        self._bubbles = {
            stop: _bubble(stop, texts[stop], place, go_on, close) for stop, place in places.items()
        }
        for bubble in self._bubbles.values():
            bubble.set_default_widget(default)  # GTK gives Enter to the bubble while it is shown

    def show(self, shown: Stop | None) -> None:
        """Show the bubble of a stop, and hide the others."""
        for stop, bubble in self._bubbles.items():
            if stop is not shown:
                bubble.hide()
        if shown is not None:
            self._bubbles[shown].show()


def _texts() -> dict[Stop, str]:
    return {
        Stop.SELECTION: _(
            "Red is what will be filled. Soft edges are respected, and nothing else in your image "
            "changes."
        ),
        Stop.FILL: _(
            "Press “Fill”. The candidates appear one by one; until you insert them, your image "
            "stays as it is."
        ),
        Stop.CANDIDATES: _(
            "Click the candidate you like, and move the sliders to change it. “Insert” adds all as "
            "layers; one undo removes them."
        ),
    }


def _bubble(
    stop: Stop,
    text: str,
    place: Place,
    go_on: Callable[[], None],
    close: Callable[[], None],
) -> Gtk.Popover:
    bubble = Gtk.Popover(relative_to=place.widget, position=place.side, modal=False)
    bubble.get_accessible().set_name(text)
    words = Gtk.Label(
        label=text, xalign=0, wrap=True, width_chars=place.width, max_width_chars=place.width
    )
    shut = Gtk.Button.new_from_icon_name("window-close-symbolic", Gtk.IconSize.MENU)
    shut.set_relief(Gtk.ReliefStyle.NONE)
    shut.set_valign(Gtk.Align.START)
    shut.set_tooltip_text(_("Close the tour"))
    shut.get_accessible().set_name(_("Close the tour"))
    shut.connect("clicked", lambda button: close())
    count = Gtk.Label(
        label=_("{number} of {count}").format(number=int(stop), count=len(Stop)), xalign=0
    )
    count.get_style_context().add_class("dim-label")
    on = Gtk.Button(label=_("Done") if stop is max(Stop) else _("Next"))
    on.connect("clicked", lambda button: go_on())
    for button in (shut, on):
        button.set_focus_on_click(False)
    top, bottom = Gtk.Box(spacing=6), Gtk.Box(spacing=6)
    top.pack_start(words, True, True, 0)
    top.pack_start(shut, False, False, 0)
    bottom.pack_start(count, True, True, 0)
    bottom.pack_start(on, False, False, 0)
    content = Gtk.Box(orientation=Gtk.Orientation.VERTICAL, spacing=6, border_width=10)
    content.pack_start(top, True, True, 0)
    content.pack_start(bottom, False, False, 0)
    content.show_all()
    bubble.add(content)
    return bubble
