"""The daemon's session that contains a result."""

from __future__ import annotations

from typing import NamedTuple


class Session(NamedTuple):
    """What an edit needs to find a result that a daemon still has; empty if no daemon has it."""

    id: str = ""
    candidate: int = 0  # index of the result in the session
    routing_key: str = ""  # leads to the daemon through a proxy

    def of(self, candidate: int) -> Session:
        """Return the same session for another result in it."""
        return self._replace(candidate=candidate)


NO_SESSION = Session()
