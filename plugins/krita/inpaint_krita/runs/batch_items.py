"""What a batch fills: the open images, or the paint layers of one image."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from inpaint_client.session.history import PastRun

from ..host.document_protocol import Document
from ..host.layer_placement import Node
from ..text import tr


@dataclass(frozen=True)
class Item:
    """One image or layer."""

    document: Document
    title: str
    layer: str = ""  # ID of the layer; empty = the whole image
    why_skipped: str = ""  # a sentence; empty = it is filled


def images(documents: Iterable[Document]) -> list[Item]:
    return [Item(document, document.title) for document in documents]


def paint_layers(document: Document, runs: Iterable[PastRun]) -> list[Item]:
    """Return the paint layers from bottom to top, without those that earlier runs have made.

    Layers that the artist hides or has locked, and empty ones, are not to be filled.
    """
    ours = {
        layer
        for run in runs
        for layer in (run.group, run.kept, *(result.layer for result in run.results))
        if layer
    }
    items = []
    for layer, name in document.paint_layers():
        path = _path(document.find(layer))
        if not any(document.id_of(node) in ours for node in path):
            items.append(Item(document, name, layer, _why_skipped(document, layer, path)))
    return items


def _why_skipped(document: Document, layer: str, path: list[Node]) -> str:
    if not all(node.visible() for node in path):
        return tr("It is hidden.")
    if any(node.locked() for node in path):
        return tr("It is locked.")
    if document.bounds(layer) is None:
        return tr("It is empty.")
    return ""


def _path(node: Node | None) -> list[Node]:
    """Return the layer and the groups around it, without the root."""
    path = []
    while node is not None and (parent := node.parentNode()) is not None:
        path.append(node)
        node = parent
    return path
