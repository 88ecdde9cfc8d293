"""The mixer pad in the docker: dragging its dot mixes four candidates live."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from fake_daemon import FakeDaemon, Script
from fake_krita import FakeDocument
from inpaint_client.requests import StyleLevel
from inpaint_client.session.mixer_pad import MixerPad
from inpaint_krita.host.qt import QtCore, QtGui, QtWidgets
from inpaint_krita.ui.mixer_pad import PadView
from krita_docker import Docker, bgra, center, fill, mix_with, until

ENTRY = "Several: mixer pad"
KINDS = QtCore.QEvent.Type
CTRL = QtCore.Qt.KeyboardModifier.ControlModifier


@pytest.fixture
def four(docker: Docker) -> Docker:
    """Four candidates with the seeds 5 to 8, and the pad open for the first one."""
    docker.controller.set_option(candidates=4)
    fill(docker)
    mix_with(docker, ENTRY)
    settle(docker)
    return docker


def settle(docker: Docker) -> None:
    until(lambda: not docker.panel.mix._timer.isActive() and not docker.controller.is_busy)


def mouse(pad: PadView, kind: QtCore.QEvent.Type, place: QtCore.QPointF) -> None:
    left, none = QtCore.Qt.MouseButton.LeftButton, QtCore.Qt.MouseButton.NoButton
    held = none if kind == KINDS.MouseButtonRelease else left
    pressed = none if kind == KINDS.MouseMove else left
    globally = QtCore.QPointF(pad.mapToGlobal(place.toPoint()))
    modifiers = QtCore.Qt.KeyboardModifier.NoModifier
    event = QtGui.QMouseEvent(kind, place, globally, pressed, held, modifiers)
    QtWidgets.QApplication.sendEvent(pad, event)


def drag(docker: Docker, *stops: tuple[float, float]) -> None:
    pad = docker.panel.mix.pad
    mouse(pad, KINDS.MouseButtonPress, pad.place(pad.pad.x, pad.pad.y))
    for x, y in stops:
        mouse(pad, KINDS.MouseMove, pad.place(x, y))
        settle(docker)
    mouse(pad, KINDS.MouseButtonRelease, pad.place(*stops[-1]))
    settle(docker)


def weighted(*shares: float) -> tuple[int, ...]:
    colors = [bgra(5 + k) for k in range(len(shares))]
    return tuple(
        round(sum(share * color[channel] for share, color in zip(shares, colors, strict=True)))
        for channel in range(4)
    )


def is_near(pixel: bytes, expected: tuple[int, ...]) -> bool:
    return all(abs(a - b) <= 1 for a, b in zip(pixel, expected, strict=True))


def key(pad: PadView, code: QtCore.Qt.Key, modifiers: QtCore.Qt.KeyboardModifier) -> None:
    """Press a key as Krita's window gets it: the pad has to claim it first."""
    pad.setFocus()
    until(pad.hasFocus)
    for kind in (KINDS.ShortcutOverride, KINDS.KeyPress):
        event = QtGui.QKeyEvent(kind, code, modifiers)
        event.setAccepted(kind == KINDS.KeyPress)
        QtWidgets.QApplication.sendEvent(pad, event)
        assert event.isAccepted()


def test_the_pad_opens_with_the_dot_on_the_chosen_candidate(
    four: Docker, daemon: FakeDaemon
) -> None:
    form = four.panel.mix
    assert form.pad.isVisibleTo(form)
    assert not form.amount.isVisibleTo(form)
    run = four.controller.state.run
    assert run is not None
    layers = [result.layer for result in run.results]
    assert form.pad.pad == MixerPad((layers[1], layers[2], layers[3]))
    assert form.pad.shares_in_words() == "1 · seed 5: 100%"
    assert center(four, 0) == bgra(5)
    mix_with(four, "None")
    settle(four)
    assert not form.pad.isVisibleTo(form)
    assert form.amount.isVisibleTo(form)
    assert not any(edit.HasField("mixing") for edit in daemon.service.edits)


def test_dragging_the_dot_mixes_on_the_canvas(four: Docker) -> None:
    drag(four, (0.5, 0.5))
    assert is_near(center(four, 0), weighted(0.25, 0.25, 0.25, 0.25))
    drag(four, (0.6, 0.4), (1.0, 0.0))
    assert is_near(center(four, 0), weighted(0, 1))
    drag(four, (0.25, 0.5))
    assert is_near(center(four, 0), weighted(0.375, 0.125, 0.375, 0.125))
    words = four.panel.mix.pad.accessibleDescription()
    assert words == "1 · seed 5: 38%, 2 · seed 6: 12%, 3 · seed 7: 38%, 4 · seed 8: 12%"
    four.panel.edits.sliders["smile"].spin.setValue(1.0)  # edits come on top
    until(lambda: not four.panel.edits._pending and not four.controller.is_busy)
    smiling, plain = bgra(5, 1.0), bgra(5)
    expected = [
        a + round(0.375 * (b - c))
        for a, b, c in zip(weighted(0.375, 0.125, 0.375, 0.125), smiling, plain, strict=True)
    ]
    assert is_near(center(four, 0), tuple(expected))
    drag(four, (0.0, 0.0))
    assert center(four, 0) == smiling


