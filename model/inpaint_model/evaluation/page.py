"""The report as one self-contained HTML file."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from html import escape

import numpy as np
from PIL import Image

from inpaint_model.document.arrays import ImageU8
from inpaint_model.evaluation.examples import Example
from inpaint_model.evaluation.mask_sets import title_of
from inpaint_model.evaluation.report import Column, cell, columns_of, sets_of, sheet_of
from inpaint_model.evaluation.run import Report
from inpaint_model.evaluation.scores import Row

STYLE = """
:root { color-scheme: light dark; }
body { font: 15px/1.5 system-ui, sans-serif; }
body { max-width: 1500px; margin: 2rem auto; padding: 0 1rem; }
table { border-collapse: collapse; margin: 1rem 0; font-variant-numeric: tabular-nums; }
th, td { padding: .25rem .75rem; text-align: right; border-bottom: 1px solid #8884; }
th:first-child, td:first-child { text-align: left; }
th { font-weight: 600; }
.best { font-weight: 700; }
.interval { opacity: .65; font-size: .85em; }
.scroll { overflow-x: auto; }
.images { display: grid; gap: 4px; margin: 1rem 0; }
.images img { width: 100%; display: block; image-rendering: auto; }
.images div { font-size: .85em; text-align: center; }
.sheet { max-width: 100%; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: 0 1rem; }
dt { font-weight: 600; } dd { margin: 0; overflow-wrap: anywhere; }
"""


def to_html(report: Report) -> str:
    """Return the page as HTML."""
    about = "".join(
        f"<dt>{escape(title)}</dt><dd>{escape(text)}</dd>" for title, text in report.about.items()
    )
    sections = "".join(_section(report, name) for name in sets_of(report.rows))
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width">'
        f"<title>Evaluation</title><style>{STYLE}</style></head><body>"
        f"<h1>Evaluation</h1><dl>{about}</dl>{_samples(report)}{_sanity_rows(report)}{sections}</body></html>\n"
    )


def _samples(report: Report) -> str:
    if report.samples is None:
        return ""
    sheet = _data(np.asarray(sheet_of(report.samples)))
    return (
        f"<h2>Samples</h2><p>{len(report.samples)} random samples of the generator without "
        'truncation, not selected (<a href="samples.png">samples.png</a>). Check them first: good '
        "numbers do not prove that the faces are good.</p>"
        f'<img class="sheet" alt="samples" src="{sheet}">'
    )


def _sanity_rows(report: Report) -> str:
    if not report.anchors:
        return ""
    return (
        "<h2>How to read the numbers</h2><p>Distances between sets of images are 0 for a perfect "
        "method. Brackets are 95&nbsp;% bootstrap intervals, the widest over the mask seeds. "
        "For reference, the originals compared with themselves:</p>" + _table(report.anchors)
    )


def _section(report: Report, name: str) -> str:
    rows = [row for row in report.summary if row.set == name]
    masks = [masks for masks in report.masks if masks.name == name]
    hashes = ", ".join(f"seed {m.seed}: {m.sha256[:12]}" for m in masks)
    ratio = sum(m.mean_hole_ratio for m in masks) / len(masks)
    text = f"<h2>{escape(name)}: {escape(title_of(name))}</h2>"
    text += f"<p>Mean hole {ratio:.0%} of the image; masks {escape(hashes)}.</p>{_table(rows)}"
    shown = report.examples.get(name, ())
    text += _grid("The first images", [example for example in shown if not example.worst])
    return text + _grid("The worst", [example for example in shown if example.worst])


def _table(rows: Sequence[Row]) -> str:
    columns = columns_of(rows)
    head = "".join(f"<th>{escape(column.title)}</th>" for column in columns)
    body = "".join(
        f"<tr><td>{escape(row.method)}</td>{''.join(_cell(row, c, rows) for c in columns)}</tr>"
        for row in rows
    )
    return (
        f'<div class="scroll"><table><thead><tr><th></th>{head}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>"
    )


def _cell(row: Row, column: Column, rows: Sequence[Row]) -> str:
    values = [r.numbers[column.key] for r in rows if column.key in r.numbers]
    value = row.numbers.get(column.key)
    best = len(values) > 1 and value == (max if column.better > 0 else min)(values)
    number, _, interval = cell(row, column).partition(" ")
    style = ' class="best"' if best and column.better else ""
    return f'<td{style}>{number} <span class="interval">{interval}</span></td>'


def _grid(title: str, shown: Sequence[Example]) -> str:
    if not shown:
        return ""
    titles = list(shown[0].images)
    cells = "".join(f"<div>{escape(name)}</div>" for name in titles)
    for example in shown:
        cells += "".join(
            f'<div><img alt="image {example.number}, {escape(name)}" src="{_data(pixels)}"></div>'
            for name, pixels in example.images.items()
        )
    return (
        f"<h3>{escape(title)}</h3>"
        f'<div class="images" style="grid-template-columns: repeat({len(titles)}, 1fr)">'
        f"{cells}</div>"
    )


def _data(pixels: ImageU8) -> str:
    """Encode lossily, since the images are only viewed."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "WEBP", quality=90)
    return "data:image/webp;base64," + base64.b64encode(buffer.getvalue()).decode()
