"""A call of a procedure, and inserting its layers into the image."""

from __future__ import annotations

from typing import NamedTuple

from gi.repository import Gimp
from inpaint_client import InputError, parse_recipe

from ..host.image import GimpImage
from ..translation import _
from .arguments import FillSettings
from .capture import Captured
from .layers import Rendering, group_name, stacked


class Call(NamedTuple):
    """The parameters of a call from GIMP."""

    procedure: Gimp.Procedure
    run_mode: Gimp.RunMode
    image: Gimp.Image
    drawables: list[Gimp.Drawable]
    config: Gimp.ProcedureConfig

    @property
    def is_interactive(self) -> bool:
        return bool(self.run_mode == Gimp.RunMode.INTERACTIVE)


def insert(
    image: GimpImage,
    captured: Captured,
    settings: FillSettings,
    renderings: list[Rendering],
    chosen: int,
) -> None:
    """Insert the layers of a finished run into the image, in one undo step.

    Raises:
        InputError: the image has been closed.
    """
    if not image.image.is_valid():
        raise InputError(_("The image was closed in the meantime."), "")
    above = image.layer_at(captured.item)
    tattoo = above.get_tattoo() if above is not None and settings.from_layer else 0
    layers = stacked(renderings, chosen, captured.capture.document, tattoo)
    first = renderings[0].candidate
    title = group_name(parse_recipe(first.recipe).model, first.seed) if settings.group else ""
    image.insert(layers, above, title)
    Gimp.displays_flush()
