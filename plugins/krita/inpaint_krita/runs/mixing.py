"""Style mixing: mix the styles of another result, or of any paint layer, into a result."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Protocol

from inpaint_client.errors import InputError
from inpaint_client.geometry import Box, crop_for_hole, reducing_step
from inpaint_client.images import Picture
from inpaint_client.info import Limits
from inpaint_client.pixels import rearrange
from inpaint_client.requests import Mixing
from inpaint_client.session.history import Mix, PastRun
from inpaint_client.session.mixer_pad import MixerPad, starting_pad

from ..host.qt import Qt, QtGui
from ..host.scratch import Scratch
from ..text import tr
from .candidate_run import layer_name

LAYER_SIDE = 512  # px; the model sees no more detail, and sliders must stay responsive


class Layers(Protocol):
    """The part of a document used here (document_protocol.Document)."""

    def bounds(self, layer_id: str) -> Box | None: ...
    def layer_view(self, layer_id: str, box: Box, scratch: Scratch) -> QtGui.QImage: ...


@dataclass(frozen=True)
class Choice:
    """A layer whose styles can be mixed in."""

    layer: str
    label: str


def choices(run: PastRun | None, layers: Iterable[tuple[str, str]]) -> tuple[Choice, ...]:
    """Return the other results of a run, then the paint layers (id, name) outside the run.

    A smooth result has no styles.
    """
    if run is None or not run.results:
        return ()
    chosen = run.results[run.chosen]
    own = {result.layer for result in run.results} | {run.kept}
    return (
        *(
            Choice(each.layer, layer_name(each.index, each.seed, each.variant))
            for each in run.results
            if each is not chosen and not each.is_smooth
        ),
        *(
            Choice(layer, tr("Layer: {name}").format(name=name))
            for layer, name in layers
            if layer not in own
        ),
    )


def first_pad(run: PastRun | None) -> MixerPad[str] | None:
    """Return a mixer pad with the first other results; None if there are too few."""
    if run is None or not run.results:
        return None
    chosen = run.results[run.chosen]
    others = (each for each in run.results if each is not chosen and not each.is_smooth)
    return starting_pad([each.layer for each in others], "")


def with_other(mix: Mix, layer: str, run: PastRun) -> Mix:
    """Return the mix with another layer as its source."""
    return mix.with_other(layer or None, is_result=bool(_recipe(run, layer)))


def mixing_of(
    mix: Mix, run: PastRun, layers: Layers, scratch: Scratch, limits: Limits
) -> tuple[Mixing, ...]:
    """Return the mixing to request; empty if nothing is mixed.

    Raises:
        InputError: the layer has no pixels around the hole, or the daemon cannot mix several.
    """
    return mix.request(
        lambda layer: _recipe(run, layer),
        lambda layer: _image(layer, run, layers, scratch),
        limits,
    )


def _recipe(run: PastRun, layer: str | None) -> str:
    """Return the recipe of a result's layer; empty for other layers."""
    return next((result.recipe for result in run.results if result.layer == layer), "")


def _image(layer: str, run: PastRun, layers: Layers, scratch: Scratch) -> tuple[Picture, Box]:
    """Return a layer's pixels around the hole, as reduced 8-bit sRGB, and their box."""
    bounds = layers.bounds(layer)
    around = crop_for_hole(run.hole_box, Box.of_extent(run.document))
    box = Box(0, 0, 0, 0) if bounds is None else bounds.clamp(around)
    if box.is_empty:
        raise InputError(tr("The layer to mix with is empty or was deleted."))
    step = reducing_step(box.extent, LAYER_SIDE)
    image = layers.layer_view(layer, box, scratch).scaled(
        max(1, box.width // step),
        max(1, box.height // step),
        Qt.AspectRatioMode.IgnoreAspectRatio,
        Qt.TransformationMode.SmoothTransformation,
    )
    image = image.convertToFormat(QtGui.QImage.Format.Format_ARGB32)
    pointer: Any = image.constBits()
    pointer.setsize(image.sizeInBytes())
    data = rearrange(bytes(pointer), "BGRA", "RGBA")
    return Picture(image.width(), image.height(), 4, data), box
