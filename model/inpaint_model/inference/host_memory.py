"""Main memory of this process, and what the C library does with freed memory (glibc only)."""

from __future__ import annotations

import ctypes
import gc
import os
import sys
from contextlib import suppress
from pathlib import Path

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD, M_ARENA_MAX = -1, -3, -8  # of glibc's malloc.h
MOST = 2**31 - 1  # largest limit of `keep_freed_memory`, bytes


def keep_freed_memory(limit: int = 256 << 20) -> None:
    """Let all threads share one heap that keeps up to `limit` bytes of freed memory.

    Call it before many threads exist. By default every large array gets new, empty pages from the
    system and returns them: filling those pages took a sixth of the time of a fill, and a fifth of
    the time of training a generator. Also, each of a dozen threads would have a separate heap. Call
    `return_freed_memory` when idle.
    """
    if sys.platform == "linux":
        with suppress(OSError, AttributeError):
            mallopt = ctypes.CDLL("libc.so.6").mallopt
            mallopt(M_ARENA_MAX, 1)
            mallopt(M_MMAP_THRESHOLD, 32 << 20)  # the most that glibc takes
            mallopt(M_TRIM_THRESHOLD, limit)


def return_freed_memory() -> None:
    """Collect unreachable cycles, and return the C library's free memory to the system."""
    gc.collect()
    if sys.platform == "linux":
        with suppress(OSError, AttributeError):
            ctypes.CDLL("libc.so.6").malloc_trim(0)


def resident_bytes() -> int:
    """Return the main memory of this process in bytes; 0 if unknown."""
    try:
        pages = int(Path("/proc/self/statm").read_text("ascii").split()[1])
    except (OSError, ValueError, IndexError):
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE")
