"""Run a command that can write only small files, as on a full disk."""

from __future__ import annotations

import sys

_LAUNCHER = """
import os, resource, sys
limit = int(sys.argv[1])
resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
os.execv(sys.argv[2], sys.argv[2:])
"""


def with_file_limit(limit: int, command: list[str]) -> list[str]:
    """Return a command that runs `command` with files of at most `limit` bytes.

    The new process sets its own limit. `preexec_fn` of subprocess would fork this process
    with the handlers and threads of gRPC, which is unsafe.
    """
    return [sys.executable, "-c", _LAUNCHER, str(limit), *command]
