"""A page about a bundle's directions, with generated images only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from inpaint_model.directions.checking import Checked
from inpaint_model.directions.effects import UNSEEN, Subject, values_of, walk
from inpaint_model.directions.measurements import Score
from inpaint_model.directions.report import file_name, steps_image

BEGIN, END = "<!-- directions: begin -->", "<!-- directions: end -->"
IMAGES = Path("images/edits")  # relative to the page's folder
ROWS = 3


def write_page(
    page: Path, checked: Sequence[Checked], subjects: Sequence[Subject], judges: Mapping[str, Score]
) -> None:
    """Write a page, or the part between the marker lines of an existing one.

    Raises:
        ValueError: if that has no marker lines.
    """
    old = page.read_text("utf-8") if page.exists() else f"{BEGIN}\n{END}\n"
    head, begin, rest = old.partition(BEGIN)
    _, end, tail = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"{page} has no lines {BEGIN} and {END} to write between")
    lines = [*_table(checked), ""]
    (page.parent / IMAGES).mkdir(parents=True, exist_ok=True)
    for one in checked:
        if not one.direction.offered:
            continue
        name = one.direction.name
        path = IMAGES / f"{file_name(name)}.webp"
        grid(one, subjects, judges).save(page.parent / path, quality=80, method=6)
        lines += [f"**{name}**: {one.direction.description or name}", "", f"![{name}]({path})", ""]
    lines += [
        f"- not offered: {one.direction.name} ({'; '.join(one.entry['reasons'])})"
        for one in checked
        if not one.direction.offered
    ]
    page.write_text(f"{head}{BEGIN}\n" + "\n".join(lines) + f"\n{END}{tail}", "utf-8")


@torch.inference_mode()
def grid(one: Checked, subjects: Sequence[Subject], judges: Mapping[str, Score]) -> Image.Image:
    """Render an edit on the first images that show it and, last, the least affected."""
    values = values_of(one.direction)
    score = judges.get(one.direction.attribute)
    rows = list(range(min(ROWS, len(subjects))))
    if score is not None:
        ends = [
            score(walk(subject, one.step, values[[0, -1]])).cpu().double() for subject in subjects
        ]
        gains = np.array([float(high - low) for low, high in ends])
        seeing = np.flatnonzero(np.abs(gains) > max(UNSEEN, 0.2 * np.abs(gains).max()))
        if len(seeing) >= ROWS:
            worst = seeing[ROWS - 1 :][gains[seeing[ROWS - 1 :]].argmin()]
            rows = [*seeing[: ROWS - 1].tolist(), int(worst)]
    return steps_image(subjects, rows, one.step, values)


def _table(checked: Sequence[Checked]) -> list[str]:
    lines = [
        "| Direction | Styles | Range | Spearman | Effect per unit | Largest other change "
        "| Change of identity | Retention | Offered |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for one in checked:
        own, figures = one.direction, one.entry
        others = figures["changes_of_others"] or {}
        worst = max(others, key=lambda name: others[name], default="")
        cells = [
            own.name,
            f"{own.layers[0]} to {own.layers[-1]}",
            f"{own.minimum:g} to {own.maximum:g}",
            _number(figures["spearman"]),
            _number(figures["per_unit"]),
            f"{others[worst]:.2f} ({worst})" if worst else "none measured",
            _number(figures["change_of_identity"]),
            _number(figures["retention"]),
            "yes" if own.offered else "no",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def _number(value: float | None) -> str:
    return "not measured" if value is None else f"{value:.2f}"
