"""The dialogs in a live GIMP: driven by keys and clicks, checked on the screen."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from fake_daemon import SMOOTH_COLOR, color_of
from fake_process import FakeProcess, fake_daemon
from gimp_host import GimpHost, LiveGimp, Profile, new_profile, wait_for
from gimp_layers import result_of
from inpaint_client import parse_recipe
from inpaint_client.session.contact_sheet import BACKGROUND
from numpy.typing import NDArray
from PIL import Image, ImageGrab
from xcf import read_xcf

pytestmark = pytest.mark.hosts

DIALOG = r"^Inpaint \(StyleGAN\)"
EDIT_DIALOG = r"^Edit fill"
CHOOSER = "^Choose inpaint-server"
IMAGE_WINDOW = "GIMP$"
# The dialog stands in the corner: its buttons, and controls in the column that scrolls.
MORE, DELETE, SHEET, DISMISS = (850, 69), (850, 149), (850, 189), (898, 509)
CANDIDATES, VARIETY, CONTEXT, SMILE = (165, 69), (165, 176), (250, 256), (110, 380)
SCROLLED = (slice(12, 420), slice(12, 410))  # rows and columns of the screen
WHY_FIXED = (slice(418, 455), slice(12, 340))
NOTICE = (slice(486, 531), slice(455, 870))
WHEEL_UP, WHEEL_DOWN = "4", "5"
WARNING = "Only the part inside the frame is filled. Filled at 256 px and enlarged 2.1 times."


@pytest.fixture
def slow() -> Iterator[FakeProcess]:
    """A daemon that takes its time, so that there is something to see and to cancel."""
    with fake_daemon("--delay", "0.7") as daemon:
        yield daemon


@pytest.fixture
def live(
    gimp: GimpHost,
    warm: Profile,
    plug_in: Path,
    slow: FakeProcess,
    screen: str,
) -> Iterator[LiveGimp]:
    environment = {"INPAINT_SERVER": slow.address}
    profile = new_profile(gimp, plug_in, like=warm, environment=environment)
    draw_image(profile.folder / "image.png")
    with profile.window(screen) as running:
        running.move_away()
        yield running
        look(running, "end")  # to show why a test failed


def draw_image(path: Path) -> None:
    """Something that is not plain: a soft gradient with a disc."""
    y, x = np.mgrid[0:300, 0:400]
    image = np.stack([x * 255 / 400, y * 255 / 300, 90 + 0 * x], -1)
    image[(x - 200) ** 2 + (y - 150) ** 2 < 70**2] = (225, 190, 170)
    Image.fromarray(image.astype(np.uint8)).save(path)


def begin(live: LiveGimp, **values: object) -> Path:
    image = str(live.profile.folder / "image.png")
    return live.start("interactive", image=image, selection=[160, 110, 80, 80], **values)


def look(live: LiveGimp, name: str = "") -> NDArray[np.uint8]:
    """Return the screen, and save it as a file to view."""
    image = ImageGrab.grab(xdisplay=live.variables["DISPLAY"]).convert("RGB")
    if name:
        image.save(live.profile.out / f"{name}.png")
    return np.asarray(image)


def places(live: LiveGimp, seed: int, **edits: float) -> NDArray[np.intp]:
    """Where the screen shows a candidate's color: rows of (y, x)."""
    return places_of(live, color_of(seed, edits))


def places_of(live: LiveGimp, rgb: tuple[float, ...]) -> NDArray[np.intp]:
    """Where the screen shows a color, 0..1."""
    color = [round(255 * value) for value in rgb]
    return np.argwhere(np.abs(look(live).astype(int) - color).max(-1) <= 1)


def thumbnail(live: LiveGimp, seed: int) -> tuple[int, int]:
    """The middle of a candidate's thumbnail."""
    return thumbnail_of(live, color_of(seed))


def thumbnail_of(live: LiveGimp, rgb: tuple[float, ...]) -> tuple[int, int]:
    """The middle of the thumbnail of this color, which is also that of the large preview above."""
    found = places_of(live, rgb)
    y, x = np.median(found[found[:, 0] > 335], axis=0)
    return int(x), int(y)


def stands_still(live: LiveGimp) -> bool:
    """Whether the screen stays as it is for longer than a turn of the dialog's loop under load."""
    before = look(live)
    time.sleep(0.3)
    return bool((before == look(live)).all())


def press_fill(live: LiveGimp, slow: FakeProcess) -> None:
    """Press Fill once the dialog is drawn and stands still: before, it may not take keys."""
    live.find_window(DIALOG)
    wait_for(lambda: stands_still(live), "the dialog to be drawn", 30)
    live.key(DIALOG, "alt+f")
    slow.wait_for("fill ")


def fill_and_wait(live: LiveGimp, slow: FakeProcess) -> None:
    """Press Fill; until all candidates are there."""
    press_fill(live, slow)
    slow.wait_for("done ")


@pytest.mark.next_host
def test_fill_choose_change_keep_insert_undo_redo(live: LiveGimp, slow: FakeProcess) -> None:
    remember_seed(live, 7)
    answer = begin(live)
    live.find_window(DIALOG)
    slow_enough = look(live, "idle")
    assert slow_enough.shape == (768, 1366, 3)
    press_fill(live, slow)
    wait_for(lambda: len(places(live, 7)) > 500, "the first candidate in the preview", 30)
    look(live, "running")
    slow.wait_for("done ")
    wait_for(lambda: len(places(live, 10)) > 100, "the last thumbnail", 30)
    large_before = len(places(live, 9))
    live.click(*thumbnail(live, 9))
    wait_for(lambda: len(places(live, 9)) > 5 * large_before, "the chosen one, large", 10)
    live.key(DIALOG, "alt+j", "Right", "Right", "Right")
    slow.wait_for("edit ")
    what = "the large preview to show what the slider asks for"
    wait_for(lambda: len(places(live, 9, smile=0.3)) > 2000, what, 30)
    live.key(DIALOG, "alt+k")
    wait_for(lambda: stands_still(live), "the copy in the strip", 30)
    look(live, "results")
    # What the slider asks for at last is what is inserted.
    live.key(DIALOG, "alt+j", "Right", "alt+i")
    result = live.result(answer)
    assert result["status"] == "success", live.log()
    tree = result["tree"]
    assert tree[0][0] == "Seed 7 · Inpaint · fake"
    assert tree[0][1] == [
        "-1 · seed 7",
        "-2 · seed 8",
        "3 · seed 9 · Smile +0.4",
        "-3 · copy 1 · seed 9 · Smile +0.3",
        "-4 · seed 10",
    ]

    live.key(IMAGE_WINDOW, "ctrl+z")
    wait_for(lambda: live.run("layers")["tree"] == ["Background"], "one undo", 20)
    live.key(IMAGE_WINDOW, "ctrl+y")
    wait_for(lambda: live.run("layers")["tree"] == tree, "one redo", 20)


