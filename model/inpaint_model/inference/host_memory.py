"""Main memory of this process, and what glibc does with freed memory."""

from __future__ import annotations

import ctypes
import gc
import os
import sys
from contextlib import suppress
from pathlib import Path

# Of glibc's malloc.h:
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD, M_MMAP_MAX, M_ARENA_MAX = -1, -3, -4, -8
LIMIT = 256 << 20  # bytes of freed memory


def keep_freed_memory(*, all_of_it: bool = False) -> None:
    """Let all threads share one heap that keeps up to `LIMIT` bytes of freed memory, or all of it.

    By default each thread has its own heap, and every large array gets new pages from the system,
    which take several times as long to fill as old ones (docs/research/training.md). Arrays above
    32 MiB still do, unless all memory is kept: that is for trainings, where every step needs the
    same. Call it before many threads exist, and `return_freed_memory` when idle.
    """
    if sys.platform == "linux":
        with suppress(OSError, AttributeError):
            mallopt = ctypes.CDLL("libc.so.6").mallopt
            mallopt(M_ARENA_MAX, 1)
            mallopt(M_MMAP_THRESHOLD, 32 << 20)  # the most that glibc takes
            mallopt(M_TRIM_THRESHOLD, 2**31 - 1 if all_of_it else LIMIT)
            if all_of_it:
                mallopt(M_MMAP_MAX, 0)


def return_freed_memory() -> None:
    """Collect unreachable cycles, and return free memory to the system."""
    gc.collect()
    if sys.platform == "linux":
        with suppress(OSError, AttributeError):
            ctypes.CDLL("libc.so.6").malloc_trim(0)


def resident_bytes() -> int:
    """Return this process's main memory in bytes; 0 if unknown."""
    try:
        pages = int(Path("/proc/self/statm").read_text("ascii").split()[1])
    except (OSError, ValueError, IndexError):
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE")
