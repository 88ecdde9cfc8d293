"""Large work gets all cores, other work half of them."""

from __future__ import annotations

import asyncio
import threading

import torch
from inpaint_server.serving.pixel_threads import LARGE_PX, PixelThreads


def test_large_work_gets_all_cores_in_one_thread() -> None:
    async def threads_of(px: int) -> tuple[str, int]:
        def work(name: str) -> tuple[str, int]:
            return threading.current_thread().name.partition("_")[0] + name, torch.get_num_threads()

        return await pixels.run(work, "!", px=px)

    before = torch.get_num_threads()
    pixels = PixelThreads(4)
    try:
        assert asyncio.run(threads_of(LARGE_PX - 1)) == ("pixels!", 2)
        assert asyncio.run(threads_of(LARGE_PX)) == ("large!", 4)
    finally:
        pixels.stop()
        torch.set_num_threads(before)
