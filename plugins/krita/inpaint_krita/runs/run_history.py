"""The runs of a document, in memory and in its annotations."""

from __future__ import annotations

import logging
from typing import Protocol

from inpaint_client.errors import InputError
from inpaint_client.session.history import PastRun, pack, unpack

log = logging.getLogger(__name__)

PREFIX = "inpaint_stylegan/run/"  # of an annotation's name; the run's key follows
DESCRIPTION = "Inpaint (StyleGAN): how these layers were made"
MAX_RUNS = 24  # older ones are forgotten, oldest first; some 200 KiB each


class Annotations(Protocol):
    """The part of a document that this needs."""

    def annotation_names(self) -> list[str]: ...
    def annotation(self, name: str) -> bytes: ...
    def annotate(self, name: str, description: str, data: bytes) -> None: ...
    def remove_annotation(self, name: str) -> None: ...


class RunHistory:
    """Oldest first. Every change goes into the document at once: the artist may save any time."""

    def __init__(self, document: Annotations) -> None:
        self._document = document
        self.runs: list[PastRun] = []
        names = [name for name in document.annotation_names() if name.startswith(PREFIX)]
        for name in sorted(names):  # keys begin with the time: oldest first
            try:
                self.runs.append(_read(name, document.annotation(name)))
            except InputError as error:
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
        self._document.annotate(PREFIX + run.key, DESCRIPTION, pack(run))
        for forgotten in self.runs[:-MAX_RUNS]:
            self._document.remove_annotation(PREFIX + forgotten.key)
        self.runs = self.runs[-MAX_RUNS:]

    def drop(self, run: PastRun) -> None:
        """Forget a run."""
        self.runs = [each for each in self.runs if each.key != run.key]
        self._document.remove_annotation(PREFIX + run.key)


def _read(name: str, data: bytes) -> PastRun:
    """Return the run of an annotation.

    Raises:
        InputError: it cannot be read, or has no selection: only GIMP's layers do without.
    """
    run = unpack(data, name.removeprefix(PREFIX))
    if not run.coverage:
        raise InputError("This document's history of fills has no selection.", "")
    return run
