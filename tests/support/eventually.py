"""Wait for something that another thread, task or process does."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable


def eventually(condition: Callable[[], bool], patience_s: float = 10.0) -> bool:
    """Whether the condition came true; asked every 20 ms."""
    end = time.monotonic() + patience_s
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True


async def eventually_async(condition: Callable[[], bool], patience_s: float = 10.0) -> bool:
    """The same in an event loop, which goes on meanwhile."""
    end = time.monotonic() + patience_s
    while not condition():
        if time.monotonic() > end:
            return False
        await asyncio.sleep(0.02)
    return True
