"""Turning a run's group into one layer, in one undo step."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Protocol

from inpaint_client.errors import BadInput

from ..text import tr

_TURN_MS = 20
_TURNS = 500


class Layers(Protocol):
    """The part of a document that this needs."""

    def activate(self, layer_id: str) -> bool: ...
    def active_id(self) -> str: ...
    def paint_layers(self) -> list[tuple[str, str]]: ...
    def is_attached(self, layer_id: str) -> bool: ...
    def flatten_active(self) -> None: ...
    def settle(self) -> None: ...


def keep_visible(document: Layers, group: str) -> Generator[int, None, str]:
    """Merge the group into a layer of what is visible in it; the new layer's id.

    Removing the others one by one would leave an undo step for each. Krita's own "Flatten Layer"
    leaves one. It works on the active layer, and in its own time: hence the turns.

    Raises:
        BadInput: the group, or what it was merged to, is no longer in the picture.
        TimeoutError: Krita did not do it.
    """
    before = document.active_id()
    known = {layer for layer, _ in document.paint_layers()}
    if not document.activate(group):
        raise BadInput(tr("The layers of this run are no longer in the picture."))
    yield from _until(lambda: document.active_id() == group)
    document.flatten_active()
    yield from _until(lambda: not document.is_attached(group))
    # Krita may add and activate the merged layer some turns after it has removed the group.
    yield from _until(lambda: bool(_new(document, known)))
    document.settle()
    yield _TURN_MS
    if not (new := _new(document, known)):  # undone at once
        raise BadInput(tr("The layers of this run are no longer in the picture."))
    (merged,) = new
    if document.is_attached(before):
        document.activate(before)
    return merged


def _new(document: Layers, known: set[str]) -> list[str]:
    """Return the ids of the paint layers that are not among the known ones."""
    return [layer for layer, _ in document.paint_layers() if layer not in known]


def _until(condition: Callable[[], bool]) -> Generator[int, None, None]:
    for _turn in range(_TURNS):
        if condition():
            return
        yield _TURN_MS
    raise TimeoutError("Krita did not do it")
