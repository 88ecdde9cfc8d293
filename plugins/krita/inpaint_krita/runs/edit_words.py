"""Edits in words."""

from __future__ import annotations

from inpaint_client.requests import Edits

from ..text import number, tr


def title(name: str) -> str:
    """Return "Hair color" for "hair_color", translated if the catalog has it."""
    words = name.replace("_", " ").replace("-", " ").strip()
    return tr(words[:1].upper() + words[1:])


def in_words(edits: Edits) -> list[str]:
    """Return edits as texts, for example "Smile +1.0" and "Hair color -0.5"."""
    return [f"{title(name)} {number(f'{value:+.1f}')}" for name, value in edits.items() if value]
