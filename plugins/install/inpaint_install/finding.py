"""One thing that was examined: what it is, what was found, and what to do about a problem."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """`problem` is empty where all is well; `remedy` counts only where there is a problem."""

    what: str
    found: str = ""
    problem: str = ""
    remedy: str = ""

    @property
    def lines(self) -> list[str]:
        """For a terminal."""
        if not self.problem:
            return [f"ok       {self.what}: {self.found}"]
        return [f"PROBLEM  {self.what}: {self.problem}", f"         {self.remedy}"]
