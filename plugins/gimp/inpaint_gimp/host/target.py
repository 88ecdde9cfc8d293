"""Decide what to fill, from the state of the image and without changing it."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum, auto
from typing import NamedTuple

from inpaint_client import Box, InputError

from ..translation import _


class NothingSelectedError(InputError):
    """Nothing is selected, and nothing is transparent."""


class Kind(Enum):
    LAYER = auto()
    GROUP = auto()
    CHANNEL = auto()
    FLOATING = auto()


class Item(NamedTuple):
    """A selected drawable. A layer mask counts as its layer."""

    name: str
    kind: Kind
    box: Box  # in the image
    has_alpha: bool
    path: tuple[int, ...]  # positions from the top, from the outermost group inward


class Hole(NamedTuple):
    """A box that contains the hole, and where the hole comes from."""

    box: Box
    from_transparency: bool


def check_mode(base_type: str) -> None:
    """Check that the image can be filled.

    Args:
        base_type: "rgb", "gray" or "indexed".

    Raises:
        InputError: the image is indexed.
    """
    if base_type == "indexed":
        raise InputError(
            _("An indexed image has too few colors for a fill."),
            _("Convert it first: Image > Mode > RGB."),
        )


def check_floating(items: Sequence[Item]) -> None:
    """Check that the selection is not in use.

    Raises:
        InputError: there is a floating selection.
    """
    if any(item.kind is Kind.FLOATING for item in items):
        raise InputError(
            _("There is a floating selection."),
            _("Anchor it, or convert it to a layer (Layer menu)."),
        )


def choose_item(items: Sequence[Item], from_layer: bool) -> int | None:
    """Choose the selected item to fill.

    Args:
        items: the selected items.
        from_layer: whether the model sees only that layer.

    Returns:
        The index of the item; None if no layer is selected.

    Raises:
        InputError: there is a floating selection, or `from_layer` and not exactly one layer.
    """
    check_floating(items)
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
    """Find the hole: the selection or, without one, the transparent part of the layer.

    Args:
        selection: box of the selection; None if nothing is selected.
        canvas: box of the image.
        item: the item to fill.
        from_layer: whether the model sees only that layer.

    Raises:
        NothingSelectedError: there is nothing to fill.
        InputError: what there is cannot be filled.
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


def nothing_selected() -> NothingSelectedError:
    return NothingSelectedError(
        _("Nothing is selected."),
        _(
            "Select the region to fill, for example with the Free Select tool or with Filters > "
            "Enhance > Select part of a face, or erase it."
        ),
    )