def test_sliders_and_mixing_are_undone_in_the_dialog(live: LiveGimp, slow: FakeProcess) -> None:
    remember_seed(live, 7)
    answer = begin(live)
    fill_and_wait(live, slow)
    wait_for(lambda: stands_still(live), "the last candidate", 30)

    def shows(what: str, rgb: tuple[float, ...]) -> None:
        wait_for(lambda: len(places_of(live, rgb)) > 2000, what, 30)

    live.key(DIALOG, "alt+j", "End")
    shows("the slider at its end", color_of(7, {"smile": 3}))
    live.key(DIALOG, "Home")
    shows("the slider at its start", color_of(7, {"smile": -3}))
    live.key(DIALOG, "alt+x", "Down")
    wait_for(lambda: stands_still(live), "half of the next one", 30)
    live.key(DIALOG, "ctrl+z")
    shows("the candidate before mixing", color_of(7, {"smile": -3}))
    live.key(DIALOG, "ctrl+z")
    shows("the slider at its end again", color_of(7, {"smile": 3}))
    look(live, "undone")
    live.key(DIALOG, "ctrl+z", "ctrl+z")  # once more than there are steps
    shows("the candidate as it came", color_of(7))
    live.key(DIALOG, "ctrl+shift+z")
    shows("the slider at its end once more", color_of(7, {"smile": 3}))
    live.key(DIALOG, "ctrl+y")
    shows("and at its start", color_of(7, {"smile": -3}))
    live.key(DIALOG, "alt+j", "Tab", "1")  # a number that is not entered yet keeps the keys
    live.key(DIALOG, "ctrl+z")
    wait_for(lambda: stands_still(live), "the dialog to be drawn", 30)
    look(live, "typing")
    assert len(places(live, 7, smile=-3)) > 2000
    live.key(DIALOG, "Tab")
    shows("the entered number", color_of(7, {"smile": 1}))
    live.key(DIALOG, "ctrl+z")
    shows("the number before", color_of(7, {"smile": -3}))
    live.key(DIALOG, "ctrl+z", "ctrl+z", "alt+i")
    result = live.result(answer)
    assert result["status"] == "success", live.log()
    assert result["tree"][0][1][0] == "1 · seed 7"
    live.key(IMAGE_WINDOW, "ctrl+z")
    wait_for(lambda: live.run("layers")["tree"] == ["Background"], "one undo of everything", 20)


FILL_BUTTON = (872, 638)
TIP = (slice(250, 768), slice(560, 1200))  # where the tooltip of the button may be


def test_the_frame_is_shown_while_the_pointer_rests_on_fill(
    live: LiveGimp, slow: FakeProcess
) -> None:
    white: dict[str, int] = {}
    for context, frame in (("auto", ""), ("box", ""), ("frame", "200, 150, 60")):
        answer = begin(live, context=context, frame=frame)
        live.find_window(DIALOG)
        wait_for(lambda: stands_still(live), "the dialog to be drawn", 30)
        before = look(live)[TIP]
        live.xdotool("mousemove", *map(str, FILL_BUTTON))

        def is_shown(before: NDArray[np.uint8] = before) -> bool:
            return bool(np.count_nonzero((look(live)[TIP] != before).any(-1)) > 240 * 180)

        wait_for(is_shown, "the tooltip", 15)
        wait_for(lambda: stands_still(live), "the tooltip to be drawn", 15)
        now = look(live, f"tip-{context}")[TIP]
        white[context] = int(np.count_nonzero((now == 255).all(-1) & (before != 255).any(-1)))
        live.move_away()
        wait_for(lambda before=before: not is_shown(before), "the tooltip to go", 10)  # type: ignore[misc]
        live.key(DIALOG, "Escape")
        live.result(answer)
    # The outlines of the squares around 80 px and of 60 px, in an image of 240 of 400 px, with
    # white letters in the text below.
    assert white["box"] - white["auto"] > 400
    assert white["frame"] - white["auto"] > 150


def test_candidates_are_added_and_deleted(live: LiveGimp, slow: FakeProcess) -> None:
    remember_seed(live, 7)
    answer = begin(live)
    fill_and_wait(live, slow)
    wait_for(lambda: len(places(live, 10)) > 100, "the last thumbnail", 30)
    live.click(*thumbnail(live, 9))
    wait_for(lambda: len(places(live, 9)) > 2000, "the chosen one, large", 10)
    wait_for(lambda: stands_still(live), "the dialog to be drawn", 30)
    live.click(*MORE)
    slow.wait_for("fill ", 15)
    slow.wait_for("done ")
    wait_for(lambda: stands_still(live), "the dialog to be drawn", 30)
    wait_for(lambda: len(places(live, 9)) > 2000, "the chosen one, large", 10)
    look(live, "more")
    live.click(*DELETE)
    wait_for(lambda: len(places(live, 10)) > 2000, "its neighbor, large", 10)
    wait_for(lambda: len(places(live, 9)) < 100, "the thumbnail to go", 10)
    look(live, "deleted")
    live.key(DIALOG, "alt+i")
    result = live.result(answer)
    assert result["status"] == "success", live.log()
    (name, layers), base = result["tree"]
    assert (name, base) == ("Seed 7 · Inpaint · fake", "Background")
    seeds = (7, 8, 10, 11, 12, 13, 14)
    assert layers == [f"{'' if seed == 10 else '-'}{seed - 6} · seed {seed}" for seed in seeds]
    live.key(IMAGE_WINDOW, "ctrl+z")
    wait_for(lambda: live.run("layers")["tree"] == ["Background"], "one undo", 20)


