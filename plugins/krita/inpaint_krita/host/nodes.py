"""Krita's layers: their IDs, and all of them in turn."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any


def id_of(node: Any) -> str:
    return str(node.uniqueId().toString())


def walk(node: Any) -> Iterator[Any]:
    """Yield everything below a node, each before its children, from bottom to top."""
    for child in node.childNodes():
        yield child
        yield from walk(child)
