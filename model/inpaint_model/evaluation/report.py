"""The report as JSON, text, and Markdown for a model card."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from PIL import Image

from inpaint_model.data.image_grid import contact_sheet
from inpaint_model.document.arrays import ImageU8
from inpaint_model.evaluation.mask_sets import title_of
from inpaint_model.evaluation.methods import BASELINES
from inpaint_model.evaluation.run import Report
from inpaint_model.evaluation.scores import Row


class Column(NamedTuple):
    """A metric in the tables."""

    key: str  # of Row.numbers
    title: str
    decimals: int
    better: int  # +1: higher, -1: lower, 0: neither


COLUMNS = (
    Column("kid_x1000", "KID x1000", 2, -1),
    Column("kid768_x1000", "KID768 x1000", 2, -1),
    Column("fid", "FID", 1, -1),
    Column("fid768", "FID768", 3, -1),
    Column("precision", "precision", 3, 1),
    Column("recall", "recall", 3, 1),
    Column("precision768", "precision768", 3, 1),
    Column("recall768", "recall768", 3, 1),
    Column("detected", "faces found %", 1, 1),
    Column("asymmetry", "asymmetry %", 2, 0),
    Column("asymmetry_p95", "asymmetry 95th", 2, 0),
    Column("eyes", "eyes differ", 3, 0),
    Column("eyes_p95", "eyes 95th", 3, 0),
    Column("lpips", "LPIPS", 3, -1),
    Column("vgg", "VGG", 3, -1),
    Column("identity", "identity distance", 3, -1),
    Column("psnr", "PSNR", 2, 1),
    Column("ssim", "SSIM", 3, 1),
    Column("psnr_known", "PSNR known", 2, 1),
    Column("ssim_known", "SSIM known", 3, 1),
    Column("p_ids", "P-IDS", 3, 1),
    Column("u_ids", "U-IDS", 3, 1),
    Column("p_ids768", "P-IDS768", 3, 1),
    Column("u_ids768", "U-IDS768", 3, 1),
    Column("p_ids768_cv", "P-IDS768 cv", 3, 1),
    Column("u_ids768_cv", "U-IDS768 cv", 3, 1),
    Column("diversity_relative", "diversity", 3, 1),
)


def columns_of(rows: Sequence[Row]) -> list[Column]:
    """Return the metrics that any row has."""
    return [column for column in COLUMNS if any(column.key in row.numbers for row in rows)]


def cell(row: Row, column: Column, interval: bool = True) -> str:
    """Format a number with its interval; empty if missing."""
    value = row.numbers.get(column.key)
    if value is None or math.isnan(value):
        return ""
    text = f"{value:.{column.decimals}f}"
    if interval and column.key in row.intervals:
        low, high = row.intervals[column.key]
        text += f" [{low:.{column.decimals}f}, {high:.{column.decimals}f}]"
    return text


def sheet_of(samples: ImageU8) -> Image.Image:
    """Return a roughly square contact sheet of samples [N, R, R, 3]."""
    return contact_sheet(samples, columns=math.ceil(len(samples) ** 0.5))


def sets_of(rows: Iterable[Row]) -> list[str]:
    """Return the mask sets in the order of the rows."""
    return list(dict.fromkeys(row.set for row in rows))


def to_json(report: Report) -> str:
    """Return all numbers of all seeds."""
    document = {
        "about": dict(report.about),
        "masks": [
            {
                "set": masks.name,
                "title": masks.title,
                "seed": masks.seed,
                "sha256": masks.sha256,
                "mean_hole_ratio": round(masks.mean_hole_ratio, 4),
            }
            for masks in report.masks
        ],
        "rows": [_plain(row) for row in report.rows],
        "mean_over_seeds": [_plain(row) for row in report.summary],
        "anchors": [_plain(row) for row in report.anchors],
        "worst_images": {
            name: [example.number for example in shown if example.worst]
            for name, shown in report.examples.items()
        },
        "against_baselines": [entry._asdict() for entry in comparisons(report)],
    }
    return json.dumps(document, indent=1, allow_nan=False) + "\n"


def _plain(row: Row) -> dict[str, object]:
    return {
        "set": row.set,
        "seed": row.seed,
        "method": row.method,
        "numbers": {name: value for name, value in row.numbers.items() if not math.isnan(value)},
        "intervals": {name: list(bounds) for name, bounds in row.intervals.items()},
    }


class Comparison(NamedTuple):
    """Kernel distances of the model and the best baseline."""

    set: str
    seed: int
    metric: str
    model: float
    model_high: float  # of the 95 % interval
    best_baseline: str
    baseline: float
    factor: float  # how many times lower the model is

    def __str__(self) -> str:
        return (
            f"{self.set}, seed {self.seed}: {self.metric} {self.model:.2f} (up to "
            f"{self.model_high:.2f}); best baseline ({self.best_baseline}) {self.baseline:.2f}; "
            f"factor {self.factor:.1f}"
        )


def comparisons(report: Report) -> list[Comparison]:
    """Compare the model with the best baseline on each set and seed."""
    found = []
    baselines = {method.name for method in BASELINES}
    for masks in report.masks:
        rows = [row for row in report.rows if (row.set, row.seed) == (masks.name, masks.seed)]
        model = next((row for row in rows if row.method == "model"), None)
        others = [row for row in rows if row.method in baselines]
        for key in ("kid_x1000", "kid768_x1000"):
            if model is None or key not in model.numbers or not others:
                continue
            best = min(others, key=lambda row: row.numbers[key])
            value, baseline = model.numbers[key], best.numbers[key]
            factor = baseline / max(value, 1e-6)
            high = model.intervals[key][1]
            found.append(
                Comparison(masks.name, masks.seed, key, value, high, best.method, baseline, factor)
            )
    return found


def to_text(report: Report) -> str:
    """Return the tables for a terminal."""
    blocks = [
        f"{name}: {title_of(name)}\n" + _aligned([row for row in report.summary if row.set == name])
        for name in sets_of(report.rows)
    ]
    if report.anchors:
        blocks.append("the originals compared with themselves\n" + _aligned(report.anchors))
    blocks.append("\n".join(str(comparison) for comparison in comparisons(report)))
    return "\n\n".join(block for block in blocks if block) + "\n"


def to_markdown(report: Report) -> str:
    """Return the tables for a model card."""
    blocks = []
    for name in sets_of(report.rows):
        rows = [row for row in report.summary if row.set == name]
        columns = columns_of(rows)
        lines = [
            f"**{name}**: {title_of(name)}",
            "",
            "| method | " + " | ".join(column.title for column in columns) + " |",
            "|---|" + "---:|" * len(columns),
        ]
        lines += [
            f"| {row.method} | " + " | ".join(cell(row, column) for column in columns) + " |"
            for row in rows
        ]
        blocks.append("\n".join(lines))
    return "\n\n".join(blocks) + "\n"


def _aligned(rows: Sequence[Row]) -> str:
    columns = columns_of(rows)
    table = [["", *(column.title for column in columns)]]
    table += [[row.method, *(cell(row, column) for column in columns)] for row in rows]
    widths = [max(len(line[i]) for line in table) for i in range(len(table[0]))]
    return "\n".join(
        "  ".join(
            text.ljust(width) if i == 0 else text.rjust(width)
            for i, (text, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in table
    )