@pytest.mark.next_host
def test_a_contact_sheet_is_opened_as_a_new_image(live: LiveGimp, slow: FakeProcess) -> None:
    remember_seed(live, 7)
    answer = begin(live)
    fill_and_wait(live, slow)
    wait_for(lambda: len(places(live, 10)) > 100, "the last thumbnail", 30)
    live.key(DIALOG, "alt+j", "End")
    wait_for(lambda: len(places(live, 7, smile=3)) > 2000, "the slider at its end", 30)
    wait_for(lambda: stands_still(live), "the dialog to be drawn", 30)
    look(live, "sheet-button")
    live.click(*SHEET)
    gray = tuple(value / 255 for value in BACKGROUND)
    wait_for(lambda: len(places_of(live, gray)) > 5000, "the new image", 30)
    look(live, "sheet-window")
    live.key(DIALOG, "Escape")
    assert live.result(answer)["tree"] == ["Background"]
    seen = live.run("sheet")
    assert seen["images"] == 2
    assert seen["texts"][::-1] == [
        "Before",
        "1 · seed 7\nSmile +3",
        "2 · seed 8",
        "3 · seed 9",
        "4 · seed 10",
    ]
    assert seen["tree"][-1] == "Contact sheet"
    assert seen["others"] == [[False, ["Background"]]]
    with Image.open(live.profile.out / "sheet.png") as file:
        sheet = np.asarray(file.convert("RGB")).astype(int)
    assert list(sheet.shape[1::-1]) == seen["size"]
    assert tuple(sheet[4, 4]) == BACKGROUND
    middles = []
    for seed, edits in ((7, {"smile": 3.0}), (8, {}), (9, {}), (10, {})):
        color = [round(255 * value) for value in color_of(seed, edits)]
        places_of_it = np.argwhere(np.abs(sheet - color).max(-1) <= 1)
        assert len(places_of_it) > 3000, seed
        middles.append(np.median(places_of_it, axis=0))
    assert middles[0][0] == middles[1][0] < middles[2][0] == middles[3][0]  # two rows


def remember_seed(live: LiveGimp, seed: int) -> None:
    """As if the dialog had last been used with this seed, fixed."""
    folder = live.profile.gimp_folder / "plug-in-settings"
    folder.mkdir(exist_ok=True)
    last = folder / "GimpProcedureConfigRun-plug-in-inpaint-stylegan.last"
    last.write_text(f"(new-seed no)\n(seed {seed})\n")


def test_cancel_in_the_dialog_acts_at_once(live: LiveGimp, slow: FakeProcess) -> None:
    answer = begin(live)
    press_fill(live, slow)
    live.key(DIALOG, "Escape")
    slow.wait_for("cancelled ", timeout_s=10)
    result = live.result(answer)
    assert (result["status"], result["tree"]) == ("cancel", ["Background"])
    assert not live.run("layers")["is_dirty"]


def test_progress_and_cancel_without_the_dialog(live: LiveGimp, slow: FakeProcess) -> None:
    """GIMP's own progress bar; its Cancel ends the plug-in's process."""
    answer = begin(live, mode="WITH_LAST_VALS", candidates=20)
    slow.wait_for("fill ")
    window = live.find_window(IMAGE_WINDOW)
    look(live, "progress")
    live.click(*cancel_button(live, window))
    slow.wait_for("cancelled ", timeout_s=15)
    result = live.result(answer)
    assert (result["status"], result["tree"]) == ("cancel", ["Background"])
    assert not live.run("layers")["is_dirty"]


def test_a_fill_is_opened_again_with_its_sliders(live: LiveGimp, slow: FakeProcess) -> None:
    answer = begin(live, mode="NONINTERACTIVE", candidates=2, new_seed=False, seed=7)
    tree = live.result(answer)["tree"]
    answer = live.start("edit_selected", name="2 · seed 8")
    live.find_window(EDIT_DIALOG)

    def slide_to_the_end() -> bool:  # until the sliders are there
        live.key(EDIT_DIALOG, "alt+j", "End")
        return len(places(live, 8, smile=3)) > 2000

    wait_for(slide_to_the_end, "the preview of the edited fill", 30)
    look(live, "edit")
    live.key(EDIT_DIALOG, "alt+i")
    result = live.result(answer)
    assert result["status"] == "success", live.log()
    edited = "2 · seed 8 · Smile +3"
    assert result["tree"][0][1] == [tree[0][1][0], edited, "-2 · seed 8"]
    live.key(IMAGE_WINDOW, "ctrl+z")
    wait_for(lambda: live.run("layers")["tree"] == tree, "one undo", 20)


def open_path(live: LiveGimp, title: str, path: Path) -> None:
    """Type a path into a file chooser; once more if keys were lost while it listed its folder."""
    for attempt in range(3):
        live.find_window(title)
        wait_for(lambda: stands_still(live), "the file chooser to be drawn", 30)
        live.key(title, "ctrl+a")  # what an earlier attempt left
        live.xdotool("type", "--delay", "30", str(path))
        wait_for(lambda: stands_still(live), "the path to be completed", 30)
        look(live, f"chooser {attempt}")
        live.key(title, "Return")
        try:
            wait_for(lambda: not live.has_window(title), "the file chooser to close", 20)
        except AssertionError:
            continue
        return
    raise AssertionError(f"the file chooser did not take {path}")


