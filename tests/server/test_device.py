"""How the daemon shares the cores among its threads."""

from __future__ import annotations

import subprocess
import sys

# In a process of its own: torch remembers what any thread of a process asked for.
PROGRAM = """
from concurrent.futures import ThreadPoolExecutor
import torch
from inpaint_server.device import use_threads

worker, pixels = ThreadPoolExecutor(1), ThreadPoolExecutor(1)
worker.submit(use_threads, 3).result()
pixels.submit(use_threads, 1).result()
print(worker.submit(torch.get_num_threads).result(), pixels.submit(torch.get_num_threads).result())
"""


def test_every_thread_keeps_its_own_share_of_the_cores() -> None:
    answer = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True
    )
    assert answer.stdout.split() == ["3", "1"], answer.stderr
