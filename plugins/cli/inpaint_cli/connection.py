"""The daemon to talk to: the one that runs, or one that is started and said to be."""

from __future__ import annotations

import sys

from inpaint_client import (
    BlockingClient,
    Endpoint,
    Starting,
    connection_file,
    ensure_daemon,
)


def connect() -> BlockingClient:
    """Return a client of the daemon that settings and environment name."""
    return BlockingClient(_locate)


def _locate() -> Endpoint:
    said = False

    def starting(progress: Starting) -> None:
        nonlocal said
        if not said:
            print("inpaint: no daemon runs; starting inpaint-server ...", file=sys.stderr)
            said = True

    return ensure_daemon(connection_file().load(), starting)
