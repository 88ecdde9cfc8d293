"""Close connections without a valid call early, so that untrusted clients cannot exhaust them.

Every user of this machine can connect to one of its ports, and gRPC keeps every connection, up to
the number of files that a process may open. gRPC for Python cannot close single connections. It
only reports the address of a method's caller, so the connections are found among the open files of
this process (`docs/decisions/0043`).
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

FIRST_CALL_S = 10.0  # how long a connection may stay open without a valid call or a health check
MAX_SILENT = 64  # connections from one address without a valid call, even short ones
SPARED_S = 1.0  # younger connections are exempt, because their first call may be on its way
POLL_INTERVAL_S = 0.5
LONGEST_GAP_S = 2.0  # between two polls; more means that this process was suspended
LOG_INTERVAL_S = 60.0
KEPT_FILES = 256  # open files reserved for models, devices and logs
MAX_CONNECTIONS = 16_384


def raise_file_limit() -> int:
    """Raise the limit of open files to the maximum; return how many connections it allows."""
    if sys.platform == "win32":
        return MAX_CONNECTIONS
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        soft = hard
    except (OSError, ValueError):  # macOS has an additional, lower limit
        pass
    if soft == resource.RLIM_INFINITY:
        return MAX_CONNECTIONS
    return max(64, min(MAX_CONNECTIONS, soft - KEPT_FILES))


class Connection(NamedTuple):
    """An open connection to our port, from the list of open files."""

    descriptor: int
    inode: int
    host: str
    peer: str  # in gRPC's notation


class ConnectionGuard:
    """Guard that closes connections to a TCP port whose client sends no valid token in time.

    Load balancers check the health without the token, every few seconds, on a connection of their
    own. Each check gives it the same time again, but such connections remain among those of which
    an address can have only a few.

    While the process is suspended, it can answer nobody, so this time does not count.

    Unix sockets do not need the guard, because their file mode excludes other users.
    """

    def __init__(
        self,
        port: int,
        first_call_s: float = FIRST_CALL_S,
        most_silent: int = MAX_SILENT,
        spared_s: float = SPARED_S,
        longest_gap_s: float = LONGEST_GAP_S,
    ) -> None:
        self._port = port
        self._first_call_s = first_call_s
        self._most_silent = most_silent
        self._spared_s = spared_s
        self._longest_gap_s = longest_gap_s
        self._now = 0.0  # seconds that this process could have answered in
        self._looked = time.monotonic()
        self._admitted: set[str] = set()
        self._checked: dict[str, float] = {}  # when each peer last checked the health
        self._seen: dict[Connection, float] = {}  # when each was first seen
        # descriptor -> inode and connection
        self._known: dict[int, tuple[int, Connection | None]] = {}
        self._null = os.open(os.devnull, os.O_RDONLY)
        self._spare = os.dup(self._null)  # reserved for when all descriptors are in use

    def admit(self, peer: str) -> None:
        """Keep the connection of a peer that made a valid call."""
        self._admitted.add(peer)

    def note_check(self, peer: str) -> None:
        """Give the connection of a peer that checked the health more time."""
        self._checked[peer] = self._now

    async def watch(self) -> None:
        """Check all connections periodically until cancelled; log at most one line a minute."""
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
        """Close the connections that must not stay, and return their number."""
        now = self._advance()
        connections = list(self._connections())
        self._seen = {each: self._seen.get(each, now) for each in connections}
        peers = {each.peer for each in connections}
        self._admitted &= peers
        self._checked = {peer: at for peer, at in self._checked.items() if peer in peers}
        silent: dict[str, list[Connection]] = defaultdict(list)
        for each in connections:
            if each.peer not in self._admitted and now - self._seen[each] >= self._spared_s:
                silent[each.host].append(each)
        ended = 0
        for of_host in silent.values():
            of_host.sort(key=self._last_sign)
            excess = len(of_host) - self._most_silent
            for position, each in enumerate(of_host):
                if position < excess or now - self._last_sign(each) >= self._first_call_s:
                    ended += self._end(each)
        return ended

    def _advance(self) -> float:
        """Add the time since the last call, except for a suspension; return the sum."""
        looked = time.monotonic()
        self._now += min(looked - self._looked, self._longest_gap_s)
        self._looked = looked
        return self._now

    def _last_sign(self, connection: Connection) -> float:
        """Return when a connection was first seen or last checked the health."""
        return max(self._seen[connection], self._checked.get(connection.peer, 0.0))

    def _connections(self) -> Iterator[Connection]:
        known = self._known
        self._known = {}
        for descriptor in _descriptors():
            try:
                status = os.fstat(descriptor)
            except OSError:  # closed in the meantime
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
        """Return the connection of a descriptor; None if it is not one to our port."""
        try:
            with self._held(descriptor) as held:
                is_tcp = held.family in (socket.AF_INET, socket.AF_INET6)
                if not is_tcp or held.getsockname()[1] != self._port:
                    return None
                host, port = held.getpeername()[:2]
        except OSError:  # a listening or closed socket
            return None
        host = host.removeprefix("::ffff:")
        peer = f"ipv6:%5B{host}%5D:{port}" if ":" in host else f"ipv4:{host}:{port}"
        return Connection(descriptor, inode, host, peer)

    def _end(self, connection: Connection) -> bool:
        """Close a connection, unless its descriptor was reused for another file."""
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
        """Yield a duplicate of a descriptor's socket, which gRPC may close and reuse meanwhile.

        It uses the spare descriptor, because there may be no other left.
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
    except OSError:  # no descriptor is left for listing the folder
        return list(range(os.sysconf("SC_OPEN_MAX")))
