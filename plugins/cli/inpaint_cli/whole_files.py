"""Atomic file writes with a temporary file and a rename."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Yield a hidden path next to `path`, whose file replaces `path` at the end of the context.

    It has the same extension. If the context fails, the temporary file is removed, and an existing
    file stays unchanged.

    Raises:
        OSError: the file cannot be written or renamed; the error names `path`.
    """
    beside = path.with_name(f".writing-{path.name}")
    try:
        yield beside
        beside.replace(path)
    except OSError as error:
        error.filename = str(path)
        raise
    finally:
        beside.unlink(missing_ok=True)
