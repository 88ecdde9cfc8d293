"""What a newcomer meets in a live GIMP: the example, the dialog with nothing selected, the tour."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fake_daemon import part_box
from fake_process import FakeProcess, fake_daemon
from gimp_host import LiveGimp, Profile, wait_for
from inpaint_client.example import MASK, PORTRAIT
from inpaint_protos.v1 import inpaint_pb2 as pb
from numpy.typing import NDArray
from PIL import Image, ImageGrab

pytestmark = pytest.mark.hosts

DIALOG = r"^Inpaint \(StyleGAN\)"
IMAGE_WINDOW = "GIMP$"
START_WINDOW = "^GNU Image"
SHOW_ME_AROUND = (192, 638)
SIZE = (400, 300)

# In place of the manual: writes down what the dialog shows and who has the keyboard.
SPY = """
import gc
import json
from gi.repository import Gtk

pages = []


def show_manual(parent, say):
    bubbles = []
    for each in gc.get_objects():
        if issubclass(type(each), Gtk.Popover) and each.get_mapped():
            box = each.get_window().get_geometry()
            bubbles.append([each.get_accessible().get_name(), *box[:4], buttons(each)])
    size = parent.get_allocation()
    default = parent.get_default_widget()
    focus = parent.get_focus()
    pages.append({{
        "bubbles": bubbles,
        "size": [size.width, size.height],
        "default": default and default.get_label(),
        "focus": type(focus).__name__,
    }})
    with open({out!r}, "w") as file:
        json.dump(pages, file)


