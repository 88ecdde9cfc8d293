"""Catch exceptions in everything that Qt and Krita call.

An exception that escapes from a slot or an overridden method opens a modal dialog in Krita, which
blocks the run. Here it is logged and reported to the artist instead, and work continues.

    connect(button.clicked, self._start)    # for button.clicked.connect(self._start)
    later(40, self._send)                   # for QTimer.singleShot(40, self._send)

    @guarded                                # on every method of Qt or Krita that we override
    def paintEvent(self, event): ...

    @guarded_or(QSize())                    # if the caller needs a value
    def sizeHint(self): ...

`tests/plugins/test_krita_guard.py` finds unguarded calls.
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
    """Call a bound method after each caught exception, as long as its object lives.

    It is called in a later turn of the event loop, since the failure may occur during painting.
    """
    _listeners.append(WeakMethod(listener))


def guarded_or(otherwise: R) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Return a decorator that catches all exceptions and returns `otherwise` instead."""

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        @wraps(function)
        def call(*args: P.args, **kwargs: P.kwargs) -> R:
            try:
                return function(*args, **kwargs)
            except Exception:
                trace = traceback.format_exc()
            # Log text: a record with the traceback itself would keep a QPainter alive, and Qt
            # aborts when it destroys a widget that is still being painted.
            log.error("%s failed:\n%s", function.__qualname__, trace)
            _tell()
            return otherwise

        return call

    return decorate


def guarded(function: Callable[P, None]) -> Callable[P, None]:
    """Catch all exceptions of a function that returns nothing."""
    return guarded_or(None)(function)


def connect(signal: Any, slot: Slot) -> None:
    """Connect a signal to a slot or another signal, guarded."""
    signal.connect(_slot(slot))


def later(pause_ms: int, function: Callable[[], object]) -> None:
    """Call a function, guarded, after a pause."""
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
    """Return the guarded slot to pass to PyQt.

    A bound method stays a bound method, since PyQt holds its object weakly and disconnects when
    Qt deletes it. Signals and Qt's own methods, for example `QDialog.accept`, run no Python code
    and need no guard.
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
    """Return how many positional arguments a function takes; None if any number."""
    kinds = [parameter.kind for parameter in inspect.signature(function).parameters.values()]
    if inspect.Parameter.VAR_POSITIONAL in kinds:
        return None
    named = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return sum(kind in named for kind in kinds)


def _taking(function: Callable[..., Any], room: int | None) -> Callable[..., None]:
    """Guard a function and drop the signal's arguments that it does not take.

    PyQt finds the number of arguments by trying, and cannot distinguish the TypeError that it
    expects from others.
    """
    call = guarded_or(None)(function)

    @wraps(function)
    def take(*args: object) -> None:
        call(*args[:room])

    return take
