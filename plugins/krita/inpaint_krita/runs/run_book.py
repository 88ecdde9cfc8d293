"""The runs of a document, in memory and in its annotations."""

from __future__ import annotations

import logging
from typing import Protocol

from inpaint_client.errors import BadInput

from .history import DESCRIPTION, MAX_RUNS, PastRun, pack, run_names, unpack

log = logging.getLogger(__name__)


class Annotations(Protocol):
    """The part of a document that this needs."""

    def annotation_names(self) -> list[str]: ...
    def annotation(self, name: str) -> bytes: ...
    def annotate(self, name: str, description: str, data: bytes) -> None: ...
    def remove_annotation(self, name: str) -> None: ...


class RunBook:
    """Oldest first. Every change goes into the document at once: the artist may save any time."""

    def __init__(self, document: Annotations) -> None:
        self._document = document
        self.runs: list[PastRun] = []
        for name in run_names(document.annotation_names()):
            try:
                self.runs.append(unpack(name, document.annotation(name)))
            except BadInput as error:
                log.warning("%s: %s", name, error)

    @property
    def last(self) -> PastRun | None:
        return self.runs[-1] if self.runs else None

    def find(self, key: str) -> PastRun | None:
        return next((run for run in self.runs if run.key == key), None)

    def put(self, run: PastRun) -> None:
        """Add the run, or replace the one with its key. The oldest ones are forgotten."""
        old = self.find(run.key)
        if old is None:
            self.runs.append(run)
        else:
            self.runs[self.runs.index(old)] = run
        self._document.annotate(run.annotation, DESCRIPTION, pack(run))
        for forgotten in self.runs[:-MAX_RUNS]:
            self._document.remove_annotation(forgotten.annotation)
        self.runs = self.runs[-MAX_RUNS:]

    def drop(self, run: PastRun) -> None:
        """Forget a run."""
        self.runs = [each for each in self.runs if each.key != run.key]
        self._document.remove_annotation(run.annotation)
