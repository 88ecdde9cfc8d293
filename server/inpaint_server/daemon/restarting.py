"""Restart the daemon when a device is lost.

A program whose CUDA context has failed cannot get another one, so the daemon replaces its program
with a fresh one in the same process (`exec`). Unlike a second, supervising process, this keeps the
process ID, which systemd and the runtime file refer to, the lock, and a single receiver of signals.
It has no cost as long as no device is lost.
"""

from __future__ import annotations

import json
import logging
import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

VARIABLE = "INPAINT_SERVER_RESTARTS"  # passes the history to the fresh program
MOST, WITHIN_S = 3, 600.0  # restarts; a device that fails more often needs manual attention

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Restarts:
    """The recent restarts of this process."""

    times: tuple[float, ...] = ()  # of time.time(), none older than `WITHIN_S`
    lock: int | None = None  # the descriptor of the runtime file's lock, still held

    @classmethod
    def inherited(cls) -> Restarts:
        """Return the restarts passed on by the program that this one replaced."""
        text = os.environ.pop(VARIABLE, "")
        if not text:
            return cls()
        left = json.loads(text)
        recent = [t for t in left["times"] if 0 <= time.time() - t < WITHIN_S]
        return cls(tuple(recent), left["lock"])

    @property
    def allowed(self) -> bool:
        """Whether another restart is allowed."""
        # On Windows, `exec` starts another process and ends this one.
        return len(self.times) < MOST and sys.platform != "win32"

    @property
    def remedy(self) -> str:
        """The remedy after the loss of a device, for clients and the log."""
        if self.allowed:
            return "the daemon is restarting: fill again"
        often = ""
        if self.times:
            often = f" after {len(self.times)} restarts within {WITHIN_S / 60:.0f} minutes"
        return f"the daemon stops{often}: check the device and its driver, then restart the daemon"

    def restart(self, lock: int) -> NoReturn:
        """Replace the program.

        Args:
            lock: descriptor of the runtime file's lock, which stays open.
        """
        times = [*self.times, time.time()]
        kept = {0, 1, 2, lock}
        for descriptor in open_descriptors():  # a driver's descriptor would keep the device in use
            try:
                os.set_inheritable(descriptor, descriptor in kept)
            except OSError:  # closed in the meantime
                continue
        log.warning("restarting=true restarts=%d", len(times))
        logging.shutdown()
        sys.stdout.flush()
        sys.stderr.flush()
        os.environ[VARIABLE] = json.dumps({"times": times, "lock": lock})
        os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])  # noqa: S606 (this program)


def open_descriptors() -> list[int]:
    """Return all open file descriptors, possibly with some that were just closed."""
    for folder in ("/proc/self/fd", "/dev/fd"):
        if Path(folder).is_dir():
            return [int(name) for name in os.listdir(folder)]  # noqa: PTH208 (names, not paths)
    return list(range(os.sysconf("SC_OPEN_MAX")))
