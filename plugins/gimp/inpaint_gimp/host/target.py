"""What shall be filled: decided from facts about the image, without touching it."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum, auto
from typing import NamedTuple

from inpaint_client import Box, InputError

from ..translation import _


class Kind(Enum):
    LAYER = auto()
    GROUP = auto()
    CHANNEL = auto()
    FLOATING = auto()


class Item(NamedTuple):
    """A drawable that the user has selected. A layer mask counts as its layer."""

    name: str
    kind: Kind
    box: Box  # in the image
    has_alpha: bool
    path: tuple[int, ...]  # its place in the stack: positions from the top, group by group


class Hole(NamedTuple):
    """Where the hole comes from, and a box that surely contains it."""

    box: Box
    from_transparency: bool


def check_mode(base_type: str) -> None:
    """`base_type` is "rgb", "gray" or "indexed"."""
    if base_type == "indexed":
        raise InputError(
            _("An indexed image has too few colors for a fill."),
            _("Convert it first: Image > Mode > RGB."),
        )


def choose_item(items: Sequence[Item], from_layer: bool) -> int | None:
    """Which of the selected items to fill, as an index; None: the image as a whole.

    `from_layer` says that the model shall see that layer alone. Raises InputError with the remedy.
    """
    if any(item.kind is Kind.FLOATING for item in items):
        raise InputError(
            _("There is a floating selection."),
            _("Anchor it, or convert it to a layer (Layer menu)."),
        )
    layers = [index for index, item in enumerate(items) if item.kind is not Kind.CHANNEL]
    if from_layer and len(layers) != 1:
        raise InputError(
            _("{count} layers are selected, but the source is “Selected layer”.").format(
                count=len(layers)
            ),
            _("Select one layer, or set the source to “All visible layers”."),
        )
    return min(layers, key=lambda index: items[index].path, default=None)


def find_hole(selection: Box | None, canvas: Box, item: Item | None, from_layer: bool) -> Hole:
    """The hole: the selection, or without one the transparent part of the layer.

    `selection` is the box of the selection, None if nothing is selected. Raises InputError.
    """
    if selection is not None:
        box = canvas.clamp(selection)
        if from_layer and item is not None and item.box.clamp(box).is_empty:
            raise InputError(
                _("The selection is outside the layer “{layer}”.").format(layer=item.name),
                _("Select another layer, or set the source to “All visible layers”."),
            )
        return Hole(box, from_transparency=False)
    if item is None or not item.has_alpha:
        raise nothing_selected()
    box = canvas.clamp(item.box)
    if box.is_empty:
        raise InputError(
            _("The layer “{layer}” is outside the canvas.").format(layer=item.name),
            _("Move it onto the canvas, or select another layer."),
        )
    return Hole(box, from_transparency=True)


def nothing_selected() -> InputError:
    return InputError(
        _("Nothing is selected."),
        _("Select the region to fill, for example with the Free Select tool, or erase it."),
    )
