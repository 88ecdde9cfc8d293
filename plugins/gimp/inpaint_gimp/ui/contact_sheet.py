"""Draw the contact sheet of the candidates in the dialog, and open it as a new image."""

from __future__ import annotations

from collections.abc import Generator, Sequence

from gi.repository import GdkPixbuf
from inpaint_client import Extent
from inpaint_client.session import contact_sheet

from ..host.sheet_image import open_sheet
from ..runs.capture import Glance
from ..runs.layers import Rendering, sheet_caption
from ..translation import _, say
from .preview import Preview


def draw_sheet(glance: Glance, renderings: Sequence[Rendering]) -> Generator[None, None, None]:
    """Draw the cells in steps, from what the dialog has read, and open the sheet at the end."""
    extent = contact_sheet.cell_extent(glance.box.extent)
    preview = Preview(glance, extent.longest)
    cells = [_rows(preview.original)]
    captions = [contact_sheet.before(), *map(sheet_caption, renderings)]
    for rendering in renderings:
        yield
        cells.append(_rows(preview.with_fill(rendering.candidate)))
    yield
    original = preview.original
    open_sheet(
        Extent(original.get_width(), original.get_height()),
        cells,
        [(say(caption.title), caption) for caption in captions],
        _("Contact sheet"),
    )


def _rows(image: GdkPixbuf.Pixbuf) -> bytes:
    """Return the pixels as RGB, without the gaps between rows."""
    data, stride, channels = image.get_pixels(), image.get_rowstride(), image.get_n_channels()
    width = image.get_width() * channels
    rows = b"".join(data[y * stride : y * stride + width] for y in range(image.get_height()))
    return rows if channels == 3 else _without_alpha(rows)


def _without_alpha(data: bytes) -> bytes:
    plain = bytearray(len(data) // 4 * 3)
    for channel in range(3):
        plain[channel::3] = data[channel::4]
    return bytes(plain)
