"""The result of one check: its subject, what was found, and the remedy for a problem."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """The result of one check; `problem` is empty if there is none, and `remedy` is then unused."""

    what: str
    found: str = ""
    problem: str = ""
    remedy: str = ""

    @property
    def lines(self) -> list[str]:
        """The lines to print."""
        if not self.problem:
            return [f"ok       {self.what}: {self.found}"]
        return [f"PROBLEM  {self.what}: {self.problem}", f"         {self.remedy}"]
