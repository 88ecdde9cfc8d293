"""Replace a run's group by one merged layer, or by some of its layers, in one undo step."""

from __future__ import annotations

from collections.abc import Callable, Collection, Generator
from typing import Protocol

from inpaint_client.errors import InputError

from ..text import tr

_TURN_MS = 20
_TURNS = 500


class Layers(Protocol):
    """The part of a document used here."""

    def activate(self, layer_id: str) -> bool: ...
    def active_id(self) -> str: ...
    def paint_layers(self) -> list[tuple[str, str]]: ...
    def is_attached(self, layer_id: str) -> bool: ...
    def flatten_active(self) -> None: ...
    def ungroup_active(self) -> None: ...
    def is_plain_group(self, group_id: str) -> bool: ...
    def children(self, group_id: str) -> list[str]: ...
    def arrange(self, group_id: str, layer_ids: list[str]) -> None: ...
    def return_to(self, layer_id: str, others: Collection[str]) -> None: ...
    def settle(self) -> None: ...


def keep_visible(document: Layers, group: str) -> Generator[int, None, str]:
    """Merge the visible content of the group into one layer.

    Removing the other layers one by one would create one undo step each; Krita's "Flatten Layer"
    creates only one. It works asynchronously on the active layer, hence the turns.

    Returns:
        The id of the new layer.

    Raises:
        InputError: the group or the merged layer is no longer in the image.
        TimeoutError: Krita did not merge the group in time.
    """
    before = document.active_id()
    known = {layer for layer, _ in document.paint_layers()}
    if not document.activate(group):
        raise InputError(tr("The layers of this run are no longer in the image."))
    yield from _until(lambda: document.active_id() == group)
    document.flatten_active()
    yield from _until(lambda: not document.is_attached(group))
    # Krita may add and activate the merged layer some turns after removing the group.
    yield from _until(lambda: bool(_new(document, known)))
    document.settle()
    yield _TURN_MS
    if not (new := _new(document, known)):  # undone immediately
        raise InputError(tr("The layers of this run are no longer in the image."))
    (merged,) = new
    if document.is_attached(before):
        document.activate(before)
    return merged


def keep_some(document: Layers, group: str, kept: Collection[str]) -> Generator[int, None, None]:
    """Replace a run's group by some of its layers.

    Krita's "Quick Ungroup" creates one undo step, but keeps all layers. So the others are removed
    from the group without a step, and put back once the group is no longer in the image: undo then
    restores the group with all of them. Inner groups are ungrouped first; Krita combines
    consecutive ungroupings into one step. Nothing else may change these layers meanwhile, since
    Krita moves them in its own threads.

    Raises:
        InputError: the group is no longer in the image, or changes how its layers appear.
        TimeoutError: Krita did not ungroup in time.
    """
    if not document.is_attached(group):
        raise InputError(tr("The layers of this run are no longer in the image."))
    before = document.active_id()
    document.settle()
    inner = [
        each
        for each in document.children(group)
        if any(layer in kept for layer in document.children(each))
    ]
    groups = [*inner, group]
    if not all(map(document.is_plain_group, groups)):
        raise InputError(
            tr("The group of this run has its own mask, opacity or blending mode."),
            tr("Apply these to the layers in the group instead, or star only one candidate."),
        )
    everything = {each: document.children(each) for each in groups}
    staying = {*kept, *inner}
    for each in groups:
        document.arrange(each, [layer for layer in everything[each] if layer in staying])

    def bring_back() -> None:
        document.settle()
        for each in groups:
            others = [layer for layer in everything[each] if layer not in staying]
            document.arrange(each, [*others, *document.children(each)])

    try:
        for each in groups:
            yield from _ungroup(document, each)
    except TimeoutError:
        bring_back()
        raise
    bring_back()
    yield _TURN_MS
    document.return_to(before, kept)  # Krita activates the moved layers some turns later


def _ungroup(document: Layers, group: str) -> Generator[int, None, None]:
    document.activate(group)
    yield from _until(lambda: document.active_id() == group)
    document.ungroup_active()
    yield from _until(lambda: not document.is_attached(group))


def _new(document: Layers, known: set[str]) -> list[str]:
    """Return the ids of the paint layers that are not among the known ones."""
    return [layer for layer, _ in document.paint_layers() if layer not in known]


def _until(condition: Callable[[], bool]) -> Generator[int, None, None]:
    for _turn in range(_TURNS):
        if condition():
            return
        yield _TURN_MS
    raise TimeoutError("Krita did not finish the operation in time")
