"""Starting again when a device is lost.

A program whose CUDA context has failed cannot get another one, so the daemon replaces its program
by a fresh one in the same process (`exec`). That keeps what a second process beside it would have
to guard: the process number, which systemd and the runtime file know; the lock; and signals, which
have one receiver. Nothing runs and nothing is slower as long as no device is lost.
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

VARIABLE = "INPAINT_SERVER_RESTARTS"  # tells the fresh program what went before
MOST, WITHIN_S = 3, 600.0  # restarts; a device that fails more often needs a person

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Restarts:
    """The latest restarts of this process."""

    times: tuple[float, ...] = ()  # of time.time(), none older than `WITHIN_S`
    lock: int | None = None  # the descriptor of the runtime file's lock, still held

    @classmethod
    def inherited(cls) -> Restarts:
        """Return what the program before this one left; none if there was none."""
        text = os.environ.pop(VARIABLE, "")
        if not text:
            return cls()
        left = json.loads(text)
        recent = [t for t in left["times"] if 0 <= time.time() - t < WITHIN_S]
        return cls(tuple(recent), left["lock"])

    @property
    def allowed(self) -> bool:
        """Whether one more is."""
        # On Windows `exec` starts another process and ends this one.
        return len(self.times) < MOST and sys.platform != "win32"

    @property
    def remedy(self) -> str:
        """What follows the loss of a device, for clients and the log."""
        if self.allowed:
            return "the daemon restarts itself: run the fill again"
        often = ""
        if self.times:
            often = f" after {len(self.times)} restarts within {WITHIN_S / 60:.0f} minutes"
        return f"the daemon stops{often}: check the device and its driver, then start it again"

    def restart(self, lock: int) -> NoReturn:
        """Replace the program. `lock`: the descriptor of the runtime file's lock, which is kept."""
        times = [*self.times, time.time()]
        kept = {0, 1, 2, lock}
        for descriptor in open_descriptors():  # a driver's, for example, would keep its device
            try:
                os.set_inheritable(descriptor, descriptor in kept)
            except OSError:  # closed meanwhile
                continue
        log.warning("restarting=true restarts=%d", len(times))
        logging.shutdown()
        sys.stdout.flush()
        sys.stderr.flush()
        os.environ[VARIABLE] = json.dumps({"times": times, "lock": lock})
        os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])  # noqa: S606 (ourselves)


def open_descriptors() -> list[int]:
    """Return the numbers of all open files, perhaps with some that are open no more."""
    for folder in ("/proc/self/fd", "/dev/fd"):
        if Path(folder).is_dir():
            return [int(name) for name in os.listdir(folder)]  # noqa: PTH208 (names, not paths)
    return list(range(os.sysconf("SC_OPEN_MAX")))
