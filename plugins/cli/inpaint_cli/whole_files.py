"""Files that are whole or not there: written beside their place, and renamed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Give a hidden name beside `path`, which takes the place of `path` when the block is done.

    The extension is the same. Where the block fails, nothing is left, and a file that was there
    stays as it was.

    Raises:
        OSError: of the block, or the file cannot be put into place; it names `path`.
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
