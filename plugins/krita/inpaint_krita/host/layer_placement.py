"""Decide where a run's layers are inserted and which pixels are read.

Works with any object that has the six methods of Krita's Node used here, so tests need no Krita.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

from inpaint_client.geometry import Box
from inpaint_client.session.stacking import seen_above

from ..text import tr


class Node(Protocol):
    """The part of Krita's Node that these decisions use."""

    def type(self) -> str: ...
    def name(self) -> str: ...
    def visible(self) -> bool: ...
    def locked(self) -> bool: ...
    def parentNode(self) -> Node | None: ...
    def childNodes(self) -> Sequence[Node]:
        """Return the children, from bottom to top."""
        ...


class InsertPosition(NamedTuple):
    """New layers go into `parent`, directly above `above`."""

    parent: Node
    above: Node
    notice: str  # empty, or one sentence why it is not directly above the active layer


class Source(NamedTuple):
    """The pixels to read: those of `node`, or all visible layers if None."""

    node: Node | None
    rendered: bool  # the layer has no pixels of its own: read its projection
    notice: str


def layer_of(node: Node) -> Node:
    """Return the layer that a mask belongs to, or the layer itself."""
    while node.type().endswith("mask") and (parent := node.parentNode()) is not None:
        if parent.parentNode() is None:  # a mask of the image itself
            return node
        node = parent
    return node


def position_above(
    active: Node, box: Box, fill_box: Callable[[Node], Box | None]
) -> InsertPosition:
    """Find the position above the active layer where the result is visible and editable.

    Args:
        active: the active layer or mask.
        box: the box of the hole.
        fill_box: returns the box of a layer that is an earlier fill or its group, else None.

    Raises:
        ValueError: `active` is the root.
    """
    path = _path(layer_of(active))
    if not path:
        raise ValueError("the root has no place above it")
    above, notice = path[-1], ""
    for ancestor in path[:-1]:  # from the outside in
        if fill_box(ancestor) is not None:
            above = ancestor
            break
        if not ancestor.visible():
            above = ancestor
            notice = tr("The group “{name}” is hidden, so the candidates are placed above it.")
            break
        if ancestor.locked():
            above = ancestor
            notice = tr("The group “{name}” is locked, so the candidates are placed above it.")
            break
    notice = notice.format(name=above.name())
    parent = above.parentNode()
    if parent is None:
        raise ValueError("the root has no place above it")
    siblings = list(parent.childNodes())
    higher = siblings[siblings.index(above) + 1 :]
    return InsertPosition(parent, seen_above(above, higher, box, fill_box), notice)


def _path(node: Node) -> list[Node]:
    """Return the ancestors from the outermost layer to `node`, without the root."""
    path: list[Node] = []
    current: Node | None = node
    while current is not None and current.parentNode() is not None:
        path.insert(0, current)
        current = current.parentNode()
    return path


def source_of(active: Node, all_visible: bool) -> Source:
    """Return which pixels to read: all visible layers or the active layer."""
    if all_visible:
        return Source(None, False, "")
    layer = layer_of(active)
    kind = layer.type()
    if kind in ("filterlayer", "selectionmask") or kind.endswith("mask"):
        return Source(
            None,
            False,
            tr("“{name}” has no pixels, so all visible layers are used.").format(name=layer.name()),
        )
    notice = ""
    if not layer.visible():
        notice = tr("“{name}” is hidden, but its pixels are still used.").format(name=layer.name())
    return Source(layer, kind != "paintlayer", notice)