def test_one_drag_is_one_step_back(four: Docker) -> None:
    pad = four.panel.mix.pad
    drag(four, (0.2, 0.2), (0.5, 0.4), (0.5, 0.5))
    drag(four, (1.0, 1.0))
    assert is_near(center(four, 0), weighted(0, 0, 0, 1))
    key(pad, QtCore.Qt.Key.Key_Z, CTRL)
    until(lambda: is_near(center(four, 0), weighted(0.25, 0.25, 0.25, 0.25)))
    settle(four)
    assert (pad.pad.x, pad.pad.y) == (0.5, 0.5)
    key(pad, QtCore.Qt.Key.Key_Z, CTRL)
    until(lambda: center(four, 0) == bgra(5))
    settle(four)
    assert (pad.pad.x, pad.pad.y) == (0, 0)


def test_arrow_keys_move_the_dot_and_home_puts_it_back(four: Docker) -> None:
    pad, none = four.panel.mix.pad, QtCore.Qt.KeyboardModifier.NoModifier
    codes = QtCore.Qt.Key
    key(pad, codes.Key_Right, none)
    key(pad, codes.Key_Right, none)
    key(pad, codes.Key_Down, none)
    key(pad, codes.Key_Left, QtCore.Qt.KeyboardModifier.ShiftModifier)
    settle(four)
    assert (pad.pad.x, pad.pad.y) == (0.09, 0.05)
    own, right, below = 0.91 * 0.95, 0.09 * 0.95, 0.91 * 0.05
    assert is_near(center(four, 0), weighted(own, right, below, 1 - own - right - below))
    key(pad, codes.Key_Home, none)
    settle(four)
    assert center(four, 0) == bgra(5)


def test_levels_apply_to_all_corners(four: Docker, daemon: FakeDaemon) -> None:
    drag(four, (0.5, 0.5))
    four.panel.mix.levels[StyleLevel.STRUCTURE].click()
    settle(four)
    sent = daemon.service.edits[-1]
    for mixing in (sent.mixing, *sent.further_mixing):
        levels = [StyleLevel(each) for each in mixing.levels]
        assert levels == [StyleLevel.FEATURES, StyleLevel.COLORS]
    assert len(sent.further_mixing) == 2


def entries(menu: QtWidgets.QMenu) -> dict[str, QtGui.QAction]:
    return {action.text(): action for action in menu.actions()}


def test_another_candidate_is_chosen_for_a_corner(four: Docker, daemon: FakeDaemon) -> None:
    pad = four.panel.mix.pad
    drag(four, (1.0, 0.0))
    mouse(pad, KINDS.MouseButtonPress, pad.arrow_box(0).center())
    menu = next(each for each in pad.findChildren(QtWidgets.QMenu) if each.isVisible())
    shown = entries(menu)
    assert list(shown) == ["2 · seed 6", "3 · seed 7", "4 · seed 8"]
    assert [text for text, action in shown.items() if action.isChecked()] == ["2 · seed 6"]
    shown["4 · seed 8"].trigger()
    menu.close()
    settle(four)
    assert is_near(center(four, 0), weighted(0, 0, 0, 1))
    assert (pad.pad.x, pad.pad.y) == (1, 0)
    run = four.controller.state.run
    assert run is not None
    layers = [result.layer for result in run.results]
    assert pad.pad.corners == (layers[3], layers[2], layers[1])


def test_the_menu_key_offers_every_corner(four: Docker) -> None:
    pad = four.panel.mix.pad
    reason = QtGui.QContextMenuEvent.Reason.Keyboard
    QtWidgets.QApplication.sendEvent(pad, QtGui.QContextMenuEvent(reason, QtCore.QPoint(5, 5)))
    menu = next(each for each in pad.findChildren(QtWidgets.QMenu) if each.isVisible())
    assert list(entries(menu)) == ["Top right", "Bottom left", "Bottom right"]
    menu.close()


