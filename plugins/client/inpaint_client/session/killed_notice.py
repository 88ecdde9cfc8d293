"""The notice that the previous daemon was killed, shown once."""

from __future__ import annotations

from ..info import DaemonInfo
from ..sentence import Sentence


class KilledNotice:
    """Tracks which killed daemons were already reported to the user."""

    def __init__(self) -> None:
        self._told: set[float] = set()

    def news(self, info: DaemonInfo | None) -> Sentence | None:
        """Return the message to show; None if there is none, or it was shown before."""
        killed = info.last_killed if info else None
        if killed is None or killed.began_unix_s in self._told:
            return None
        self._told.add(killed.began_unix_s)
        return killed.sentence
