"""No exception leaves what Qt and Krita call, and none of these places is forgotten."""

from __future__ import annotations

import ast
import gc
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
pytest.importorskip("PyQt6.QtWidgets", reason="PyQt6 is not installed (pip install PyQt6)")

import inpaint_krita
from inpaint_krita.host.guard import (
    connect,
    guarded,
    guarded_or,
    later,
    on_failure,
)
from inpaint_krita.host.qt import QtCore, QtGui, QtWidgets
from krita_alarms import alarms

PACKAGE = Path(inpaint_krita.__file__).parent
SOURCES = {
    path.relative_to(PACKAGE).as_posix(): ast.parse(path.read_text("utf-8"))
    for path in PACKAGE.rglob("*.py")
    if "_vendor" not in path.parts
}
KRITAS = {"setup", "createActions", "canvasChanged"}  # methods that Krita calls by their names
KRITAS_CLASSES = {"Extension", "DockWidget"}


@pytest.fixture(scope="module", autouse=True)
def application() -> QtCore.QCoreApplication:
    return QtWidgets.QApplication.instance() or QtWidgets.QApplication(["test"])


@pytest.fixture
def seen() -> Iterator[list[str]]:
    with alarms() as texts:
        yield texts


class Sender(QtCore.QObject):
    nothing = QtCore.pyqtSignal()
    number = QtCore.pyqtSignal(int)
    pair = QtCore.pyqtSignal(int, str)


class Receiver(QtCore.QObject):
    def __init__(self) -> None:
        super().__init__()
        self.got: list[object] = []

    def take_none(self) -> None:
        self.got.append("none")

    def take_one(self, value: object) -> None:
        self.got.append(value)

    def take_all(self, *values: object) -> None:
        self.got.append(values)

    def fail(self) -> None:
        raise ZeroDivisionError("in a slot")


class Broken(QtWidgets.QWidget):
    """Fails wherever Qt calls it."""

    @guarded
    def paintEvent(self, event: QtGui.QPaintEvent | None) -> None:  # noqa: N802
        painter = QtGui.QPainter(self)
        raise ZeroDivisionError(f"with an open {painter}")

    @guarded_or(QtCore.QSize(7, 9))
    def sizeHint(self) -> QtCore.QSize:  # noqa: N802
        raise ZeroDivisionError("no size")

    @guarded_or(False)
    def eventFilter(  # noqa: N802
        self, watched: QtCore.QObject | None, event: QtCore.QEvent | None
    ) -> bool:
        raise ZeroDivisionError("no opinion")


# -- what the guard does -------------------------------------------------------------------------


def test_a_slot_gets_as_many_arguments_as_it_takes(seen: list[str]) -> None:
    sender, receiver = Sender(), Receiver()
    connect(sender.pair, receiver.take_none)
    connect(sender.pair, receiver.take_one)
    connect(sender.pair, receiver.take_all)
    connect(sender.pair, lambda number: receiver.take_one(-number))
    connect(sender.pair, sender.number)
    connect(sender.number, receiver.take_one)
    sender.pair.emit(3, "three")
    assert receiver.got == ["none", 3, (3, "three"), -3, 3]
    assert not seen


def test_a_slot_that_fails_is_logged_and_the_next_one_is_called(seen: list[str]) -> None:
    sender, receiver = Sender(), Receiver()
    rang = Receiver()
    on_failure(rang.take_none)
    connect(sender.nothing, receiver.fail)
    connect(sender.nothing, receiver.take_none)
    sender.nothing.emit()
    assert receiver.got == ["none"]
    (text,) = seen
    assert "Receiver.fail failed" in text
    assert "ZeroDivisionError: in a slot" in text
    assert rang.got == []  # not yet: it may be in the middle of painting
    QtWidgets.QApplication.processEvents()
    assert rang.got == ["none"]


def test_a_slot_does_not_keep_its_object_alive(seen: list[str]) -> None:
    sender, receiver = Sender(), Receiver()
    got = receiver.got
    connect(sender.nothing, receiver.take_none)
    connect(sender.nothing, receiver.fail)
    sender.nothing.emit()
    del receiver
    gc.collect()
    sender.nothing.emit()
    assert got == ["none"]
    assert len(seen) == 1


