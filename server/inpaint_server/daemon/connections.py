"""Connections that make no valid call end soon, so that strangers cannot use all there are.

Everybody on this machine can connect to a port of it, and gRPC keeps whoever does, up to the number
of files that a process may open. gRPC for Python has no say in which connections stay: it tells a
method the address of its caller, and the rest is found among the files that this process has open
(`docs/decisions/0043`).
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import stat
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from .restarting import open_descriptors

log = logging.getLogger(__name__)

FIRST_CALL_S = 10.0  # how long a connection may be there without a valid call
MAX_SILENT = 64  # connections of one address without a valid call, however short
SPARED_S = 1.0  # the age up to which a connection counts for none of this: its call is on its way
POLL_INTERVAL_S = 0.5
LOG_INTERVAL_S = 60.0
KEPT_FILES = 256  # of those that the process may open: for models, devices and logs
MAX_CONNECTIONS = 16_384


def raise_file_limit() -> int:
    """Let this process open as many files as it may; return how many connections fit in."""
    if sys.platform == "win32":
        return MAX_CONNECTIONS
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        soft = hard
    except (OSError, ValueError):  # macOS has a lower limit of its own
        pass
    if soft == resource.RLIM_INFINITY:
        return MAX_CONNECTIONS
    return max(64, min(MAX_CONNECTIONS, soft - KEPT_FILES))


class Connection(NamedTuple):
    """An open connection to our port, as the list of open files shows it."""

    descriptor: int
    inode: int
    host: str
    peer: str  # as gRPC writes it


class ConnectionGuard:
    """Ends connections to a TCP port whose client shows no token in time.

    Not for Unix sockets: their mode keeps other users out.
    """

    def __init__(
        self,
        port: int,
        first_call_s: float = FIRST_CALL_S,
        most_silent: int = MAX_SILENT,
        spared_s: float = SPARED_S,
    ) -> None:
        self._port = port
        self._first_call_s = first_call_s
        self._most_silent = most_silent
        self._spared_s = spared_s
        self._admitted: set[str] = set()
        self._seen: dict[Connection, float] = {}  # since when
        self._known: dict[
            int, tuple[int, Connection | None]
        ] = {}  # descriptor -> inode, what it is
        self._null = os.open(os.devnull, os.O_RDONLY)
        self._spare = os.dup(self._null)  # so that there is one when all are in use

    def admit(self, peer: str) -> None:
        """A valid call came: its connection may stay."""
        self._admitted.add(peer)

    async def watch(self) -> None:
        """Look again and again, until cancelled. The log has one line a minute of it."""
        ended, told = 0, time.monotonic() - LOG_INTERVAL_S
        try:
            while True:
                await asyncio.sleep(POLL_INTERVAL_S)
                ended += self.look()
                if ended and time.monotonic() - told >= LOG_INTERVAL_S:
                    log.warning("connections_without_a_call=%d ended=true", ended)
                    ended, told = 0, time.monotonic()
        finally:
            os.close(self._spare)
            os.close(self._null)

    def look(self) -> int:
        """End what has to end; return how many."""
        now = time.monotonic()
        connections = list(self._connections())
        self._seen = {each: self._seen.get(each, now) for each in connections}
        self._admitted.intersection_update(each.peer for each in connections)
        silent: dict[str, list[Connection]] = defaultdict(list)
        for each in connections:
            if each.peer not in self._admitted and now - self._seen[each] >= self._spared_s:
                silent[each.host].append(each)
        ended = 0
        for of_host in silent.values():
            of_host.sort(key=self._seen.__getitem__)
            excess = len(of_host) - self._most_silent
            for position, each in enumerate(of_host):
                if position < excess or now - self._seen[each] >= self._first_call_s:
                    ended += self._end(each)
        return ended

    def _connections(self) -> Iterator[Connection]:
        known = self._known
        self._known = {}
        for descriptor in _descriptors():
            try:
                status = os.fstat(descriptor)
            except OSError:  # closed meanwhile
                continue
            if not stat.S_ISSOCK(status.st_mode):
                continue
            inode, connection = known.get(descriptor, (0, None))
            if inode != status.st_ino:
                connection = self._examine(descriptor, status.st_ino)
            self._known[descriptor] = status.st_ino, connection
            if connection is not None:
                yield connection

    def _examine(self, descriptor: int, inode: int) -> Connection | None:
        """Return the connection behind a descriptor; None if it is none of ours."""
        try:
            with self._held(descriptor) as held:
                is_tcp = held.family in (socket.AF_INET, socket.AF_INET6)
                if not is_tcp or held.getsockname()[1] != self._port:
                    return None
                host, port = held.getpeername()[:2]
        except OSError:  # it listens, or is closed
            return None
        host = host.removeprefix("::ffff:")
        peer = f"ipv6:%5B{host}%5D:{port}" if ":" in host else f"ipv4:{host}:{port}"
        return Connection(descriptor, inode, host, peer)

    def _end(self, connection: Connection) -> bool:
        """End a connection, unless its descriptor has become another one's."""
        try:
            with self._held(connection.descriptor) as held:
                if os.fstat(held.fileno()).st_ino != connection.inode:
                    return False
                held.shutdown(socket.SHUT_RDWR)
        except OSError:
            return False
        return True

    @contextmanager
    def _held(self, descriptor: int) -> Iterator[socket.socket]:
        """The socket of a descriptor, which gRPC may close and reuse meanwhile.

        Takes the place of the spare one, since there may be no other left.
        """
        os.dup2(descriptor, self._spare, inheritable=False)
        try:
            held = socket.socket(fileno=self._spare)
            try:
                yield held
            finally:
                held.detach()
        finally:
            os.dup2(self._null, self._spare, inheritable=False)


def _descriptors() -> list[int]:
    try:
        return open_descriptors()
    except OSError:  # none is left to list them with
        return list(range(os.sysconf("SC_OPEN_MAX")))
