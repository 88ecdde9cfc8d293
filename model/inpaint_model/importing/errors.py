"""Errors about checkpoints, safe to print."""

from __future__ import annotations

from collections.abc import Mapping


class CheckpointError(ValueError):
    """A file cannot be imported: it is damaged or not supported. All readers here raise it.

    The message is one printable line; `import_checkpoint` adds the file. `facts` are labels and
    values to print.
    """

    def __init__(self, message: str, facts: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.facts = dict(facts or {})


def quoted(text: object, limit: int = 80) -> str:
    """Quote text from a file as one printable line of at most `limit` characters."""
    shown = ascii(text if isinstance(text, str) else type(text).__name__)
    return shown if len(shown) <= limit else f"{shown[: limit - 4]}...'"
