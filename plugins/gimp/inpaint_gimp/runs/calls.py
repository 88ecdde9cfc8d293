"""A call of a procedure, and the layers that it inserts into the image."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import NamedTuple

from gi.repository import Gimp
from inpaint_client import parse_recipe

from ..host.image import GimpImage
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


def make_layers(
    image: GimpImage,
    captured: Captured,
    settings: FillSettings,
    renderings: list[Rendering],
    chosen: int,
) -> Generator[None, None, Callable[[], None]]:
    """Make the layers of a finished run, in steps, without changing the image.

    Returns:
        The function that inserts them into the image, in one undo step.

    Raises:
        InputError: the image has been closed.
    """
    above = image.layer_at(captured.item)
    tattoo = above.get_tattoo() if above is not None and settings.from_layer else 0
    layers = stacked(renderings, chosen, captured.capture.document, tattoo)
    first = renderings[0].candidate
    title = group_name(parse_recipe(first.recipe).model, first.seed) if settings.group else ""
    made = yield from image.make_layers(layers)

    def insert() -> None:
        image.insert(made, image.layer_at(captured.item), title)
        Gimp.displays_flush()

    return insert
