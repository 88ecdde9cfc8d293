"""The layers of a run: their order, names, pixels and stored runs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import partial
from typing import NamedTuple

from inpaint_client import Box, Candidate, Edits, Extent, Method, Patch, Picture
from inpaint_client.geometry import union_of
from inpaint_client.patches import pieces
from inpaint_client.pixels import paste, rearrange, thin
from inpaint_client.session import contact_sheet, layer_names
from inpaint_client.session.contact_sheet import Caption
from inpaint_client.session.history import PastRun, Result
from inpaint_client.session.ranking import Ranked

from ..host.new_layer import NewLayer, Pixels
from ..host.parasites import named
from ..host.precision import LAYOUTS, WITH_ALPHA, image_format
from ..translation import _, say
from .edits import spoken_edits
from .mixing import NOTHING, Mix, Mixed


class Rendering(NamedTuple):
    """A candidate or variant, with its edits and mixing."""

    candidate: Candidate
    edits: Edits
    mix: Mix = NOTHING
    mixed: Mixed | None = None  # the details of `mix`; None = not mixed
    copy: int = 0  # number of the copy; 0 = the candidate itself

    @property
    def is_smooth(self) -> bool:
        """Whether it was made without the model, and so cannot be edited or mixed."""
        return self.candidate.method is Method.SMOOTH

    @property
    def ranked(self) -> Ranked:
        """What decides its place among the others."""
        return Ranked(self.candidate.index, self.candidate.scores, self.is_smooth)

    @property
    def unmixed(self) -> str:
        """The recipe to edit and mix."""
        return self.mixed.unmixed if self.mixed else self.candidate.recipe


def layer_box(candidate: Candidate) -> Box:
    """Return the box of the layer: separate holes have one patch each and share one layer."""
    return union_of(patch.box for patch in candidate.patches)


def layer_strips(candidate: Candidate) -> Iterator[Pixels]:
    """Yield the fill with the selection's coverage as alpha, in strips with boxes in the layer.

    The layer is transparent between separate holes.
    """
    first = candidate.patches[0].fill
    layout = WITH_ALPHA[first.channels]
    box = layer_box(candidate)
    for piece in pieces(candidate.patches):
        interleaved = rearrange(
            piece.fill.data,
            LAYOUTS[piece.fill.channels],
            layout,
            piece.fill.sample_type,
            coverage=piece.coverage.data,
        )
        yield Pixels(piece.box.relative(box), interleaved, image_format(first).babl(layout))


def layer_pixels(candidate: Candidate) -> Pixels:
    """Return all strips of a layer as one, with its box in the image."""
    first = candidate.patches[0].fill
    box = layer_box(candidate)
    pixel_bytes = len(WITH_ALPHA[first.channels]) * first.sample_type.size
    canvas = bytearray(box.extent.area * pixel_bytes)
    babl = ""
    for strip in layer_strips(candidate):
        babl = strip.babl
        paste(canvas, box.extent, bytes(strip.data), strip.box, pixel_bytes)
    return Pixels(box, bytes(canvas), babl)


def reduced(candidate: Candidate, step: int) -> Candidate:
    """Return a small version of the candidate, for previews.

    It has one px for each full square of `step` px, and its boxes are in units of `step` px.
    """

    def small(image: Picture) -> Picture:
        data = thin(image.data, image.extent, image.pixel_bytes, step)
        width, height = (max(1, side // step) for side in image.extent)
        return replace(image, width=width, height=height, data=data)

    def small_patch(patch: Patch) -> Patch:
        fill = small(patch.fill)
        box = Box(patch.box.x // step, patch.box.y // step, *fill.extent)
        return Patch(fill, small(patch.coverage), box)

    return replace(candidate, patches=tuple(map(small_patch, candidate.patches)))


def layer_name(rendering: Rendering) -> str:
    """Return a name with its edits and mixing, for example "2 · seed 43 · Smile +1, mixed"."""
    candidate = rendering.candidate
    number = candidate.index + 1
    if rendering.is_smooth:
        return say(layer_names.smooth(number, rendering.copy))
    changes = _changes(rendering)
    return say(layer_names.candidate(number, candidate.seed, changes, rendering.copy))


def short_name(rendering: Rendering) -> str:
    """Return a thumbnail's caption: number or "smooth", copy, and "*" if it was edited."""
    name = _("smooth") if rendering.is_smooth else str(rendering.candidate.index + 1)
    if rendering.copy:
        name = _("{name}, copy {copy}").format(name=name, copy=rendering.copy)
    return f"{name} *" if _changes(rendering) else name


def sheet_caption(rendering: Rendering) -> Caption:
    """Return the caption in a contact sheet."""
    candidate = rendering.candidate
    return contact_sheet.caption(
        candidate.index + 1,
        candidate.seed,
        is_smooth=rendering.is_smooth,
        copy=rendering.copy,
        changes=_change_list(rendering),
    )


def _changes(rendering: Rendering) -> str:
    return ", ".join(_change_list(rendering))


def _change_list(rendering: Rendering) -> list[str]:
    return [*spoken_edits(rendering.edits), *([_("mixed")] if rendering.mixed else [])]


def group_name(model: str, seed: int) -> str:
    """Return the name of a run's layer group; an empty `model` is unknown."""
    return say(layer_names.run(seed, model))


def run_of(
    rendering: Rendering, attachment: bytes, box: Box, document: Extent, layer_tattoo: int
) -> PastRun:
    """Return the run to store in a rendering's layer; it has one result.

    Args:
        rendering: the rendering.
        attachment: of its candidate.
        box: of the hole, which is the layer's box unless the layer was moved.
        document: size of the image.
        layer_tattoo: of the layer that the model saw; 0 = all visible layers.
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
        scores=candidate.scores,
    )
    if rendering.mixed is not None:
        result = rendering.mixed.into(result)
    return PastRun(document=document, hole_box=box, source=named(layer_tattoo), results=(result,))


def stacked(
    renderings: Iterable[Rendering], chosen: int, document: Extent, layer_tattoo: int
) -> list[NewLayer]:
    """Return the new layers, top to bottom; only the rendering at index `chosen` is visible.

    The wire sends no attachment for a variant, so it gets its candidate's.
    """
    attachments: dict[int, bytes] = {}
    layers = []
    for index, rendering in enumerate(renderings):
        candidate = rendering.candidate
        attachment = attachments.setdefault(candidate.index, candidate.attachment)
        box = layer_box(candidate)
        run = run_of(rendering, attachment, box, document, layer_tattoo)
        layers.append(
            NewLayer(
                layer_name(rendering),
                box,
                partial(layer_strips, candidate),
                index == chosen,
                run if attachment else None,
            )
        )
    return layers