def test_the_corner_of_the_chosen_one_keeps_its_image_while_it_is_mixed(four: Docker) -> None:
    pad = four.panel.mix.pad

    def shades() -> list[tuple[int, ...]]:
        images = [pad.own.thumbnail, *(each.thumbnail for each in pad.others)]
        colors = [image.pixelColor(96, 96) for image in images if image is not None]
        return [(color.blue(), color.green(), color.red(), 255) for color in colors]

    plain = [tuple(bgra(seed)) for seed in (5, 6, 7, 8)]
    until(lambda: shades() == plain)
    drag(four, (1.0, 1.0))
    until(lambda: not four.controller._session._queue.is_busy)  # type: ignore[union-attr]
    assert shades() == plain
    assert four.controller.state.strip.thumbnails[0] is not None
    assert four.controller.state.strip.thumbnails[0] != pad.own.thumbnail


def test_each_candidate_has_its_own_pad(four: Docker) -> None:
    drag(four, (0.5, 0.5))
    four.controller.choose(1)
    assert four.panel.mix.other.currentText() == "None"
    four.controller.choose(0)
    assert four.panel.mix.other.currentText() == ENTRY
    assert (four.panel.mix.pad.pad.x, four.panel.mix.pad.pad.y) == (0.5, 0.5)
    mix_with(four, "3 · seed 7")  # replaces the pad
    settle(four)
    assert not four.panel.mix.pad.isVisibleTo(four.panel.mix)
    assert is_near(center(four, 0), weighted(0.5, 0, 0.5))


def reopen(docker: Docker) -> Docker:
    copy = FakeDocument()
    copy.annotations = docker.document.annotations
    copy.root, copy.layers = docker.document.root, docker.document.layers
    docker.host.document = copy
    docker.controller.document_changed()
    return docker._replace(document=copy)


def test_a_reopened_document_has_the_dot_where_it_was(four: Docker, daemon: FakeDaemon) -> None:
    drag(four, (0.5, 0.25))
    again = reopen(four)
    form = again.panel.mix
    assert form.other.currentText() == ENTRY
    assert (form.pad.pad.x, form.pad.pad.y) == pytest.approx((0.5, 0.25), abs=0.003)
    assert form.pad.own.thumbnail is None  # only its mixture is known
    drag(again, (1.0, 0.0))
    sent = daemon.service.edits[-1]
    assert json.loads(sent.source.recipe)["mixed"] is False
    assert is_near(center(again, 0), weighted(0, 1))


def test_three_candidates_leave_a_corner_empty(docker: Docker) -> None:
    fill(docker)
    mix_with(docker, ENTRY)
    pad = docker.panel.mix.pad
    assert [bool(corner) for corner in pad.pad.corners] == [True, True, False]
    drag(docker, (1.0, 1.0))
    assert is_near(center(docker, 0), weighted(0, 0.5, 0.5))
    mouse(pad, KINDS.MouseButtonPress, pad.arrow_box(2).center())  # no button there
    assert not [each for each in pad.findChildren(QtWidgets.QMenu) if each.isVisible()]
    mouse(pad, KINDS.MouseButtonRelease, pad.arrow_box(2).center())
    settle(docker)


def test_two_candidates_need_no_pad(docker: Docker) -> None:
    docker.controller.set_option(candidates=2)
    fill(docker)
    assert docker.panel.mix.other.findText("2 · seed 6") > 0
    assert docker.panel.mix.other.findText(ENTRY) < 0


class TestOlderDaemon:
    @pytest.fixture
    def script(self) -> Script:
        return Script(max_mixings=0)

    def test_the_pad_is_not_offered(self, docker: Docker) -> None:
        fill(docker)
        assert docker.panel.mix.other.findText("3 · seed 7") > 0
        assert docker.panel.mix.other.findText(ENTRY) < 0

    def test_a_pad_of_an_earlier_session_is_shown_and_says_why_it_is_fixed(
        self, docker: Docker, daemon: FakeDaemon
    ) -> None:
        fill(docker)
        state = docker.controller.state
        assert state.run is not None
        layers = [result.layer for result in state.run.results]
        pad = MixerPad((layers[1], layers[2], ""), 0.5, 0.5)
        docker.panel.mix.draw(replace(state, mix=state.mix.with_pad(pad)))
        form = docker.panel.mix
        assert form.other.currentText() == ENTRY
        assert form.pad.isVisibleTo(form)
        assert not form.pad.isEnabled()
        assert "older" in form.pad.toolTip()
        assert not form.levels[StyleLevel.COLORS].isEnabled()
        docker.controller.remix(state.mix.with_pad(pad))
        assert daemon.service.edits == []
        notice = docker.controller.state.notice
        assert notice is not None
        assert "older" in notice.text