def test_the_program_is_chosen_where_none_is_found(
    gimp: GimpHost, warm: Profile, plug_in: Path, slow: FakeProcess, screen: str
) -> None:
    """As in a GIMP that was started from the desktop, with the daemon in an environment."""
    profile = new_profile(gimp, plug_in, like=warm)
    draw_image(profile.folder / "image.png")
    runtime = profile.runtime / "inpaint/server.json"
    server = profile.folder / "studio/bin/inpaint-server"
    server.parent.mkdir(parents=True)
    about = f'{{"address": "{slow.address}", "token": "", "pid": %s, "version": "1"}}'
    server.write_text(
        f"#!/bin/sh\nmkdir -p {runtime.parent}\nprintf '{about}' $$ > {runtime}\nexec sleep 300\n"
    )
    server.chmod(0o755)
    with profile.window(screen) as live:
        live.move_away()
        begin(live)
        live.find_window(DIALOG)
        wait_for(lambda: stands_still(live), "the dialog to be drawn", 30)
        look(live, "not found")
        live.key(DIALOG, "alt+p")
        open_path(live, CHOOSER, server)
        wait_for(runtime.exists, "the chosen program to be started", 30)
        try:
            press_fill(live, slow)
            look(live, "found")
        finally:
            os.kill(json.loads(runtime.read_text())["pid"], signal.SIGTERM)
    stored = json.loads((profile.folder / "config/inpaint/connection.json").read_text())
    assert stored["executable"] == str(server)


def test_a_second_fill_is_seen_after_undo_and_redo(live: LiveGimp, slow: FakeProcess) -> None:
    """GIMP selects the layers that redo restores: those of the first fill."""
    filled = begin(live, mode="NONINTERACTIVE", candidates=2, new_seed=False, seed=7)
    tree = live.result(filled)["tree"]
    live.key(IMAGE_WINDOW, "ctrl+z")
    wait_for(lambda: live.run("layers")["tree"] == ["Background"], "one undo", 20)
    live.key(IMAGE_WINDOW, "ctrl+y")
    wait_for(lambda: live.run("layers")["tree"] == tree, "one redo", 20)
    again = live.run("overlaps", selection=[150, 100, 90, 80], seed=20, at=[200, 140])
    assert again["selected"] != ["Background"]
    assert [each[0] for each in again["tree"][:2]] == [
        "Seed 20 · Inpaint · fake",
        "Seed 7 · Inpaint · fake",
    ]
    assert again["color"] == [round(255 * value) for value in color_of(20)]
    live.key(IMAGE_WINDOW, "ctrl+z")
    wait_for(lambda: live.run("layers")["tree"] == tree, "one undo of the second", 20)
    live.key(IMAGE_WINDOW, "ctrl+y")
    wait_for(lambda: live.run("layers")["tree"] == again["tree"], "one redo of the second", 20)


def half_way(first: int, second: int) -> tuple[float, ...]:
    pairs = zip(color_of(first), color_of(second), strict=True)
    return tuple((a + b) / 2 for a, b in pairs)


def test_a_result_is_mixed_and_that_is_taken_away_later(live: LiveGimp, slow: FakeProcess) -> None:
    remember_seed(live, 7)
    answer = begin(live)
    fill_and_wait(live, slow)

    def until_large(what: str, rgb: tuple[float, ...]) -> None:
        wait_for(lambda: len(places_of(live, rgb)) > 2000, what, 30)

    def mix_with_the_next() -> bool:  # until all candidates have arrived
        live.key(DIALOG, "alt+x", "Home", "Down")
        return len(places_of(live, half_way(7, 8))) > 2000

    wait_for(mix_with_the_next, "half of the next one", 30)
    look(live, "mix")
    live.key(DIALOG, *["Tab"] * 4, "End")
    until_large("all of the next one", color_of(8))
    live.key(DIALOG, "alt+x", "End")  # the layer: the daemon takes the color of its corner
    until_large("all of the layer", (0, 0, 90 / 255))
    live.key(DIALOG, "alt+x", "Home")
    until_large("the candidate as it was", color_of(7))
    live.key(DIALOG, "alt+x", "Down", "Down", *["Tab"] * 4, "Home", "alt+x", "Up")
    live.key(DIALOG, *["Tab"] * 4, "End", "alt+i")  # what is asked for last is what is inserted
    result = live.result(answer)
    assert result["status"] == "success", live.log()
    mixed = "1 · seed 7 · mixed"
    assert result["tree"][0][1][0] == mixed

    answer = live.start("edit_selected", name=mixed)
    live.find_window(EDIT_DIALOG)
    until_large("what was inserted", color_of(8))

    def take_away() -> bool:  # until the daemon is found
        live.key(EDIT_DIALOG, "alt+x", "Home")
        return len(places(live, 7)) > 2000

    look(live, "edit-mixed")
    wait_for(take_away, "the preview of what it was before", 30)
    look(live, "edit-unmixed")
    live.key(EDIT_DIALOG, "alt+i")
    again = live.result(answer)
    assert again["status"] == "success", live.log()
    assert again["tree"][0][1][:2] == ["1 · seed 7", f"-{mixed}"]
    live.key(IMAGE_WINDOW, "ctrl+z")
    wait_for(lambda: live.run("layers")["tree"] == result["tree"], "one undo", 20)


PAD_SIDE, PAD_INSET = 208, 8  # px: of the mixer pad, and of its edge to the middle of the dot


