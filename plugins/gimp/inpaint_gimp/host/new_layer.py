"""A layer to be inserted into the image."""

from __future__ import annotations

from typing import NamedTuple

from inpaint_client import Box
from inpaint_client.session.history import PastRun


class Pixels(NamedTuple):
    """A rectangle of colors with alpha, ready for a layer."""

    box: Box  # in the image
    data: bytes | bytearray
    babl: str  # the format of data


class NewLayer(NamedTuple):
    name: str
    pixels: Pixels
    visible: bool
    run: PastRun | None  # stored in the layer