def buttons(widget):
    if isinstance(widget, Gtk.Button):
        x, y = widget.translate_coordinates(widget.get_toplevel(), 0, 0)
        box = widget.get_allocation()
        return [[x + box.width // 2, y + box.height // 2]]
    if isinstance(widget, Gtk.Container):
        return [each for child in widget.get_children() for each in buttons(child)]
    return []
"""


class Spy:
    """Asks the fill dialog what it shows, by F1."""

    def __init__(self, profile: Profile) -> None:
        self._out = profile.out / "pages.json"
        manual = profile.plug_ins / "inpaint-gimp/inpaint_gimp/ui/manual.py"
        manual.write_text(SPY.format(out=str(self._out)))

    def look(self, live: LiveGimp, name: str) -> dict[str, Any]:
        live.find_window(DIALOG)
        wait_for(lambda: stands_still(live), "the dialog to be drawn", 30)
        self._out.unlink(missing_ok=True)
        save(live, name)
        live.key(DIALOG, "F1")
        wait_for(lambda: self._out.is_file() and self._out.read_text().endswith("]"), "F1", 20)
        page: dict[str, Any] = json.loads(self._out.read_text())[-1]
        for _text, x, y, width, height, _buttons in page["bubbles"]:
            assert min(x, y) >= 0
            assert x + width <= page["size"][0]
            assert y + height <= page["size"][1]
        return page


def shown(page: dict[str, Any]) -> str:
    """Return the first words of the only bubble, or nothing."""
    texts = [" ".join(each[0].split()[:2]) for each in page["bubbles"]]
    assert len(texts) < 2
    return "".join(texts)


def screen_of(live: LiveGimp) -> Image.Image:
    return ImageGrab.grab(xdisplay=live.variables["DISPLAY"]).convert("RGB")


def save(live: LiveGimp, name: str) -> None:
    screen_of(live).save(live.profile.out / f"{name}.png")


def stands_still(live: LiveGimp) -> bool:
    before = np.asarray(screen_of(live))
    time.sleep(0.3)
    return bool((before == np.asarray(screen_of(live))).all())


def noise(path: Path, channels: int = 3) -> None:
    draw = np.random.default_rng(0).integers(0, 256, (*SIZE[::-1], channels), np.uint8)
    draw[..., 3:] = 255
    Image.fromarray(draw).save(path)


@pytest.fixture
def newcomer(lonely: Profile) -> Profile:
    lonely.memory.unlink()
    return lonely


@pytest.fixture
def slow() -> Iterator[FakeProcess]:
    """A daemon that takes its time."""
    with fake_daemon("--delay", "0.5") as daemon:
        yield daemon


def open_example(live: LiveGimp, window: str) -> None:
    """Open the example by the keys of the menu: Filters, Enhance, and its own."""
    live.find_window(window)
    wait_for(lambda: stands_still(live), "the window to be drawn", 30)
    live.key(window, "alt+r")
    wait_for(lambda: stands_still(live), "the menu", 10)
    live.xdotool("key", "h")
    wait_for(lambda: stands_still(live), "its submenu", 10)
    save(live, "menu")
    live.xdotool("key", "o")
    live.find_window(IMAGE_WINDOW)
    wait_for(lambda: "Example portrait" in str(live.run("layers")["tree"]), "the example", 30)


def pixels(live: LiveGimp, name: str, size: list[int]) -> tuple[NDArray[Any], NDArray[Any]]:
    width, height = size
    portrait = np.fromfile(live.profile.out / f"{name}-portrait.raw", np.uint8)
    mask = np.fromfile(live.profile.out / f"{name}-mask.raw", np.uint8)
    return portrait.reshape(height, width, 3), mask.reshape(height, width)


def check_example(live: LiveGimp, name: str) -> dict[str, Any]:
    """Compare the example with its files, bit by bit; return what else is known of it."""
    seen = live.run("example", name=name)
    portrait, mask = pixels(live, name, seen["size"])
    with Image.open(PORTRAIT) as file:
        np.testing.assert_array_equal(portrait, np.asarray(file.convert("RGB")))
    with Image.open(MASK) as file:
        np.testing.assert_array_equal(mask, np.asarray(file.convert("L")))
    return seen


@pytest.mark.next_host
def test_the_example_opens_without_an_image_and_belongs_to_no_file(
    newcomer: Profile, screen: str
) -> None:
    (vendored,) = newcomer.plug_ins.rglob("example/portrait.png")
    before = vendored.read_bytes()
    with newcomer.window(screen) as live:
        live.move_away()
        live.run("nothing")
        open_example(live, START_WINDOW)
        seen = check_example(live, "opened")
        assert seen | {"size": None} == {
            "images": 1,
            "size": None,
            "format": ["rgb", "u8-non-linear"],
            "has_profile": False,  # which is sRGB
            "files": [None, None, None],
            "tree": ["Example portrait"],
            "selected": ["Example portrait"],
            "channels": 0,
            "is_dirty": False,
        }
        bounds = live.run("selection")["bounds"]
        live.key(IMAGE_WINDOW, "ctrl+z", "ctrl+a")  # of which the first has nothing to undo
        whole = [1, 0, 0, *seen["size"]]
        wait_for(lambda: live.run("selection")["bounds"] == whole, "all to be selected", 20)
        live.key(IMAGE_WINDOW, "ctrl+z")
        wait_for(lambda: live.run("selection")["bounds"] == bounds, "the undo", 20)
        assert check_example(live, "undone") == seen
        live.key(IMAGE_WINDOW, "ctrl+a", "ctrl+s")
        live.find_window("^Save Image")  # asks where to
        save(live, "save")
        live.key("^Save Image", "Escape")
    assert vendored.read_bytes() == before


def begin(live: LiveGimp, **values: object) -> Path:
    image = str(live.profile.folder / "image.png")
    return live.start("interactive", image=image, selection=[], **values)


def press_part(live: LiveGimp, tabs: int) -> None:
    """Press the button of a part in the small dialog: hair is the first, then eyes, mouth."""
    live.find_window(DIALOG)
    wait_for(lambda: stands_still(live), "the small dialog to be drawn", 30)
    live.key(DIALOG, *["Tab"] * tabs, "space")


def width(live: LiveGimp) -> int:
    words = live.xdotool("getwindowgeometry", "--shell", live.find_window(DIALOG)).splitlines()
    return int(dict(word.split("=") for word in words)["WIDTH"])


@pytest.mark.next_host
def test_with_nothing_selected_a_part_can_be_chosen_and_is_filled(
    lonely: Profile, slow: FakeProcess, screen: str
) -> None:
    noise(lonely.folder / "image.png", channels=4)  # opaque, in spite of its alpha channel
    lonely.environment["INPAINT_SERVER"] = slow.address
    with lonely.window(screen) as live:
        live.move_away()
        answer = begin(live)
        press_part(live, 2)
        slow.wait_for("segment ")
        save(live, "searching")
        wait_for(lambda: width(live) > 700, "the fill dialog", 30)
        wait_for(lambda: stands_still(live), "it to be drawn", 30)
        save(live, "chosen")
        live.key(DIALOG, "alt+f")
        slow.wait_for("done ")
        wait_for(lambda: stands_still(live), "the candidates", 30)
        live.key(DIALOG, "alt+i")
        assert len(live.result(answer)["tree"][0][1]) == 4
        live.key(IMAGE_WINDOW, "ctrl+z")
        wait_for(lambda: live.run("layers")["tree"] == ["Background"], "one undo of the fill", 20)
        x, y, wide, high = part_box(pb.PART_MOUTH, *SIZE)
        assert live.run("selection") == {
            "bounds": [1, x, y, x + wide, y + high],
            "tree": ["Background"],
            "channels": [],
            "selected": ["Background"],
        }
        live.key(IMAGE_WINDOW, "ctrl+z")
        wait_for(lambda: live.run("selection")["bounds"][0] == 0, "one of the selection", 20)
        assert live.run("layers")["tree"] == ["Background"]


def test_cancel_stops_the_search_at_once(lonely: Profile, screen: str) -> None:
    noise(lonely.folder / "image.png")
    with fake_daemon("--delay", "60") as daemon:
        lonely.environment["INPAINT_SERVER"] = daemon.address
        with lonely.window(screen) as live:
            live.move_away()
            answer = begin(live)
            press_part(live, 0)
            daemon.wait_for("segment ")
            one, other = np.asarray(screen_of(live)), np.asarray(screen_of(live))
            time.sleep(0.5)
            other = np.asarray(screen_of(live))
            assert not np.array_equal(one, other)  # the bar moves
            save(live, "searching")
            live.key(DIALOG, "Escape")
            result = live.result(answer, timeout_s=10)
            assert (result["status"], result["tree"]) == ("cancel", ["Background"])
            assert live.run("selection")["bounds"][0] == 0
            assert not live.run("layers")["is_dirty"]


def test_what_is_wrong_is_said_and_the_dialog_stays(
    lonely: Profile, slow: FakeProcess, screen: str
) -> None:
    """First no daemon and no program is found, then no face, then a part of one."""
    Image.new("RGB", SIZE, "gray").save(lonely.folder / "image.png")
    runtime = lonely.runtime / "inpaint/server.json"
    with lonely.window(screen) as live:
        live.move_away()
        answer = begin(live)
        press_part(live, 0)
        wait_for(lambda: height(live) > 260, "the first sentence", 30)
        wait_for(lambda: stands_still(live), "it to be drawn", 30)
        save(live, "no daemon")
        first = np.asarray(screen_of(live))
        runtime.parent.mkdir()
        about = {"address": slow.address, "token": "", "pid": slow.process.pid, "version": "1"}
        runtime.write_text(json.dumps(about))
        live.key(DIALOG, "alt+t")  # try again
        slow.wait_for("segment ")
        time.sleep(1)
        wait_for(lambda: stands_still(live), "the second sentence", 30)
        save(live, "no face")
        assert not np.array_equal(first, np.asarray(screen_of(live)))
        assert width(live) < 500
        live.key(DIALOG, "Escape")
        assert live.result(answer)["status"] == "cancel"
        assert live.run("selection")["bounds"][0] == 0
        answer = begin(live, mode="WITH_LAST_VALS")  # Repeat has no dialog
        result = live.result(answer)
        assert result["status"] == "execution-error"
        assert "Nothing is selected" in result["error"]


def height(live: LiveGimp) -> int:
    words = live.xdotool("getwindowgeometry", "--shell", live.find_window(DIALOG)).splitlines()
    return int(dict(word.split("=") for word in words)["HEIGHT"])


@pytest.mark.next_host
def test_the_tour_follows_the_artist_and_touches_nothing(
    newcomer: Profile, slow: FakeProcess, screen: str
) -> None:
    noise(newcomer.folder / "image.png")
    newcomer.environment["INPAINT_SERVER"] = slow.address
    newcomer.out.mkdir()
    spy = Spy(newcomer)
    with newcomer.window(screen) as live:
        live.move_away()
        own = str(newcomer.folder / "image.png")
        live.run(
            "interactive",
            image=own,
            selection=[9, 9, 90, 90],
            mode="NONINTERACTIVE",
            procedure="plug-in-inpaint-stylegan-select",
            part="mouth",
        )
        open_example(live, IMAGE_WINDOW)
        before = check_example(live, "before")
        assert before["images"] == 2

        answer = live.start("fill_opened")
        page = spy.look(live, "tour-1")
        assert shown(page) == "Red is"
        assert (page["default"], page["focus"]) == ("_Fill", "SpinButton")
        live.key(DIALOG, "alt+j", "Return")  # from a slider, Enter fills
        slow.wait_for("fill ")
        save(live, "tour-running")
        slow.wait_for("done ")
        page = spy.look(live, "tour-3")
        assert shown(page) == "Click the"
        assert page["default"] == "_Insert"
        live.key(DIALOG, "alt+j", "End")
        slow.wait_for("edit ")
        live.key(DIALOG, "ctrl+z")
        slow.wait_for("edit ")
        assert shown(spy.look(live, "tour-undone")) == "Click the"
        live.key(DIALOG, "alt+i")
        result = live.result(answer)
        assert result["status"] == "success", live.log()
        assert [len(each) for each in result["tree"][0]][1] == 4
        assert "Smile" not in str(result["tree"])
        assert result["others"][0][1] == ["Background"]
        live.key(IMAGE_WINDOW, "ctrl+z")
        wait_for(lambda: live.run("layers")["tree"] == ["Example portrait"], "one undo", 20)
        assert check_example(live, "undone") | {"is_dirty": False} == before
        assert json.loads(newcomer.memory.read_text()) == {"tour_seen": True}

        answer = live.start("fill_opened")
        assert shown(spy.look(live, "next time")) == ""
        live.click(*SHOW_ME_AROUND)
        page = spy.look(live, "asked")
        assert shown(page) == "Red is"
        live.key(DIALOG, "Escape")
        assert shown(spy.look(live, "escape")) == ""
        live.key(DIALOG, "Escape")
        assert live.result(answer)["status"] == "cancel"


def test_the_tour_goes_on_and_is_closed_by_its_buttons(
    newcomer: Profile, slow: FakeProcess, screen: str
) -> None:
    noise(newcomer.folder / "image.png")
    newcomer.environment["INPAINT_SERVER"] = slow.address
    newcomer.out.mkdir()
    spy = Spy(newcomer)
    with newcomer.window(screen) as live:
        live.move_away()
        own = str(newcomer.folder / "image.png")
        answer = live.start("interactive", image=own, selection=[100, 100, 90, 90])
        page = spy.look(live, "first")
        shut, on = page["bubbles"][0][5]
        live.click(*on)
        page = spy.look(live, "second")
        assert shown(page) == "Press “Fill”."
        assert (page["default"], page["focus"]) == ("_Fill", "SpinButton")
        live.key(DIALOG, "Tab", "Tab")
        live.key(DIALOG, "alt+f")
        slow.wait_for("done ")
        page = spy.look(live, "third")
        assert shown(page) == "Click the"
        shut, on = page["bubbles"][0][5]
        assert not newcomer.memory.exists()
        live.click(*shut)
        assert shown(spy.look(live, "closed")) == ""
        assert json.loads(newcomer.memory.read_text()) == {"tour_seen": True}
        live.key(DIALOG, "Escape")
        assert live.result(answer)["status"] == "cancel"
        assert not live.run("layers")["is_dirty"]
