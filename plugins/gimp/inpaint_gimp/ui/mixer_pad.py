"""The mixer pad: thumbnails of four candidates in the corners of a square, and a dot to drag.

It is made of widgets, because GIMP's Python has no cairo everywhere to draw with.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from math import hypot
from typing import NamedTuple

from inpaint_client.session.mixer_pad import ONLY_TWO

from ..runs.mixing import Pad
from ..translation import _, say
from .gtk import Gdk, GdkPixbuf, GLib, Gtk
from .undo_keys import on_release
from .widgets import THUMBNAIL_SIZE

SIDE = 208  # px
STEP = 0.05  # of an arrow key; a fifth of it with Shift
_DOT = 8  # px: radius, with its rings
_BUTTON = 20  # px: side of the button of a corner
_EMPTY = 0x80808040  # RGBA of a corner whose image is unknown
_ACCENT = 0x3584E4FF


class Candidate(NamedTuple):
    """A candidate that can be in a corner."""

    key: int
    label: str
    thumbnail: GdkPixbuf.Pixbuf | None = None  # None = unknown


class PadView(Gtk.EventBox):  # type: ignore[misc]
    """Calls `moved` while the dot moves, `rested` after that, and `placed` for another corner."""

    def __init__(
        self,
        moved: Callable[[Pad], None],
        placed: Callable[[Pad], None],
        rested: Callable[[], None],
    ) -> None:
        super().__init__(halign=Gtk.Align.CENTER, can_focus=True)
        self.pad = Pad((0, 0, 0))
        self.own = Candidate(0, "")
        self.others: Sequence[Candidate] = ()
        self._moved = moved
        self._placed = placed
        self._is_held = False
        self.get_style_context().add_class("view")
        self.add_events(
            Gdk.EventMask.BUTTON_PRESS_MASK
            | Gdk.EventMask.BUTTON_RELEASE_MASK
            | Gdk.EventMask.BUTTON1_MOTION_MASK
        )
        self.get_accessible().set_name(_("Mixer pad"))
        self._tip = ""
        self.set_has_tooltip(True)
        self.connect("query-tooltip", lambda *args: self._show_tip(args[-1]))
        self._fixed = Gtk.Fixed()
        self._fixed.set_size_request(SIDE, SIDE)
        far = SIDE - THUMBNAIL_SIZE
        self._images = [Gtk.Image() for _corner in range(4)]
        for image, place in zip(
            self._images, ((0, 0), (far, 0), (0, far), (far, far)), strict=True
        ):
            image.set_size_request(THUMBNAIL_SIZE, THUMBNAIL_SIZE)
            self._fixed.put(image, *place)
        near, below = THUMBNAIL_SIZE - _BUTTON, SIDE - THUMBNAIL_SIZE
        self._buttons = [
            self._button(0, _("Choose the candidate at the top right"), far, near),
            self._button(1, _("Choose the candidate at the bottom left"), near, below),
            self._button(2, _("Choose the candidate at the bottom right"), far, below),
        ]
        self._dot = Gtk.Image()
        self._fixed.put(self._dot, 0, 0)
        self.add(self._fixed)
        self.connect("button-press-event", lambda pad, event: self._pressed(event))
        self.connect("motion-notify-event", lambda pad, event: self._dragged(event))
        self.connect("button-release-event", lambda pad, event: self._released(event))
        self.connect("key-press-event", lambda pad, event: self._key_pressed(event))
        for name in ("focus-in-event", "focus-out-event"):
            self.connect(name, lambda pad, event: self._draw_dot(bool(event.in_)))
        on_release(self, rested)
        self._draw_dot(False)

    def draw_pad(self, pad: Pad, own: Candidate, others: Sequence[Candidate]) -> None:
        """Show the candidates and, unless it is being dragged, the dot."""
        self.own, self.others = own, others
        if not self._is_held:
            self.pad = pad
        self._draw()

    def allow(self, is_allowed: bool) -> None:
        """Let the dot be moved, or say that the daemon is too old for it."""
        self.set_sensitive(is_allowed)
        self._tip = _what_it_does() if is_allowed else say(ONLY_TWO)

    def _show_tip(self, tip: Gtk.Tooltip) -> bool:
        """Show the tooltip below the pad, and not while the dot is dragged."""
        area = Gdk.Rectangle()
        area.width = area.height = SIDE
        tip.set_tip_area(area)
        tip.set_text(self._tip)
        return not self._is_held

    def _draw(self) -> None:
        known = {each.key: each for each in self.others}
        shown = [self.own, *(known.get(key) for key in self.pad.corners)]
        for place, (image, candidate) in enumerate(zip(self._images, shown, strict=True)):
            is_empty = place > 0 and not self.pad.corners[place - 1]  # the mean of its neighbors
            thumbnail = _empty() if candidate is None else candidate.thumbnail or _empty()
            image.set_visible(not is_empty)
            image.set_from_pixbuf(_outlined(thumbnail) if place == 0 else thumbnail)
        for corner, button in enumerate(self._buttons):
            button.set_visible(bool(self.pad.corners[corner]))
        self._place_dot()

    def shares_in_words(self) -> str:
        """Return the shares, for example "1 · seed 5: 40%, 2 · seed 6: 60%"."""
        labels = {each.key: each.label for each in self.others}
        names = [self.own.label, *(labels.get(k, _("Deleted layer")) for k in self.pad.corners)]
        shares = (1 - sum(self.pad.shares), *self.pad.shares)
        return ", ".join(
            _("{candidate}: {share}%").format(candidate=name, share=round(100 * share))
            for name, share in zip(names, shares, strict=True)
            if share > 0
        )

    def _place_dot(self) -> None:
        reach = SIDE - 2 * _DOT
        self._fixed.move(self._dot, round(self.pad.x * reach), round(self.pad.y * reach))
        self.get_accessible().set_description(self.shares_in_words())

    def _draw_dot(self, has_focus: bool) -> None:
        self._dot.set_from_pixbuf(_dot(has_focus))

    # --- mouse and keys

    def _pressed(self, event: Gdk.EventButton) -> bool:
        if event.button != Gdk.BUTTON_PRIMARY:
            return False
        self.grab_focus()
        if event.type == Gdk.EventType.DOUBLE_BUTTON_PRESS:
            self._is_held = False
            self._go_to(self.pad.moved(0.0, 0.0))
        elif event.type == Gdk.EventType.BUTTON_PRESS:
            self._is_held = True
            self._dragged(event)
        return True

    def _dragged(self, event: Gdk.EventButton | Gdk.EventMotion) -> bool:
        if self._is_held:
            reach = SIDE - 2 * _DOT
            self._go_to(self.pad.moved((event.x - _DOT) / reach, (event.y - _DOT) / reach))
        return self._is_held

    def _released(self, event: Gdk.EventButton) -> bool:
        self._is_held = False
        return False

    def _key_pressed(self, event: Gdk.EventKey) -> bool:
        by = STEP / 5 if event.state & Gdk.ModifierType.SHIFT_MASK else STEP
        steps = {
            Gdk.KEY_Left: (-by, 0.0),
            Gdk.KEY_Right: (by, 0.0),
            Gdk.KEY_Up: (0.0, -by),
            Gdk.KEY_Down: (0.0, by),
            Gdk.KEY_Home: (-1.0, -1.0),
        }
        if event.keyval not in steps:
            return False
        dx, dy = steps[event.keyval]
        self._go_to(self.pad.moved(self.pad.x + dx, self.pad.y + dy, snap=0.0))
        return True

    def _go_to(self, pad: Pad) -> None:
        if pad != self.pad:
            self.pad = pad
            self._place_dot()
            self._moved(pad)

    # --- choosing the candidates in the corners

    def _button(self, corner: int, tip: str, x: int, y: int) -> Gtk.Button:
        button = Gtk.Button.new_from_icon_name("pan-down-symbolic", Gtk.IconSize.MENU)
        button.set_size_request(_BUTTON, _BUTTON)
        button.set_tooltip_text(tip)
        button.get_accessible().set_name(tip)
        style = Gtk.CssProvider()
        style.load_from_data(b"button { padding: 0; min-width: 0; min-height: 0; }")
        button.get_style_context().add_provider(style, Gtk.STYLE_PROVIDER_PRIORITY_APPLICATION)
        button.connect("clicked", lambda button: self._open_menu(corner, button))
        self._fixed.put(button, x, y)
        return button

    def _open_menu(self, corner: int, button: Gtk.Button) -> None:
        menu = Gtk.Menu()
        for candidate in self.others:
            entry = Gtk.CheckMenuItem(label=candidate.label, draw_as_radio=True)
            entry.set_active(candidate.key == self.pad.corners[corner])
            entry.connect("activate", lambda entry, key: self._choose(corner, key), candidate.key)
            menu.append(entry)
        menu.show_all()
        menu.attach_to_widget(button)
        south_west, north_west = Gdk.Gravity.SOUTH_WEST, Gdk.Gravity.NORTH_WEST
        menu.popup_at_widget(button, south_west, north_west, Gtk.get_current_event())

    def _choose(self, corner: int, key: int) -> None:
        pad = self.pad.with_corner(corner, key)
        if pad != self.pad:
            self.pad = pad
            self._draw()
            self._placed(pad)


def _what_it_does() -> str:
    return _(
        "Drag the dot to mix the candidates in the corners; in the top left corner, this candidate "
        "is unchanged. The arrow in a corner chooses another candidate. Keys: arrows to move the "
        "dot, with Shift in small steps, Home to put it back."
    )


@cache
def _empty() -> GdkPixbuf.Pixbuf:
    image = GdkPixbuf.Pixbuf.new(GdkPixbuf.Colorspace.RGB, True, 8, THUMBNAIL_SIZE, THUMBNAIL_SIZE)
    image.fill(_EMPTY)
    return image


def _outlined(image: GdkPixbuf.Pixbuf) -> GdkPixbuf.Pixbuf:
    """Return the image with a border of 2 px, as the chosen candidate."""
    image = image.copy()
    width, height = image.get_width(), image.get_height()
    for box in (
        (0, 0, width, 2),
        (0, height - 2, width, 2),
        (0, 0, 2, height),
        (width - 2, 0, 2, height),
    ):
        image.new_subpixbuf(*box).fill(_ACCENT)
    return image


@cache
def _dot(has_focus: bool) -> GdkPixbuf.Pixbuf:
    """Return a disc with a light and a dark ring, to be seen on every image."""
    accent, white, dark = (0x35, 0x84, 0xE4), (255, 255, 255), (0, 0, 0)
    rings = [(accent if has_focus else white, _DOT - 3.5), (white, _DOT - 1.5), (dark, _DOT - 0.5)]
    data = bytearray()
    for row in range(2 * _DOT):
        for column in range(2 * _DOT):
            distance = hypot(column + 0.5 - _DOT, row + 0.5 - _DOT)
            color = next((color for color, radius in rings if distance < radius), dark)
            data += bytes((*color, round(255 * min(1.0, max(0.0, _DOT - distance)))))
    return GdkPixbuf.Pixbuf.new_from_bytes(
        GLib.Bytes.new(bytes(data)),
        GdkPixbuf.Colorspace.RGB,
        True,
        8,
        2 * _DOT,
        2 * _DOT,
        8 * _DOT,
    )
