"""A virtual screen for hosts with windows, and screenshots of it."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager


class HostMissing(Exception):  # noqa: N818 (says what happened)
    """A host program cannot be run here; the message names what is missing."""


@contextmanager
def display(size: str = "1366x768x24", first: int = 600) -> Iterator[str]:
    """Run an Xvfb during the block; yield its DISPLAY."""
    if shutil.which("Xvfb") is None or shutil.which("xdotool") is None:
        raise HostMissing("Xvfb or xdotool is missing (apt-get install xvfb xdotool)")
    first += os.getpid() % 300
    # -r: on a busy machine a key may be released so late that it would repeat.
    for number in range(first, first + 20):
        server = subprocess.Popen(
            ["Xvfb", f":{number}", "-screen", "0", size, "-nolisten", "tcp", "-noreset", "-r"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            if _answers(server, number):
                yield f":{number}"
                return
        finally:
            server.terminate()
            server.wait(10)
    raise HostMissing("Xvfb does not start")


def _answers(server: subprocess.Popen[bytes], number: int) -> bool:
    for _attempt in range(100):
        if server.poll() is not None:
            return False  # the number is taken
        with socket.socket(socket.AF_UNIX) as client:
            if client.connect_ex(f"\0/tmp/.X11-unix/X{number}") == 0:
                return True
        time.sleep(0.05)
    return False
