"""The selection, written from a mask of a reduced image, which GEGL enlarges."""

from __future__ import annotations

from gi.repository import Gegl, Gimp
from inpaint_client import Box, Extent, Picture

_COVERAGE = "Y u8"  # linear, since a curve would change the softness
_STRIP_PX = 1 << 20


def write_selection(image: Gimp.Image, mask: Picture, step: int) -> None:
    """Replace the selection, in one undo step.

    The selection's own shadow buffer is written, without a channel in the image: inserting one
    unselects the layers, and GIMP 3.2 leaves them so when that is undone.

    Args:
        image: the image.
        mask: 8-bit gray; one px for each square of `step` px of the image.
        step: px.
    """
    width, height = image.get_width(), image.get_height()
    large = _enlarged(_bordered(mask), step, Extent(width, height))
    selection = image.get_selection()
    shadow = selection.get_shadow_buffer()
    for strip in Box(0, 0, width, height).strips(max(1, _STRIP_PX // width)):
        box = Gegl.Rectangle.new(*strip)
        shadow.set(box, _COVERAGE, bytes(large.get(box, 1.0, _COVERAGE, Gegl.AbyssPolicy.NONE)))
    shadow.flush()
    selection.merge_shadow(True)
    selection.update(0, 0, width, height)


def _bordered(mask: Picture) -> Gegl.Buffer:
    """Return the mask with its border repeated, for what is sampled beyond it.

    If the side of the image is no multiple of the step, the mask lacks its last pixels.
    """
    width, height = mask.extent
    rows = [mask.data[start : start + width] for start in range(0, width * height, width)]
    wide = [row[:1] + row + row[-1:] for row in (rows[0], *rows, rows[-1])]
    box = Gegl.Rectangle.new(-1, -1, width + 2, height + 2)
    buffer = Gegl.Buffer.new(_COVERAGE, box.x, box.y, box.width, box.height)
    buffer.set(box, _COVERAGE, b"".join(wide))
    return buffer


def _enlarged(small: Gegl.Buffer, step: int, extent: Extent) -> Gegl.Buffer:
    """Return 8 bits, which cut off what the cubic curve overshoots."""
    large = Gegl.Buffer.new(_COVERAGE, 0, 0, *extent)
    graph = Gegl.Node()
    source = _node(graph, "gegl:buffer-source", buffer=small)
    scale = _node(graph, "gegl:scale-ratio", x=step, y=step, sampler=Gegl.SamplerType.CUBIC)
    crop = _node(graph, "gegl:crop", x=0, y=0, width=extent.width, height=extent.height)
    target = _node(graph, "gegl:write-buffer", buffer=large)
    source.link(scale)
    scale.link(crop)
    crop.link(target)
    target.process()
    return large


def _node(graph: Gegl.Node, operation: str, **properties: object) -> Gegl.Node:
    node = graph.create_child(operation)
    for name, value in properties.items():
        node.set_property(name, value)
    return node
