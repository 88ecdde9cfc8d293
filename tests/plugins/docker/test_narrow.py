"""The docker at its narrowest, in every language: complete, readable and described."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from fake_daemon import Script
from inpaint_krita import text
from inpaint_krita.app.state import Notice, NoticeAction
from inpaint_krita.host.qt import QtCore, QtGui, QtWidgets
from inpaint_krita.ui.mixer_pad import PadView
from inpaint_krita.ui.narrow import (
    ElidedButton,
    ElidedCheck,
    ElidedLabel,
    ElidedList,
    ElidedMenuButton,
)
from inpaint_krita.ui.parts import LEAST_SLIDER
from inpaint_krita.ui.results import Grid
from krita_docker import Docker, fill, press, until

NARROW = 240
ELIDED = (ElidedButton, ElidedCheck, ElidedLabel, ElidedList, ElidedMenuButton)
CONTROLS = (
    QtWidgets.QAbstractButton,
    QtWidgets.QComboBox,
    QtWidgets.QAbstractSpinBox,
    QtWidgets.QSlider,
    QtWidgets.QProgressBar,
    Grid,
    PadView,
)


@pytest.fixture(params=["en", "de"])
def language(request: pytest.FixtureRequest) -> Iterator[str]:
    text.CATALOG.use_languages([request.param])
    yield request.param
    text.CATALOG.use_languages(["en"])


@pytest.fixture
def narrow(language: str, docker: Docker) -> Docker:
    """As much as can be seen at once."""
    fill(docker)
    controller, panel = docker.controller, docker.panel
    controller.set_option(
        context="frame", edits_for_new=True, also_without_edits=True, smooth="always"
    )
    controller.propose_frame()
    controller.star(0)
    controller.star(1)
    controller.edit("smile", 1.0)
    panel.resize(NARROW, 600)
    settle()
    return docker


def settle() -> None:
    """Let layouts settle: one that folds requests a new layout from its parents."""
    for _ in range(20):
        QtWidgets.QApplication.processEvents()


def shown(root: QtWidgets.QWidget, kind: type[QtWidgets.QWidget]) -> list[QtWidgets.QWidget]:
    return [each for each in root.findChildren(kind) if each.isVisible() and not is_inner(each)]


def is_inner(widget: QtWidgets.QWidget) -> bool:
    """Whether it is a part of one of Qt's own controls."""
    return widget.objectName().startswith("qt_")


def check_nothing_is_cut(panel: QtWidgets.QWidget) -> None:
    assert panel.width() == NARROW
    for area in panel.findChildren(QtWidgets.QScrollArea):
        contents, viewport = area.widget(), area.viewport()
        assert contents is not None
        assert viewport is not None
        assert contents.minimumSizeHint().width() <= viewport.width()
        assert contents.width() == viewport.width()
    for widget in shown(panel, QtWidgets.QWidget):
        parent = widget.parentWidget()
        if parent is None or isinstance(widget, QtWidgets.QScrollBar):
            continue
        what = f"{type(widget).__name__} {describe(widget)}"
        assert widget.x() >= 0, what
        assert widget.geometry().right() <= parent.width(), what
        if isinstance(widget, ELIDED):
            continue
        if isinstance(widget, QtWidgets.QLabel) and widget.wordWrap():
            assert widget.height() >= widget.heightForWidth(widget.width()), what
        elif isinstance(widget, (QtWidgets.QLabel, QtWidgets.QAbstractButton)):
            assert widget.width() >= widget.minimumSizeHint().width(), what
    sliders = shown(panel, QtWidgets.QSlider)
    assert sliders
    assert min(slider.width() for slider in sliders) >= LEAST_SLIDER
    spins = shown(panel, QtWidgets.QAbstractSpinBox)
    assert spins
    for spin in spins:
        assert isinstance(spin, QtWidgets.QAbstractSpinBox)
        assert spin.fontMetrics().horizontalAdvance(spin.text()) < spin.width(), describe(spin)


def describe(widget: QtWidgets.QWidget) -> str:
    words = widget.property("text")
    return widget.accessibleName() or str(words or widget.objectName())


def test_nothing_is_cut_at_240_px(narrow: Docker) -> None:
    check_nothing_is_cut(narrow.panel)


