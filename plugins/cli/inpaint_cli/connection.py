"""Connection to the running daemon, or to one that is started with a message."""

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
    """Return a client of the daemon from the settings and environment variables."""
    return BlockingClient(_locate)


def _locate() -> Endpoint:
    said = False

    def starting(progress: Starting) -> None:
        nonlocal said
        if not said:
            print("inpaint: no daemon is running; starting inpaint-server ...", file=sys.stderr)
            said = True

    return ensure_daemon(connection_file().load(), starting)
