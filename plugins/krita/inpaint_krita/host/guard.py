"""The boundary at which exceptions end: everything that Qt and Krita call goes through here.

An exception that leaves a slot or an overridden method opens a modal window in Krita, and a run
stands still behind it. Here it is logged instead, the artist is told, and work goes on.

    connect(button.clicked, self._start)    # for button.clicked.connect(self._start)
    later(40, self._send)                   # for QTimer.singleShot(40, self._send)

    @guarded                                # on every method of Qt's or Krita's that we override
    def paintEvent(self, event): ...

    @guarded_or(QSize())                    # where the caller needs a value
    def sizeHint(self): ...

`tests/plugins/test_krita_guard.py` finds what was forgotten.
"""

from __future__ import annotations

import inspect
import logging
import traceback
from collections.abc import Callable
from contextlib import suppress
from functools import cache, wraps
from types import BuiltinMethodType, FunctionType, MethodType
from typing import Any, ParamSpec, TypeVar
from weakref import WeakMethod

from .qt import QtCore

log = logging.getLogger(__name__)
P = ParamSpec("P")
R = TypeVar("R")
Slot = Callable[..., object] | QtCore.pyqtBoundSignal


_listeners: list[WeakMethod[Callable[[], None]]] = []


def on_failure(listener: Callable[[], None]) -> None:
    """Have a bound method called after each exception that ends here, as long as its object lives.

    It is called in a later turn of the event loop: the failure may be in the middle of painting.
    """
    _listeners.append(WeakMethod(listener))


def guarded_or(otherwise: R) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Return a decorator that lets no exception out: the caller gets `otherwise` instead."""

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        @wraps(function)
        def call(*args: P.args, **kwargs: P.kwargs) -> R:
            try:
                return function(*args, **kwargs)
            except Exception:
                trace = traceback.format_exc()
            # As text: a record that held the traceback itself would keep a QPainter alive, and
            # Qt aborts when it destroys a widget that is still being painted.
            log.error("%s failed:\n%s", function.__qualname__, trace)
            _tell()
            return otherwise

        return call

    return decorate


def guarded(function: Callable[P, None]) -> Callable[P, None]:
    """Let no exception out of a method that returns nothing."""
    return guarded_or(None)(function)


def connect(signal: Any, slot: Slot) -> None:
    """Call `slot`, guarded, whenever the signal is emitted; `slot` may be a signal itself."""
    signal.connect(_slot(slot))


def later(pause_ms: int, function: Callable[[], object]) -> None:
    """Call a function, guarded, once the pause is over."""
    QtCore.QTimer.singleShot(pause_ms, _slot(function))


def _tell() -> None:
    for reference in list(_listeners):
        listener = reference()
        if listener is None:
            _listeners.remove(reference)
            continue
        with suppress(RuntimeError):  # Qt has deleted its object
            later(0, listener)


def _slot(slot: Any) -> Any:
    """What PyQt is given.

    A bound method stays one: PyQt holds its object weakly, and forgets it when Qt deletes it.
    Signals and methods of Qt's own, such as `QDialog.accept`, run no Python here.
    """
    if isinstance(slot, (QtCore.pyqtBoundSignal, BuiltinMethodType)):
        return slot
    if isinstance(slot, MethodType):
        return MethodType(_method(slot.__func__), slot.__self__)
    return _taking(slot, _room(slot))


@cache  # PyQt keeps no reference to a method's function, which usually lives in its class
def _method(function: FunctionType) -> Callable[..., None]:
    return _taking(function, _room(function))


def _room(function: Callable[..., object]) -> int | None:
    """How many arguments fit; None if any number does."""
    kinds = [parameter.kind for parameter in inspect.signature(function).parameters.values()]
    if inspect.Parameter.VAR_POSITIONAL in kinds:
        return None
    named = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return sum(kind in named for kind in kinds)


def _taking(function: Callable[..., Any], room: int | None) -> Callable[..., None]:
    """`function`, guarded, without the arguments of a signal that it has no room for.

    PyQt would find that out by trying, and it takes the TypeError that it expects from any other.
    """
    call = guarded_or(None)(function)

    @wraps(function)
    def take(*args: object) -> None:
        call(*args[:room])

    return take
