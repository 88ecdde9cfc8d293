"""Which layers a run leaves behind: their order, names, pixels and what they remember."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from inpaint_client import Box, Candidate, Edits, Extent, Method
from inpaint_client.geometry import union_of
from inpaint_client.patches import pieces
from inpaint_client.pixels import paste, rearrange
from inpaint_client.session import layer_names
from inpaint_client.session.history import PastRun, Result

from ..host.new_layer import NewLayer, Pixels
from ..host.parasites import named
from ..host.precision import LAYOUTS, WITH_ALPHA, image_format
from ..translation import _, say
from .edits import describe_edits
from .mixing import NOTHING, Mix, Mixed


class Rendering(NamedTuple):
    """A candidate or variant that has arrived, with what it was made with."""

    candidate: Candidate
    edits: Edits
    mix: Mix = NOTHING
    mixed: Mixed | None = None  # how `mix` was done; None: it is off
    copy: int = 0  # which copy of its candidate it is; 0: the candidate itself

    @property
    def is_smooth(self) -> bool:
        """Whether it was made without the model: then it cannot be edited or mixed."""
        return self.candidate.method is Method.SMOOTH

    @property
    def unmixed(self) -> str:
        """The recipe that edits and mixing start from."""
        return self.mixed.unmixed if self.mixed else self.candidate.recipe


def layer_pixels(candidate: Candidate) -> Pixels:
    """The fill with the selection's coverage as alpha: nothing outside the hole.

    Separate holes have a patch each; they share one layer, transparent in between.
    """
    first = candidate.patches[0].fill
    layout = WITH_ALPHA[first.channels]
    box = union_of(patch.box for patch in candidate.patches)
    pixel_bytes = len(layout) * first.sample_type.size
    canvas = bytearray(box.extent.area * pixel_bytes)
    for piece in pieces(candidate.patches):
        interleaved = rearrange(
            piece.fill.data,
            LAYOUTS[piece.fill.channels],
            layout,
            piece.fill.sample_type,
            coverage=piece.coverage.data,
        )
        paste(canvas, box.extent, interleaved, piece.box.relative(box), pixel_bytes)
    return Pixels(box, bytes(canvas), image_format(first).babl(layout))


def layer_name(rendering: Rendering) -> str:
    """Return such as "2 · seed 43", with its edits, and whether it is mixed."""
    candidate = rendering.candidate
    number = candidate.index + 1
    if rendering.is_smooth:
        return say(layer_names.smooth(number, rendering.copy))
    changes = _changes(rendering)
    return say(layer_names.candidate(number, candidate.seed, changes, rendering.copy))


def short_name(rendering: Rendering) -> str:
    """Under a thumbnail: the candidate's number, and a sign if it was changed; or "smooth"."""
    name = _("smooth") if rendering.is_smooth else str(rendering.candidate.index + 1)
    if rendering.copy:
        name = _("{name}, copy {copy}").format(name=name, copy=rendering.copy)
    return f"{name} *" if _changes(rendering) else name


def _changes(rendering: Rendering) -> str:
    edits = describe_edits(rendering.edits)
    return ", ".join(filter(None, (edits, _("mixed") if rendering.mixed else "")))


def group_name(model: str, seed: int) -> str:
    """The name of a run's layer group; `model` may be unknown (empty)."""
    return say(layer_names.run(seed, model))


def run_of(
    rendering: Rendering, attachment: bytes, box: Box, document: Extent, layer_tattoo: int
) -> PastRun:
    """Return what a rendering's layer remembers: a run with one result.

    box: where the model filled, which is the layer's place unless it was moved since.
    layer_tattoo: of the one layer that the model saw; 0 = all that is visible.
    """
    candidate = rendering.candidate
    result = Result(
        seed=candidate.seed,
        layer="",
        recipe=candidate.recipe,
        index=candidate.index,
        variant=candidate.variant,
        attachment=attachment,
        edits=rendering.edits,
    )
    if rendering.mixed is not None:
        result = rendering.mixed.into(result)
    return PastRun(document=document, hole_box=box, source=named(layer_tattoo), results=(result,))


def stacked(
    renderings: Iterable[Rendering], chosen: int, document: Extent, layer_tattoo: int
) -> list[NewLayer]:
    """Return the new layers, top to bottom; only the rendering at index `chosen` is visible.

    A variant has no attachment of its own on the wire: it takes its candidate's.
    """
    attachments: dict[int, bytes] = {}
    layers = []
    for index, rendering in enumerate(renderings):
        candidate = rendering.candidate
        attachment = attachments.setdefault(candidate.index, candidate.attachment)
        pixels = layer_pixels(candidate)
        run = run_of(rendering, attachment, pixels.box, document, layer_tattoo)
        layers.append(
            NewLayer(layer_name(rendering), pixels, index == chosen, run if attachment else None)
        )
    return layers
