"""What is wrong with a checkpoint, in one line that is safe to print."""

from __future__ import annotations


class CheckpointError(ValueError):
    """A file that cannot be imported.

    The message names the reason, and once it leaves `import_checkpoint` also the file; it is one
    line of printable text. `family` says what the networks are, where that much is known.
    """

    def __init__(self, message: str, family: str = "") -> None:
        super().__init__(message)
        self.family = family


def quoted(text: object, limit: int = 80) -> str:
    """Text from a file, fit for a message: one line, printable, at most `limit` characters."""
    shown = ascii(text if isinstance(text, str) else type(text).__name__)
    return shown if len(shown) <= limit else f"{shown[: limit - 4]}...'"
