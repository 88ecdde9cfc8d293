"""Wait for another thread, task or process."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable


def eventually(condition: Callable[[], bool], patience_s: float = 10.0) -> bool:
    """Check a condition every 20 ms; return whether it became true."""
    end = time.monotonic() + patience_s
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True


async def eventually_async(condition: Callable[[], bool], patience_s: float = 10.0) -> bool:
    """Do the same as `eventually` without blocking the event loop."""
    end = time.monotonic() + patience_s
    while not condition():
        if time.monotonic() > end:
            return False
        await asyncio.sleep(0.02)
    return True
