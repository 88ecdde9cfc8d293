"""Identification of clients, which get equal shares of a device."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .interceptor import Context

CLIENT_HEADER = "inpaint-client"
TRACE_HEADER = "traceparent"
MAX_NAME = 64


def client_of(context: Context) -> tuple[str, str]:
    """Return the client of a call, as its host and the name that it gave itself.

    Without a name, each connection is a client. Names are separate for each host, so that nobody
    can take the share of a client on another host by guessing its name. Behind a proxy, all clients
    have the proxy's host.
    """
    peer = context.peer()
    host = peer.rpartition(":")[0] if peer.startswith("ipv") else ""
    for key, value in context.invocation_metadata() or ():
        if key == CLIENT_HEADER and value:
            return host, str(value)[:MAX_NAME]
    return host, peer


def trace_of(context: Context) -> str:
    """Return the W3C `traceparent` of the client's trace that a call belongs to; empty if none."""
    for key, value in context.invocation_metadata() or ():
        if key == TRACE_HEADER and isinstance(value, str):
            return value[:MAX_NAME]
    return ""