def test_a_timer_that_fails_is_logged(seen: list[str]) -> None:
    receiver = Receiver()
    later(0, receiver.fail)
    later(0, lambda: receiver.take_one("after it"))
    _turn(lambda: receiver.got)
    assert receiver.got == ["after it"]
    assert len(seen) == 1


def test_a_widget_that_cannot_be_painted_does_no_harm(seen: list[str]) -> None:
    widget = Broken()
    assert widget.sizeHint() == QtCore.QSize(7, 9)
    widget.show()
    _turn(lambda: any("with an open" in text for text in seen))
    target = QtGui.QImage(20, 20, QtGui.QImage.Format.Format_ARGB32)
    widget.render(target)
    widget.close()
    widget.deleteLater()
    del widget
    gc.collect()  # aborts the process if a painter is still open
    QtWidgets.QApplication.processEvents()


def test_an_event_filter_that_fails_lets_the_event_pass(seen: list[str]) -> None:
    watched, broken = QtWidgets.QCheckBox(), Broken()
    watched.installEventFilter(broken)
    QtWidgets.QApplication.sendEvent(watched, QtCore.QEvent(QtCore.QEvent.Type.User))
    assert any("no opinion" in text for text in seen)
    watched.removeEventFilter(broken)


def _turn(condition: Callable[[], object]) -> None:
    end = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        QtWidgets.QApplication.processEvents()
        time.sleep(0.002)


# -- none is forgotten ---------------------------------------------------------------------------


def names_of_qt(bases: set[str]) -> set[str]:
    """Every name that a class of these bases has from Qt."""
    found: set[str] = set()
    for module in (QtCore, QtGui, QtWidgets):
        for base in bases & set(vars(module)):
            found |= {name for name in dir(getattr(module, base)) if not name.startswith("__")}
    return found


def qt_bases() -> dict[str, set[str]]:
    """For each class of the plug-in, its bases as they are written, those of its bases included."""
    direct: dict[str, set[str]] = {}
    for tree in SOURCES.values():
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef):
                names = {ast.unparse(base).rsplit(".", 1)[-1] for base in node.bases}
                direct[node.name] = direct.get(node.name, set()) | names
    for _ in range(len(direct)):
        for names in direct.values():
            names |= {more for name in names for more in direct.get(name, set())}
    return direct


def is_guarded(method: ast.FunctionDef) -> bool:
    written = {ast.unparse(each).split("(")[0] for each in method.decorator_list}
    return bool(written & {"guarded", "guarded_or"})


def overrides() -> dict[str, bool]:
    """Every method of the plug-in that Qt or Krita calls by its name, and whether it is guarded."""
    bases = qt_bases()
    found = {}
    for name, tree in SOURCES.items():
        for cls in ast.walk(tree):
            if not isinstance(cls, ast.ClassDef):
                continue
            known = names_of_qt(bases[cls.name])
            if bases[cls.name] & KRITAS_CLASSES:
                known |= KRITAS | names_of_qt({"QObject", "QDockWidget"})
            for method in cls.body:
                if isinstance(method, ast.FunctionDef) and method.name in known:
                    found[f"{name} {cls.name}.{method.name}"] = is_guarded(method)
    return found


def test_every_overridden_method_is_guarded() -> None:
    found = overrides()
    for expected in (
        "ui/results.py Grid.paintEvent",
        "ui/results.py Grid.heightForWidth",
        "ui/form.py SeedBox.stepBy",
        "ui/docker.py InpaintDocker.canvasChanged",
        "extension.py InpaintExtension.createActions",
    ):
        assert expected in found
    assert [place for place, guarded in found.items() if not guarded] == []


def test_every_slot_and_timer_goes_through_the_guard() -> None:
    """`.connect` and `singleShot` are called nowhere but in the guard itself."""
    unguarded = ("connect", "singleShot", "startTimer", "invokeMethod")
    found = [
        f"{name}:{node.lineno} {node.attr}"
        for name, tree in SOURCES.items()
        if name != "host/guard.py"
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and node.attr in unguarded
    ]
    assert found == []
