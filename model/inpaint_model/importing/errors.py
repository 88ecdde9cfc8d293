"""What is wrong with a checkpoint, in one line that is safe to print."""

from __future__ import annotations

from collections.abc import Mapping


class CheckpointError(ValueError):
    """A file that cannot be imported.

    The message names the reason, and once it leaves `import_checkpoint` also the file; it is one
    line of printable text. `facts` says what the file holds all the same, as far as that is known:
    names for people, and what to say of them.
    """

    def __init__(self, message: str, facts: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.facts = dict(facts or {})


def quoted(text: object, limit: int = 80) -> str:
    """Text from a file, fit for a message: one line, printable, at most `limit` characters."""
    shown = ascii(text if isinstance(text, str) else type(text).__name__)
    return shown if len(shown) <= limit else f"{shown[: limit - 4]}...'"