def test_nothing_is_cut_during_a_run(language: str, docker: Docker, script: Script) -> None:
    script.delay_s = 0.3
    docker.panel.resize(NARROW, 600)
    docker.panel.run_row.go.click()
    settle()
    assert docker.panel.run_row.stop.isVisible()
    check_nothing_is_cut(docker.panel)
    docker.controller.cancel()


def test_nothing_is_cut_with_the_mixer_pad_open(narrow: Docker) -> None:
    state, form = narrow.controller.state, narrow.panel.mix
    assert state.first_pad is not None
    narrow.controller.remix(state.mix.with_pad(state.first_pad))
    settle()
    assert form.pad.isVisible()
    check_nothing_is_cut(narrow.panel)
    square = form.pad.square()
    assert square.width() == square.height() == form.pad.height()
    assert form.pad.toolTip()
    assert form.pad.accessibleName()


def test_nothing_is_cut_in_a_message(narrow: Docker) -> None:
    narrow.panel.notice.draw(
        Notice(
            "One long sentence. " * 8, action=NoticeAction.AGAIN, action_label="A long label " * 5
        )
    )
    settle()
    check_nothing_is_cut(narrow.panel)


def test_the_names_of_sliders_go_above_them_without_room_next_to_them(
    language: str, docker: Docker
) -> None:
    slider = docker.panel.edits.sliders["smile"]
    docker.panel.resize(400, 600)
    settle()
    beside = slider.mapTo(docker.panel.edits, QtCore.QPoint()).x()
    docker.panel.resize(NARROW, 600)
    settle()
    assert slider.mapTo(docker.panel.edits, QtCore.QPoint()).x() < beside
    assert slider.slider.width() >= LEAST_SLIDER


def test_numbers_have_the_decimal_mark_of_the_language(language: str, docker: Docker) -> None:
    """The texts' mark is English or German; the fields' is German or Krita's."""
    panel = docker.panel
    mark = {"en": QtCore.QLocale().decimalPoint(), "de": ","}[language]
    assert panel.form.variety.spin.text() == f"0{mark}80"
    panel.edits.apply.click()
    panel.edits.sliders["smile"].spin.setValue(1.0)
    until(panel.run_row.remark.isVisible)
    assert panel.run_row.remark.text().endswith(
        {"en": "Smile +1.0", "de": "Lächeln +1,0"}[language]
    )
    field = panel.edits.sliders["smile"].spin
    field.selectAll()
    for key in f"0{mark}3":
        press(field, QtCore.Qt.Key.Key_unknown, key)
    field.interpretText()
    assert field.value() == pytest.approx(0.3)


def test_the_tooltip_of_an_elided_text_is_complete(narrow: Docker) -> None:
    button = ElidedButton("A label that cannot fit", narrow.panel)
    button.setToolTip("And what it does.")
    button.resize(60, 24)
    button.show()
    _point_at(button)
    assert QtWidgets.QToolTip.text() == "A label that cannot fit\nAnd what it does."
    button.resize(400, 24)
    _point_at(button)
    assert QtWidgets.QToolTip.text() == "And what it does."


def _point_at(widget: QtWidgets.QWidget) -> None:
    """Let the pointer rest there."""
    place = QtCore.QPoint(5, 5)
    QtWidgets.QToolTip.hideText()
    event = QtGui.QHelpEvent(QtCore.QEvent.Type.ToolTip, place, widget.mapToGlobal(place))
    QtWidgets.QApplication.sendEvent(widget, event)


def test_every_control_has_a_description(narrow: Docker) -> None:
    """With a tooltip, and with a name for screen readers."""
    narrow.panel.notice.draw(
        Notice("It failed.", action=NoticeAction.AGAIN, action_label="Try again")
    )
    controls = [each for kind in CONTROLS for each in shown_or_not(narrow.panel, kind)]
    assert len(controls) > 30
    nameless = [each for each in controls if not (each.accessibleName() or each.property("text"))]
    assert nameless == [], [type(each).__name__ for each in nameless]
    untold = [describe(each) for each in controls if not each.toolTip()]
    assert untold == []


def shown_or_not(root: QtWidgets.QWidget, kind: type[QtWidgets.QWidget]) -> list[QtWidgets.QWidget]:
    """Controls that can come into sight; an icon's carrier and Qt's own parts never do."""
    return [
        each
        for each in root.findChildren(kind)
        if not is_inner(each) and each.isVisibleTo(each.parentWidget())
    ]
