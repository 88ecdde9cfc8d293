"""Who asks: whose share of the device a request is worked on with."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .interceptor import Context

CLIENT_HEADER = "inpaint-client"
MAX_NAME = 64


def client_of(context: Context) -> tuple[str, str]:
    """Return who asks, as the machine and the name that the client gave itself.

    A client that gives none is its connection. Names count on one machine only, so that nobody can
    take a share of somebody elsewhere by guessing a name; behind a proxy all are on the proxy's.
    """
    peer = context.peer()
    host = peer.rpartition(":")[0] if peer.startswith("ipv") else ""
    for key, value in context.invocation_metadata() or ():
        if key == CLIENT_HEADER and value:
            return host, str(value)[:MAX_NAME]
    return host, peer
