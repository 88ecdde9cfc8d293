"""An HTML page for marking samples offline, and its JSON file of marks."""

from __future__ import annotations

import base64
import html
import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from PIL import Image

from inpaint_model.document.arrays import ImageU8
from inpaint_model.inference.inpainter import MAX_SEED

FORMAT = 1
MAX_JSON_BYTES = 2**20
_PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><title>{name}</title>
<style>
body {{ font: 16px/1.5 system-ui, sans-serif; margin: 2rem; background: #222; color: #eee }}
main {{ display: grid; grid-template-columns: repeat(auto-fill, minmax({side}px, 1fr)); gap: 8px }}
main button {{ padding: 4px; border: 4px solid transparent; background: none; cursor: pointer }}
main img {{ width: 100%; display: block }}
main button[data-mark="more"] {{ border-color: #5c6 }}
main button[data-mark="less"] {{ border-color: #e64 }}
header {{ position: sticky; top: 0; background: #222; padding: .5rem 0 }}
</style>
<header><strong>{name}</strong>: click an image once to mark it as "more" (green), twice for "less"
(orange), three times to clear the mark. A few dozen marks are enough.
<button id="save">Save marks</button>
<output id="count"></output></header>
<main>{cells}</main>
<script>
const about = {about};
const next = {{"": "more", more: "less", less: ""}};
const cells = [...document.querySelectorAll("main button")];
const seeds = mark => cells.filter(c => c.dataset.mark === mark).map(c => Number(c.dataset.seed));
function count() {{
  document.getElementById("count").textContent =
    `${{seeds("more").length}} more, ${{seeds("less").length}} less`;
}}
for (const cell of cells) cell.onclick = () => {{
  cell.dataset.mark = next[cell.dataset.mark]; count();
  cell.setAttribute("aria-label", `sample ${{cell.dataset.seed}} ${{cell.dataset.mark}}`);
}};
document.getElementById("save").onclick = () => {{
  const marks = {{...about, more: seeds("more"), less: seeds("less")}};
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([JSON.stringify(marks)], {{type: "application/json"}}));
  link.download = about.name + ".marks.json";
  link.click();
}};
count();
</script></html>
"""


class Marks(NamedTuple):
    """Marks of a generator's samples."""

    name: str
    generator_sha256: str
    truncation_psi: float
    more: tuple[int, ...]  # seeds
    less: tuple[int, ...]


def contact_page(
    name: str,
    generator_sha256: str,
    truncation_psi: float,
    seeds: Sequence[int],
    images: Sequence[ImageU8],
) -> str:
    """Return the page for samples uint8 [R, R, 3]."""
    cells = "\n".join(
        f'<button data-seed="{seed}" data-mark="" aria-label="sample {seed}">'
        f'<img alt="" src="data:image/png;base64,{_png(image)}"></button>'
        for seed, image in zip(seeds, images, strict=True)
    )
    about = {
        "format": FORMAT,
        "name": name,
        "generator_sha256": generator_sha256,
        "truncation_psi": truncation_psi,
    }
    side = min(max(images[0].shape[0], 96), 192)
    script = json.dumps(about).replace("<", "\\u003c")  # no name can close the script element
    return _PAGE.format(name=html.escape(name), side=side, cells=cells, about=script)


def read_marks(path: Path) -> Marks:
    """Read the page's marks.

    Raises:
        ValueError: if the file is missing or invalid.
    """
    try:
        if path.stat().st_size > MAX_JSON_BYTES:
            raise ValueError("it is too large")
        data = json.loads(path.read_text("utf-8"))
        if not isinstance(data, dict) or data.get("format") != FORMAT:
            raise ValueError(f"it is not of format {FORMAT}")
        seeds = [data["more"], data["less"]]
        valid = all(
            isinstance(marked, list) and all(type(s) is int and 0 <= s <= MAX_SEED for s in marked)
            for marked in seeds
        )
        if not valid or set(seeds[0]) & set(seeds[1]):
            raise ValueError("its marks are not two separate lists of seeds")
        return Marks(
            str(data["name"]),
            str(data["generator_sha256"]),
            float(data["truncation_psi"]),
            tuple(seeds[0]),
            tuple(seeds[1]),
        )
    except FileNotFoundError:
        raise ValueError(f"{path} does not exist") from None
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        reason = f"{error} is missing" if isinstance(error, KeyError) else str(error)
        raise ValueError(f"{path} is not a valid marks file: {reason}") from None


def _png(image: ImageU8) -> str:
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "PNG")
    return base64.b64encode(buffer.getvalue()).decode()
