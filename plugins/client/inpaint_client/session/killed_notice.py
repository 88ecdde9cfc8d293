"""What a daemon tells of the one before it, said once."""

from __future__ import annotations

from ..info import DaemonInfo
from ..sentence import Sentence


class KilledNotice:
    """Remembers which end of a daemon was told of already."""

    def __init__(self) -> None:
        self._told: set[float] = set()

    def news(self, info: DaemonInfo | None) -> Sentence | None:
        """Return what is to be said; None if there is nothing, or it was said."""
        killed = info.last_killed if info else None
        if killed is None or killed.began_unix_s in self._told:
            return None
        self._told.add(killed.began_unix_s)
        return killed.sentence
