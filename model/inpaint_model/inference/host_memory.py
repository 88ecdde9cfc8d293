"""What this process holds in main memory, and what the C library does with freed memory.

The latter is for glibc only; elsewhere nothing happens here.
"""

from __future__ import annotations

import ctypes
import gc
import os
import sys
from contextlib import suppress
from pathlib import Path

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD, M_ARENA_MAX = -1, -3, -8  # of glibc's malloc.h
MOST = 2**31 - 1  # bytes that `keep_freed_memory` can keep


def keep_freed_memory(limit: int = 256 << 20) -> None:
    """Let all threads allocate from one heap that keeps up to `limit` bytes of what is freed.

    Call it before there are many threads. By default every large array comes from the system with
    its pages empty, and goes back to it: filling the pages anew took a sixth of the time of a fill,
    and a fifth of that of a generator's training. And each of a dozen threads would have a heap of
    its own. `return_freed_memory` is for when nothing is left to do.
    """
    if sys.platform == "linux":
        with suppress(OSError, AttributeError):
            mallopt = ctypes.CDLL("libc.so.6").mallopt
            mallopt(M_ARENA_MAX, 1)
            mallopt(M_MMAP_THRESHOLD, 32 << 20)  # the most that glibc takes
            mallopt(M_TRIM_THRESHOLD, limit)


def return_freed_memory() -> None:
    """Give what unreachable cycles hold, and what the C library keeps, back to the system."""
    gc.collect()
    if sys.platform == "linux":
        with suppress(OSError, AttributeError):
            ctypes.CDLL("libc.so.6").malloc_trim(0)


def resident_bytes() -> int:
    """Return how much main memory this process holds; 0 where that cannot be told."""
    try:
        pages = int(Path("/proc/self/statm").read_text("ascii").split()[1])
    except (OSError, ValueError, IndexError):
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE")
