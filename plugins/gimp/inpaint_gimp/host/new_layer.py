"""A layer to be inserted into the image."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

from inpaint_client import Box
from inpaint_client.session.history import PastRun


class Pixels(NamedTuple):
    """A rectangle of colors with alpha, ready for a layer."""

    box: Box  # in the image, or in a layer
    data: bytes | bytearray
    babl: str  # the format of data


class NewLayer(NamedTuple):
    name: str
    box: Box  # in the image
    strips: Callable[[], Iterator[Pixels]]  # in the layer; transparent where there are none
    visible: bool
    run: PastRun | None  # stored in the layer