def pad_corner(live: LiveGimp) -> tuple[int, int]:
    """Return the top left corner of the mixer pad, with the seeds 8 and 9 in its next corners."""
    middles = []
    for seed in (8, 9):
        found = places(live, seed)
        found = found[found[:, 1] < 430]  # not those in the strip
        assert len(found) > 300
        middles.append((found.min(axis=0) + found.max(axis=0)) // 2)
    (right, below) = middles
    return int(below[1]) - 42, int(right[0]) - 42


def test_the_dot_of_the_mixer_pad_is_dragged(live: LiveGimp, slow: FakeProcess) -> None:
    remember_seed(live, 7)
    answer = begin(live)
    fill_and_wait(live, slow)
    wait_for(lambda: stands_still(live), "the last candidate", 30)

    def until_large(what: str, rgb: tuple[float, ...]) -> None:
        wait_for(lambda: len(places_of(live, rgb)) > 2000, what, 30)

    def weighted(*shares: float) -> tuple[float, ...]:
        colors = zip(*(color_of(7 + k) for k in range(4)), strict=True)
        return tuple(
            sum(share * value for share, value in zip(shares, values, strict=True))
            for values in colors
        )

    live.key(DIALOG, "alt+x", "Home", *["Down"] * 4)
    until_large("the candidate as it was", color_of(7))
    wait_for(lambda: stands_still(live), "the pad", 30)
    look(live, "pad")
    left, top = pad_corner(live)

    def move(x: float, y: float) -> None:
        reach = PAD_SIDE - 2 * PAD_INSET
        place = left + PAD_INSET + round(x * reach), top + PAD_INSET + round(y * reach)
        live.xdotool("mousemove", *map(str, place))
        time.sleep(0.1)

    move(0, 0)
    live.xdotool("mousedown", "1")
    for x, y in ((0.25, 0.0), (0.75, 0.25), (0.5, 0.0)):
        move(x, y)
    until_large("half of the next one, while the button is down", weighted(0.5, 0.5, 0, 0))
    move(1.0, 1.0)
    until_large("all of the last one", color_of(10))
    live.xdotool("mouseup", "1")
    wait_for(lambda: stands_still(live), "the end of the drag", 30)
    look(live, "pad-dragged")
    live.key(DIALOG, "ctrl+z")
    until_large("the candidate as it was before the drag", color_of(7))
    live.key(DIALOG, "ctrl+y")
    until_large("all of the last one again", color_of(10))
    move(0.0, 1.0)
    live.xdotool("click", "1")
    until_large("all of the third one", color_of(9))
    live.key(DIALOG, *["Up"] * 10)  # half the way to the top left
    half = weighted(0.5, 0, 0.5, 0)
    until_large("half of the third one", half)
    live.key(DIALOG, "alt+i")
    result = live.result(answer)
    assert result["status"] == "success", live.log()
    mixed = "1 · seed 7 · mixed"
    assert result["tree"][0][1][0] == mixed
    live.run("save", name="mixed")
    live.key(IMAGE_WINDOW, "ctrl+z")
    wait_for(lambda: live.run("layers")["tree"] == ["Background"], "one undo", 20)
    live.key(IMAGE_WINDOW, "ctrl+y")
    wait_for(lambda: live.run("layers")["tree"] == result["tree"], "one redo", 20)

    after = read_xcf(live.profile.out / "mixed.xcf")
    layer = after.layer(mixed)
    before = np.asarray(Image.open(live.profile.folder / "image.png"))
    np.testing.assert_array_equal(after.layer("Background").pixels[..., :3], before)
    assert (layer.x, layer.y, *layer.pixels.shape[:2]) == (152, 102, 96, 96)  # the soft selection
    shown = [round(255 * value) for value in half]
    seen = layer.pixels[layer.pixels[..., 3] > 0]
    assert np.abs(seen[:, :3].astype(int) - shown).max() <= 1
    stored = result_of(layer)
    assert stored.mix.pad is not None
    assert (stored.mix.pad.x, stored.mix.pad.y) == (0, 0.5)
    assert [parse_recipe(each).seed for each in stored.corner_recipes] == [8, 9, 10]

    answer = live.start("edit_selected", name=mixed)
    live.find_window(EDIT_DIALOG)
    until_large("what was inserted", half)
    wait_for(lambda: stands_still(live), "the daemon", 30)
    look(live, "pad-edit")
    left, top = pad_corner(live)
    move(0.0, 0.5)
    live.xdotool("mousedown", "1")
    move(1.0, 0.0)
    live.xdotool("mouseup", "1")
    until_large("all of the second one", color_of(8))
    look(live, "pad-edited")
    live.key(EDIT_DIALOG, "Escape")
    assert live.result(answer)["tree"] == result["tree"]


def test_layers_that_come_while_the_window_is_open_are_offered(
    live: LiveGimp, slow: FakeProcess
) -> None:
    remember_seed(live, 7)
    answer = begin(live)
    fill_and_wait(live, slow)
    live.key(IMAGE_WINDOW, "ctrl+shift+a", "ctrl+shift+d", "ctrl+period")  # a white copy

    def mix_with_the_last_but_one() -> bool:  # the last candidate, as long as the copy is unknown
        live.key(DIALOG, "alt+x", "End", "Up", *["Tab"] * 4, "End")
        found = places_of(live, (1, 1, 1))
        return int(np.count_nonzero((found < (335, 820)).all(1))) > 2000  # in the preview

    wait_for(mix_with_the_last_but_one, "the colors of the copy", 40)
    look(live, "white")
    live.key(DIALOG, "Escape")
    assert live.result(answer)["tree"] == ["Background copy", "Background"]


def wheel(live: LiveGimp, place: tuple[int, int], button: str) -> None:
    live.xdotool("mousemove", *map(str, place), "click", button)
    live.move_away()


def is_scrolled(before: NDArray[np.uint8], after: NDArray[np.uint8]) -> bool:
    """Whether the column has moved up and is otherwise as it was, every value of it."""
    old, new = before[SCROLLED], after[SCROLLED]
    return any(np.array_equal(new[:-by], old[by:]) for by in range(10, 200))


def test_the_wheel_scrolls_and_changes_only_what_has_the_focus(
    live: LiveGimp, slow: FakeProcess
) -> None:
    answer = begin(live)
    live.find_window(DIALOG)
    wait_for(lambda: stands_still(live), "the dialog to be drawn", 30)
    live.key(DIALOG, "Tab")  # away from the number of candidates, which has the focus at first
    wait_for(lambda: stands_still(live), "the focus to move", 10)
    top = look(live)
    for place in (CANDIDATES, VARIETY, CONTEXT, SMILE):
        wheel(live, place, WHEEL_DOWN)
        wait_for(lambda: is_scrolled(top, look(live)), f"the column to scroll at {place}", 10)
        wheel(live, place, WHEEL_UP)
        what = f"the column to scroll back at {place}"
        wait_for(lambda: np.array_equal(look(live)[SCROLLED], top[SCROLLED]), what, 10)
    live.click(*CANDIDATES)
    wheel(live, CANDIDATES, WHEEL_UP)  # has the focus: one more
    fill_and_wait(live, slow)
    wait_for(lambda: stands_still(live), "the last candidate", 30)
    live.key(DIALOG, "alt+i")
    assert len(live.result(answer)["tree"][0][1]) == 5


@pytest.fixture
def warning() -> Iterator[FakeProcess]:
    with fake_daemon("--warning", WARNING) as daemon:
        yield daemon


def height(live: LiveGimp, title: str) -> int:
    words = live.xdotool("getwindowgeometry", "--shell", live.find_window(title)).splitlines()
    return int(dict(word.split("=") for word in words)["HEIGHT"])


@pytest.mark.parametrize(
    ("language", "edit"),
    [
        ("en", EDIT_DIALOG),
        pytest.param("de", "^Füllung bearbeiten", marks=pytest.mark.next_host),
    ],
)
def test_both_dialogs_fit_a_small_screen(
    gimp: GimpHost,
    warm: Profile,
    plug_in: Path,
    warning: FakeProcess,
    screen: str,
    language: str,
    edit: str,
) -> None:
    """768 px with a title bar and a panel, and with a message in the dialog."""
    environment = {"INPAINT_SERVER": warning.address, "LANGUAGE": language}
    profile = new_profile(gimp, plug_in, like=warm, environment=environment)
    draw_image(profile.folder / "image.png")
    with profile.window(screen) as live:
        live.move_away()
        answer = begin(live, smooth="always")
        fill_and_wait(live, warning)
        wait_for(lambda: stands_still(live), "the last candidate", 30)
        look(live, "filled")
        assert height(live, DIALOG) <= 680
        live.key(DIALOG, "alt+i")
        names = live.result(answer)["tree"][0][1]
        assert len(names) == 5
        answer = live.start("edit_selected", name=names[0])
        live.find_window(edit)
        wait_for(lambda: stands_still(live), "the dialog to be drawn", 30)
        look(live, "edit")
        assert height(live, edit) <= 680
        live.key(edit, "Escape")
        live.result(answer)


def test_a_message_stays_until_it_is_dismissed(
    gimp: GimpHost, warm: Profile, plug_in: Path, warning: FakeProcess, screen: str
) -> None:
    environment = {"INPAINT_SERVER": warning.address}
    profile = new_profile(gimp, plug_in, like=warm, environment=environment)
    draw_image(profile.folder / "image.png")
    with profile.window(screen) as live:
        live.move_away()
        remember_seed(live, 7)
        answer = begin(live)
        live.find_window(DIALOG)
        wait_for(lambda: stands_still(live), "the dialog to be drawn", 30)
        nothing = look(live)[NOTICE]
        fill_and_wait(live, warning)
        wait_for(lambda: len(places(live, 7)) > 2000, "the first candidate, large", 30)
        wait_for(lambda: stands_still(live), "the last candidate", 30)
        message = look(live, "message")[NOTICE]
        assert not np.array_equal(message, nothing)
        live.key(DIALOG, "alt+j", "End")
        wait_for(lambda: len(places(live, 7, smile=3)) > 2000, "the slider's image", 30)
        assert np.array_equal(look(live)[NOTICE], message)
        live.click(*DISMISS)
        wait_for(lambda: np.array_equal(look(live)[NOTICE], nothing), "the message to go", 10)
        live.key(DIALOG, "alt+j", "Home")
        wait_for(lambda: len(places(live, 7, smile=-3)) > 2000, "the slider's image", 30)
        assert np.array_equal(look(live)[NOTICE], nothing)
        live.key(DIALOG, "Escape")
        live.result(answer)


def test_the_smooth_candidate_cannot_be_changed_and_the_dialog_explains_why(
    live: LiveGimp, slow: FakeProcess
) -> None:
    remember_seed(live, 7)
    answer = begin(live, smooth="always", candidates=1)
    fill_and_wait(live, slow)
    wait_for(lambda: len(places_of(live, SMOOTH_COLOR)) > 100, "the smooth one", 30)
    wait_for(lambda: stands_still(live), "the dialog to be drawn", 30)
    before = look(live)
    live.click(*thumbnail_of(live, SMOOTH_COLOR))
    wait_for(lambda: len(places_of(live, SMOOTH_COLOR)) > 2000, "the smooth one, large", 10)
    wait_for(lambda: stands_still(live), "the dialog to be drawn", 10)
    fixed = look(live, "smooth")
    assert not np.array_equal(fixed[WHY_FIXED], before[WHY_FIXED])
    live.key(DIALOG, "alt+j", "End", "alt+x", "End")
    live.click(*SMILE)
    wait_for(lambda: stands_still(live), "the dialog to be drawn", 10)
    assert len(places_of(live, SMOOTH_COLOR)) > 2000
    with pytest.raises(AssertionError, match="did not print"):
        slow.wait_for("edit ", 1)
    live.key(DIALOG, "alt+i")
    layers = live.result(answer)["tree"][0][1]
    assert layers == ["-1 · seed 7", "2 · smooth"]
    answer = live.start("edit_selected", name="2 · smooth")
    live.find_window(EDIT_DIALOG)
    wait_for(lambda: stands_still(live), "the dialog to be drawn", 30)
    look(live, "edit-smooth")
    live.key(EDIT_DIALOG, "alt+j", "End")
    with pytest.raises(AssertionError, match="did not print"):
        slow.wait_for("edit ", 1)
    live.key(EDIT_DIALOG, "Escape")
    live.result(answer)


def test_what_the_model_cannot_do_is_off_and_the_dialog_explains_why(
    gimp: GimpHost, warm: Profile, plug_in: Path, screen: str
) -> None:
    with fake_daemon("--single-candidate", "--no-edits") as daemon:
        environment = {"INPAINT_SERVER": daemon.address}
        profile = new_profile(gimp, plug_in, like=warm, environment=environment)
        draw_image(profile.folder / "image.png")
        with profile.window(screen) as live:
            live.move_away()
            remember_seed(live, 7)
            answer = begin(live)
            live.find_window(DIALOG)
            wait_for(lambda: stands_still(live), "the dialog to be drawn", 30)
            live.xdotool("mousemove", *map(str, CANDIDATES))
            time.sleep(1.5)  # until the tooltip is shown
            look(live, "single-idle")
            fill_and_wait(live, daemon)
            wait_for(lambda: len(places(live, 7)) > 2000, "the candidate, large", 30)
            wait_for(lambda: stands_still(live), "the dialog to be drawn", 30)
            look(live, "single-filled")
            live.click(*MORE)
            live.key(DIALOG, "alt+x", "End")
            with pytest.raises(AssertionError, match="did not print"):
                daemon.wait_for("fill ", 2)
            live.key(DIALOG, "alt+i")
            layers = live.result(answer)["tree"][0][1]
            assert layers == ["1 · seed 7"]
            answer = live.start("edit_selected", name="1 · seed 7")
            live.find_window(EDIT_DIALOG)
            wait_for(lambda: stands_still(live), "the dialog to be drawn", 30)
            look(live, "single-edit")
            live.key(EDIT_DIALOG, "Escape")
            live.result(answer)


def test_an_exception_in_a_callback_is_logged_and_shown(lonely: Profile, screen: str) -> None:
    broken = lonely.plug_ins / "inpaint-gimp/inpaint_gimp/ui/program.py"
    broken.write_text("def choose_program(parent):\n    raise RuntimeError('broken on demand')\n")
    draw_image(lonely.folder / "image.png")
    with lonely.window(screen) as live:
        live.move_away()
        answer = begin(live)
        live.find_window(DIALOG)
        wait_for(lambda: stands_still(live), "the dialog to be drawn", 30)
        nothing = look(live)[NOTICE]
        live.key(DIALOG, "alt+p")
        wait_for(lambda: not np.array_equal(look(live)[NOTICE], nothing), "the message", 10)
        wait_for(lambda: stands_still(live), "the dialog to be drawn", 10)
        look(live, "failed")
        assert height(live, DIALOG) <= 680
        assert "RuntimeError: broken on demand" in live.log()
        live.key(DIALOG, "Escape")
        assert live.result(answer)["status"] == "cancel"


WALK = """
import json
import time
from gi.repository import Atk, Gtk

CONTROLS = (Gtk.Button, Gtk.Entry, Gtk.Scale, Gtk.ComboBox, Gtk.Expander, Gtk.ProgressBar)
calls = []


def show_manual(parent, say):
    calls.append(1)
    if len(calls) == 1:
        end = time.monotonic() + 10
        while not has_sliders(parent) and time.monotonic() < end:
            Gtk.main_iteration_do(False)  # the daemon's answer brings the sliders
        for button in buttons(parent):
            if button.get_label() == "_Help":
                button.clicked()
        with open({out!r}, "w") as file:
            json.dump([len(calls), list(walk(parent, ""))], file)


def has_sliders(parent):
    widths = [each[4] for each in walk(parent, "") if each[0] == "Scale" and each[5]]
    return len(widths) > 2 and min(widths) > 1


def buttons(widget):
    if isinstance(widget, Gtk.Button) and widget.get_mapped():
        yield widget
    elif isinstance(widget, Gtk.Container):
        for child in widget.get_children():
            yield from buttons(child)


def walk(widget, tip):
    tip = widget.get_tooltip_text() or tip
    if isinstance(widget, CONTROLS) and widget.get_child_visible():
        heard = widget.get_accessible()
        label = heard.ref_relation_set().contains(Atk.RelationType.LABELLED_BY)
        kind = type(widget).__name__
        width = widget.get_allocated_width()
        yield [kind, heard.get_name() or "", bool(label), tip, width, widget.get_mapped()]
    if isinstance(widget, Gtk.Container) and not isinstance(widget, Gtk.ComboBox):
        for child in widget.get_children():
            yield from walk(child, tip)
"""


@pytest.mark.parametrize("edit", [False, True])
def test_every_control_has_a_name_and_a_tip_and_help_is_ours(
    gimp: GimpHost, warm: Profile, plug_in: Path, slow: FakeProcess, screen: str, edit: bool
) -> None:
    environment = {"INPAINT_SERVER": slow.address}
    profile = new_profile(gimp, plug_in, like=warm, environment=environment)
    draw_image(profile.folder / "image.png")
    manual = profile.plug_ins / "inpaint-gimp/inpaint_gimp/ui/manual.py"
    out = profile.out / "widgets.json"
    with profile.window(screen) as live:
        live.move_away()
        remember_seed(live, 7)
        if edit:
            answer = begin(live)
            fill_and_wait(live, slow)
            wait_for(lambda: stands_still(live), "the last candidate", 30)
            live.key(DIALOG, "alt+i")
            names = live.result(answer)["tree"][0][1]
            manual.write_text(WALK.replace("{out!r}", repr(str(out))))
            answer = live.start("edit_selected", name=names[0])
        else:
            manual.write_text(WALK.replace("{out!r}", repr(str(out))))
            answer = begin(live)
        window = EDIT_DIALOG if edit else DIALOG
        live.find_window(window)
        wait_for(lambda: stands_still(live), "the dialog to be drawn", 30)
        look(live, "before-help")
        live.key(window, "F1")
        wait_for(out.is_file, "the manual to be asked for", 20)
        wait_for(lambda: bool(out.read_text()), "the list", 5)
        calls, controls = json.loads(out.read_text())
        live.key(window, "Escape")
        live.result(answer)
    assert calls == 2, "F1 and the button Help lead to the manual of the plug-in"
    assert len(controls) > 10
    nameless = [each for each in controls if not each[1] and not each[2]]
    without_tip = [each for each in controls if not each[3] and each[1] not in OF_GIMP]
    assert nameless == []
    assert without_tip == []
    widths = [each[4] for each in controls if each[0] == "Scale" and each[5]]
    assert widths
    assert min(widths) >= 120


LETTERS = """
import json
from gi.repository import Gdk, Gtk

pages = []


def show_manual(parent, say):
    for each in walk(parent):
        if isinstance(each, Gtk.Expander):
            each.set_expanded(True)
    pages.append([mnemonic(each) for each in walk(parent) if mnemonic(each)])
    with open({out!r}, "w") as file:
        json.dump(pages, file)


def walk(widget):
    yield widget
    if isinstance(widget, Gtk.Container):
        for child in widget.get_children():
            yield from walk(child)


def mnemonic(label):
    if not isinstance(label, Gtk.Label) or label.get_mnemonic_keyval() == Gdk.KEY_VoidSymbol:
        return None
    button = label.get_ancestor(Gtk.Button)
    # Those that come and go count everywhere, the ones that cannot be pressed do not.
    if button is not None and button.get_visible() and not button.is_sensitive():
        return None
    return [chr(Gdk.keyval_to_unicode(label.get_mnemonic_keyval())).lower(), label.get_text()]
"""
NEVER_TOGETHER = [{"Stop", "Choose program…"}, {"Stopp", "Programm wählen …"}]
OF_ENGLISH_GIMP = {"Cancel", "Help", "Reset", "Load Saved Settings", "Save Settings"}


@pytest.mark.parametrize(("language", "edit"), [("en", EDIT_DIALOG), ("de", "^Füllung bearbeiten")])
def test_no_two_controls_of_a_page_share_a_mnemonic(
    gimp: GimpHost,
    warm: Profile,
    plug_in: Path,
    slow: FakeProcess,
    screen: str,
    language: str,
    edit: str,
) -> None:
    environment = {"INPAINT_SERVER": slow.address, "LANGUAGE": language}
    profile = new_profile(gimp, plug_in, like=warm, environment=environment)
    draw_image(profile.folder / "image.png")
    manual = profile.plug_ins / "inpaint-gimp/inpaint_gimp/ui/manual.py"
    out = profile.out / "letters.json"
    manual.write_text(LETTERS.replace("{out!r}", repr(str(out))))

    def page(live: LiveGimp, title: str, number: int) -> list[list[str]]:
        wait_for(lambda: stands_still(live), "the dialog to be drawn", 30)
        live.key(title, "F1")
        wait_for(lambda: out.is_file() and out.read_text().endswith("]]]"), "the list", 20)
        pages = json.loads(out.read_text())
        assert len(pages) == number
        return list(pages[-1])

    with profile.window(screen) as live:
        live.move_away()
        answer = begin(live)
        live.find_window(DIALOG)
        pages = [page(live, DIALOG, 1)]
        look(live, "letters")
        fill_and_wait(live, slow)
        pages.append(page(live, DIALOG, 2))
        live.key(DIALOG, "alt+i")
        names = live.result(answer)["tree"][0][1]
        out.unlink()
        answer = live.start("edit_selected", name=names[0])
        live.find_window(edit)
        pages.append(page(live, edit, 1))
        live.key(edit, "Escape")
        live.result(answer)
    assert min(map(len, pages)) > 8
    for letters in pages:
        texts: dict[str, set[str]] = {}
        for letter, text in letters:
            if language == "en" or text not in OF_ENGLISH_GIMP:  # this GIMP has no German
                texts.setdefault(letter, set()).add(text)
        shared = [each for each in texts.values() if len(each) > 1]
        assert [each for each in shared if each not in NEVER_TOGETHER] == []


# Buttons and lists that GIMP makes in every dialog of a filter, without tips of their own.
OF_GIMP = {
    "Help",
    "Reset",
    "Cancel",
    "OK",
    "Fill",
    "Insert",
    "Save Settings",
    "Load Saved Settings",
}


def test_help_opens_the_manual_in_the_browser(
    gimp: GimpHost, warm: Profile, plug_in: Path, slow: FakeProcess, screen: str
) -> None:
    environment = {"INPAINT_SERVER": slow.address}
    profile = new_profile(gimp, plug_in, like=warm, environment=environment)
    draw_image(profile.folder / "image.png")
    opened = profile.out / "opened"
    browser = profile.folder / "bin/browser"
    browser.parent.mkdir(exist_ok=True)
    browser.write_text(f'#!/bin/sh\necho "$1" > {opened}\n')
    browser.chmod(0o755)
    applications = profile.folder / "home/.local/share/applications"
    applications.mkdir(parents=True, exist_ok=True)
    (applications / "browser.desktop").write_text(
        f"[Desktop Entry]\nType=Application\nName=Browser\nExec={browser} %u\nMimeType=text/html;\n"
    )
    settings = profile.folder / "config/mimeapps.list"
    settings.parent.mkdir(exist_ok=True)
    settings.write_text("[Default Applications]\ntext/html=browser.desktop\n")
    with profile.window(screen) as live:
        live.move_away()
        answer = begin(live)
        live.find_window(DIALOG)
        wait_for(lambda: stands_still(live), "the dialog to be drawn", 30)
        live.key(DIALOG, "F1")
        wait_for(opened.is_file, "the browser", 20)
        wait_for(lambda: "Manual.html" in opened.read_text(), "the address", 5)
        live.key(DIALOG, "Escape")
        live.result(answer)
    assert opened.read_text().strip().endswith("inpaint_gimp/Manual.html")


def test_help_shows_the_path_of_the_manual_if_nothing_can_open_it(
    live: LiveGimp, slow: FakeProcess
) -> None:
    answer = begin(live)
    live.find_window(DIALOG)
    wait_for(lambda: stands_still(live), "the dialog to be drawn", 30)
    nothing = look(live)[NOTICE]
    live.key(DIALOG, "F1")
    wait_for(lambda: not np.array_equal(look(live)[NOTICE], nothing), "the place", 20)
    look(live, "help")
    live.key(DIALOG, "Escape")
    live.result(answer)


def cancel_button(live: LiveGimp, window: str) -> tuple[int, int]:
    """Where the status bar has its Cancel, right of the progress bar.

    A fresh profile always begins with the same layout: the docks right of it are 231 px wide.
    """
    words = live.xdotool("getwindowgeometry", "--shell", window).splitlines()
    geometry = {name: int(value) for name, value in (word.split("=") for word in words)}
    right, bottom = geometry["X"] + geometry["WIDTH"], geometry["Y"] + geometry["HEIGHT"]
    return right - 282, bottom - 17
