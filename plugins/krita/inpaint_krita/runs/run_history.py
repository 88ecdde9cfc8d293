"""The runs of a document, in memory and in its annotations."""

from __future__ import annotations

import logging
from typing import Protocol

from inpaint_client.errors import InputError
from inpaint_client.session.history import PastRun, pack, unpack

log = logging.getLogger(__name__)

PREFIX = "inpaint_stylegan/run/"  # prefix of an annotation's name, before the run's key
DESCRIPTION = "Inpaint (StyleGAN): how these layers were made"
MAX_RUNS = 24  # the oldest runs are dropped; each takes about 200 KiB


class Annotations(Protocol):
    """The part of a document used here."""

    def annotation_names(self) -> list[str]: ...
    def annotation(self, name: str) -> bytes: ...
    def annotate(self, name: str, description: str, data: bytes) -> None: ...
    def remove_annotation(self, name: str) -> None: ...


class RunHistory:
    """A document's runs, oldest first.

    Changes are stored in the document immediately, since the artist may save at any time.
    """

    def __init__(self, document: Annotations) -> None:
        self._document = document
        self.runs: list[PastRun] = []
        names = [name for name in document.annotation_names() if name.startswith(PREFIX)]
        for name in sorted(names):  # keys start with the time: oldest first
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
        """Add the run or replace the one with the same key; drop the oldest runs."""
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
        self.runs = [each for each in self.runs if each.key != run.key]
        self._document.remove_annotation(PREFIX + run.key)


def _read(name: str, data: bytes) -> PastRun:
    """Return the run stored in an annotation.

    Raises:
        InputError: it cannot be read, or it has no selection, which only runs of GIMP may lack.
    """
    run = unpack(data, name.removeprefix(PREFIX))
    if not run.coverage:
        raise InputError("This document's history of fills has no selection.", "")
    return run
