"""Write the files of a run: candidates, layers, recipes and the contact sheet."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
from inpaint_client import (
    Box,
    Candidate,
    Done,
    FillEvent,
    FrameChosen,
    Method,
    Progress,
    Resumed,
    Waiting,
)
from inpaint_client.session.ranking import Ranked, most_natural_first
from inpaint_model.document.compositing import Patch, composite
from tqdm import tqdm

from .color import document_pixels, thumbnail_pixels
from .images import (
    Document,
    UnusableImageError,
    cannot_write,
    extension_for,
    write_document,
)
from .jobs import Prepared, cut
from .layers import layer_image, raw_patch
from .metadata import Metadata
from .sheet import Cell, edits_label, write_sheet
from .whole_files import whole_file


@dataclass
class Run:
    """The results of a run, which can be printed as JSON."""

    candidates: list[dict[str, Any]] = field(default_factory=list)
    frames: list[FrameChosen] = field(default_factory=list)
    model: str = ""
    timings: dict[str, float] = field(default_factory=dict)
    sheet: str = ""
    notes: list[str] = field(default_factory=list)  # messages about the files

    def note(self, sentences: Iterable[str]) -> None:
        """Add messages about the files, each only once."""
        self.notes += [one for one in dict.fromkeys(sentences) if one not in self.notes]

    def summary(self) -> dict[str, Any]:
        """Return the object that `--json` prints."""
        return {
            "candidates": self.candidates,
            "frame": [list(chosen.frame) for chosen in self.frames],
            "confidence": min((chosen.confidence for chosen in self.frames), default=0.0),
            "warnings": [
                *self.notes,
                *(chosen.warning for chosen in self.frames if chosen.warning),
            ],
            "model": self.model,
            "sheet": self.sheet,
            "timings": self.timings,
        }


class Writer:
    """Writer that saves every candidate as soon as it is received."""

    def __init__(
        self,
        folder: Path,
        prepared: Prepared,
        file_format: str | None,
        notes: Iterable[str] = (),
    ) -> None:
        self._folder = folder
        self._prepared = prepared
        self._extension = extension_for(prepared.document, file_format)
        hole = prepared.capture.hole_box
        margin = max(hole.width, hole.height) // 2 + 8
        canvas = Box.of_extent(prepared.capture.document)
        self._shown = canvas.clamp(hole.grow(margin))
        self._rows: dict[int, list[Cell]] = {}
        self._ranked: list[Ranked] = []
        self.run = Run()
        self.run.note((*prepared.document.notes, *notes))

    def write_all(self, events: Iterable[FillEvent], bar: tqdm[NoReturn]) -> Run:
        """Process the events of a fill or an edit, and write all files."""
        _make(self._folder)
        for event in events:
            if isinstance(event, FrameChosen):
                self.run.frames.append(event)
            elif isinstance(event, Candidate):
                self._write(event)
            elif isinstance(event, Waiting):
                bar.set_postfix_str(f"the daemon is busy; trying again in {event.seconds:.0f} s")
            elif isinstance(event, Progress):
                bar.set_postfix_str("", refresh=False)
                bar.total = event.total
                bar.update(event.done - bar.n)
            elif isinstance(event, Resumed):
                self.run.note([event.text])
            elif isinstance(event, Done):
                self.run.timings = {
                    "queue": round(event.queue_ms, 2),
                    "encode": round(event.encode_ms, 2),
                    "first_candidate": round(event.first_candidate_ms, 2),
                    "total": round(event.total_ms, 2),
                }
        self._write_sheet()
        return self.run

    def _write(self, candidate: Candidate) -> None:
        variant = f"-variant-{candidate.variant:02d}" if candidate.is_variant else ""
        name = f"{candidate.index:02d}"
        document, folder = self._prepared.document, self._folder
        raw = [raw_patch(patch) for patch in candidate.patches]
        layers = [
            layer._replace(fill=document_pixels(layer.fill, document, self._prepared.space))
            for layer in raw
        ]
        result = replace(document, pixels=composite(document.pixels, layers))
        files = {
            "image": folder / f"candidate-{name}{variant}{self._extension}",
            "layer": folder / f"candidate-{name}{variant}.layer{self._layer_extension()}",
            "recipe": folder / f"recipe-{name}{variant}.json",
            "source": folder / f"recipe-{name}.source.png",
        }
        self.run.note(write_document(files["image"], result))
        write_document(files["layer"], self._layer(layers))
        write_bytes(files["recipe"], candidate.recipe.encode())
        if candidate.attachment:
            write_bytes(files["source"], candidate.attachment)
        recipe = json.loads(candidate.recipe)
        self.run.model = str(recipe["model"])
        self.run.candidates.append(
            {
                "index": candidate.index,
                "variant": candidate.variant if candidate.is_variant else None,
                "method": candidate.method.name.lower(),
                "seed": candidate.seed,
                "edits": recipe["edits"],
                "bounds": [list(patch.box) for patch in candidate.patches],
                "scores": asdict(candidate.scores),
                "files": {kind: str(path) for kind, path in files.items()},
            }
        )
        self._note_thumbnail(candidate, raw, recipe["edits"])

    def _layer(self, layers: list[Patch]) -> Document:
        return replace(
            self._prepared.document,
            pixels=layer_image(self._prepared.document.pixels, layers),
            exif=b"",
            beside=Metadata(
                dpi=self._prepared.document.beside.dpi,
                png_color=self._prepared.document.beside.png_color,
            ),
        )

    def _layer_extension(self) -> str:
        """Return the extension of layers, which are transparent and cannot be JPEG."""
        return ".png" if self._extension == ".jpg" else self._extension

    def _note_thumbnail(
        self, candidate: Candidate, raw: list[Patch], edits: dict[str, float]
    ) -> None:
        box = self._shown
        pairs = zip(candidate.patches, raw, strict=True)
        inside = [layer for patch, layer in pairs if box.contains(patch.box)]
        view = composite(cut(self._prepared.wire, box), inside, (box.x, box.y))
        label = edits_label(edits) if candidate.is_variant else f"seed {candidate.seed}"
        if candidate.method is Method.SMOOTH:
            label = "smooth"
        pixels = thumbnail_pixels(view, linear=self._prepared.linear)
        self._rows.setdefault(candidate.index, []).append(Cell(pixels, label))
        if not candidate.is_variant:
            smooth = candidate.method is Method.SMOOTH
            self._ranked.append(Ranked(candidate.index, candidate.scores, smooth))

    def _write_sheet(self) -> None:
        path = self._folder / "sheet.png"
        original = thumbnail_pixels(
            np.ascontiguousarray(cut(self._prepared.wire, self._shown)),
            linear=self._prepared.linear,
        )
        coverage = np.ascontiguousarray(cut(self._prepared.coverage, self._shown))
        order = [self._ranked[place].candidate for place in most_natural_first(self._ranked)]
        rows = [self._rows[index] for index in order]
        if all(len(row) == 1 for row in rows):  # without variants, four candidates per row
            cells = [row[0] for row in rows]
            rows = [cells[k : k + 4] for k in range(0, len(cells), 4)]
        try:
            with whole_file(path) as beside:
                write_sheet(beside, original, coverage, rows)
        except OSError as error:
            raise cannot_write(path, error) from error
        self.run.sheet = str(path)


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file atomically.

    Raises:
        UnusableImageError: the file cannot be written.
    """
    try:
        with whole_file(path) as beside:
            beside.write_bytes(content)
    except OSError as error:
        raise cannot_write(path, error) from error


def _make(folder: Path) -> None:
    """Create the folder for the results, with its parents, unless it exists."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        raise UnusableImageError(
            f"{folder} cannot be used for the results because it or one of its parents is a file; "
            "choose another --out"
        ) from None
    except OSError as error:
        raise cannot_write(folder, error) from error
