"""Adapt Krita's Document for the rest of the plug-in. No decisions are made here."""

from __future__ import annotations

from collections.abc import Collection, Generator, Iterable
from pathlib import Path
from typing import Any, NamedTuple

from inpaint_client.geometry import Box, Extent
from inpaint_client.pixels import thin

from ..text import tr
from .color import SRGB, SRGB_NAMES, Space
from .document_copy import DocumentCopy
from .document_protocol import Painting
from .guard import later
from .layer_placement import InsertPosition, Node, Source
from .nodes import id_of, walk
from .opacity import transparency
from .outline import CELLS, rectangles
from .qt import QtCore, QtGui
from .reduced import reduced
from .scratch import Scratch
from .selection import Selection

ACTIVATION_MS = 60
BAND = 64  # rows read at once
FIRST_RECORDED = 6  # the first Krita in which setting a selection is an undo step
ACTIVATION_TURNS = 80
AFTERTHOUGHTS = 25  # turns to keep watching after the active layer was restored
DESELECT_MS = 50
DESELECT_TURNS = 10
RETURNS = 3  # times to restore it: further changes are the artist's


class _Watch(NamedTuple):
    """After layers were inserted, `before` is to stay active instead of one of `ours`."""

    before: Any
    ours: frozenset[str]


class KritaDocument:
    """One open document. Layers are identified by ids, which survive saving and loading."""

    def __init__(self, application: Any, document: Any) -> None:
        self._application = application
        self._document = document
        # Keeps layers that an undo removed from the image writable.
        self._known: dict[str, Any] = {}
        self._watch: _Watch | None = None  # over the active layer; a deliberate change ends it

    def is_same(self, other: KritaDocument) -> bool:
        """Return whether both are the same open document, possibly in two views."""
        return bool(self._document == other._document)

    @property
    def is_open(self) -> bool:
        return any(document == self._document for document in self._application.documents())

    @property
    def extent(self) -> Extent:
        return Extent(self._document.width(), self._document.height())

    @property
    def space(self) -> Space:
        document = self._document
        return Space(document.colorModel(), document.colorDepth(), document.colorProfile())

    @property
    def file_name(self) -> str:
        """Return the path of its file; empty if it has none."""
        return str(self._document.fileName())

    @property
    def title(self) -> str:
        """Return the name that an artist knows it by."""
        return Path(self.file_name).name or str(self._document.name()) or tr("Unnamed image")

    def active_node(self) -> Node | None:
        """Return the active layer or mask; None for a moment after opening."""
        node: Node | None = self._document.activeNode()
        return node

    def settle(self) -> None:
        """Wait until Krita has finished its computations, so that pixels are up to date."""
        self._document.waitForDone()

    # -- selection ---------------------------------------------------------------------------

    def selection(self) -> Selection | None:
        """Return the selection of the image, else of the active layer, else None."""
        selection: Selection | None = self._document.selection()
        if selection is None and (node := self._document.activeNode()) is not None:
            for child in node.childNodes():
                if child.type() == "selectionmask":
                    own: Selection | None = child.selection()
                    return own
        return selection

    def select_transparent_part(self) -> Generator[int | None, None, bool]:
        """Select the transparent part of the active layer, in one undo step.

        Krita's actions "Select Opaque" and "Invert Selection" would be two steps, and in Krita 6
        they are done some time later. Reads in bands, since the layer may be large.

        Returns:
            False if nothing is transparent; the selection is then unchanged.
        """
        node = self._document.activeNode()
        if node is None:
            return False
        space = Space(node.colorModel(), node.colorDepth(), node.colorProfile())
        bands = (
            (band, transparency(bytes(node.projectionPixelData(*band)), space))
            for band in Box.of_extent(self.extent).strips(BAND)
        )
        selection = yield from _gathered(bands)
        if selection is not None:
            yield from self._replace_selection(selection)
        return selection is not None

    def select(self, bands: Iterable[tuple[Box, bytes]]) -> Generator[int | None, None, None]:
        """Replace the selection in one undo step.

        Args:
            bands: boxes and their coverage. If all of it is 0, the selection is left unchanged.
        """
        selection = yield from _gathered(bands)
        if selection is not None:
            yield from self._replace_selection(selection)

    def _replace_selection(self, selection: Any) -> Generator[int, None, None]:
        """Set the selection in one undo step.

        In Krita 6 `setSelection` is such a step. Before, it is none, and undo would go back to
        whatever the artist did earlier, without the selection that was lost. So deselect first: to
        undo that brings back what was selected. Its redo deselects again. Krita deselects some
        time later, and only in the active document.
        """
        document = self._document
        is_recorded = int(self._application.version().split(".")[0]) >= FIRST_RECORDED
        if not is_recorded and self._application.activeDocument() == document:
            self._application.action("deselect").trigger()
            for _turn in range(DESELECT_TURNS):
                yield DESELECT_MS
                document.waitForDone()
                if document.selection() is None:
                    break
        document.setSelection(selection)
        document.waitForDone()

    # -- pixels ------------------------------------------------------------------------------

    def pixels(self, source: Source, selection: Selection, scratch: Scratch) -> DocumentPixels:
        return DocumentPixels(self._document, source.node, source.rendered, selection, scratch)

    def overview(self, extent: Extent) -> QtGui.QImage:
        """Return the visible image, scaled to `extent`, as sRGB. Fast for images of any size."""
        image: QtGui.QImage = self._document.thumbnail(*extent)
        return image

    def view(self, box: Box, step: int) -> QtGui.QImage:
        """Return the visible image in `box` with one pixel per square of `step` px, as sRGB."""
        return reduced(self._document.projection(*box), step)

    def copy(self, area: Box) -> DocumentCopy:
        """Return a copy of a part of the document, to hide layers in."""
        return DocumentCopy(self._document, area)

    # -- the layers of a run -----------------------------------------------------------------

    def insert_run(
        self, insert_position: InsertPosition, title: str, names: list[str]
    ) -> tuple[str, list[str]]:
        """Insert a group of empty layers, the first on top and visible, in ONE undo step.

        Adding a child to a group creates an undo step, unless the group is not yet in the image.
        Writing pixels creates none. So the layers are inserted empty and filled as the candidates
        arrive.

        Returns:
            The ids of the group and of the layers.
        """
        before = self._document.activeNode()
        group, layers = self._detached_group(title, names)
        layers[0].setVisible(True)
        insert_position.parent.addChildNode(group, insert_position.above)  # type: ignore[attr-defined]
        if group.parentNode() is None:  # the artist has deleted the layer meanwhile
            self._document.rootNode().addChildNode(group, None)
        self._stay_on(before, group)
        return self._remember(group), [self._remember(layer) for layer in layers]

    def insert_more(
        self, group_id: str, title: str, names: list[str]
    ) -> tuple[str, list[str]] | None:
        """Insert a group of empty, hidden layers at the top of a run's group, in ONE undo step.

        Adding the layers to the run's group directly would create one step each.

        Returns:
            The ids of the new group and of the layers; None if the run's group is gone.
        """
        group = self.find(group_id)
        if group is None:
            return None
        before = self._document.activeNode()
        more, layers = self._detached_group(title, names)
        group.addChildNode(more, None)
        self._stay_on(before, more)
        return self._remember(more), [self._remember(layer) for layer in layers]

    def _detached_group(self, title: str, names: list[str]) -> tuple[Any, list[Any]]:
        """Create a group of hidden layers, the first on top, without inserting it."""
        group = self._document.createGroupLayer(title)
        layers = [self._document.createNode(name, "paintlayer") for name in names]
        for layer in layers:
            layer.setVisible(False)
        group.setChildNodes(list(reversed(layers)))  # the first in this list is the lowest
        return group, layers

    def remove_layer(self, layer_id: str, group_id: str) -> None:
        """Delete a layer in one undo step, along with the run's group if that becomes empty."""
        node = self.find(layer_id)
        if node is None:
            return
        group = self.find(group_id)
        ours = [] if group is None else [group_id, *(id_of(each) for each in walk(group))]
        while (parent := node.parentNode()) is not None and id_of(parent) in ours:
            if len(parent.childNodes()) > 1:
                break
            node = parent
        node.remove()

    def add_layer(self, group_id: str, name: str) -> str | None:
        """Add a layer at the top of a run's group, in one undo step; None if it is gone."""
        group = self.find(group_id)
        if group is None:
            return None
        layer = self._document.createNode(name, "paintlayer")
        before = self._document.activeNode()
        group.addChildNode(layer, None)
        self._stay_on(before, group)
        return self._remember(layer)

    def keep_layers(self, group_id: str, layer_ids: list[str]) -> None:
        """Remove all other layers of the group without an undo step, after a run ended early."""
        group = self._known.get(group_id) or self.find(group_id)
        if group is None:
            return
        before = self._document.activeNode()
        self.arrange(group_id, [each for each in self.children(group_id) if each in layer_ids])
        self._stay_on(before, group)
        self.refresh()

    def is_plain_group(self, group_id: str) -> bool:
        """Return whether the group changes nothing about how its layers appear."""
        group = self.find(group_id)
        return (
            group is not None
            and group.opacity() == 255
            and group.blendingMode() == "normal"
            and not group.inheritAlpha()
            and not any(node.type().endswith("mask") for node in group.childNodes())
        )

    def children(self, group_id: str) -> list[str]:
        """Return the ids of a group's direct children, from bottom to top."""
        group = self._known.get(group_id) or self.find(group_id)
        return [] if group is None else [self._remember(node) for node in group.childNodes()]

    def arrange(self, group_id: str, layer_ids: list[str]) -> None:
        """Set a group's children, from bottom to top, without an undo step.

        The group and the children need not be in the image. `setChildNodes` should replace all
        children, but up to Krita 5.2 it removes only the first one. Hence the loop, which is
        harmless once that is fixed.
        """
        group = self._known.get(group_id) or self.find(group_id)
        if group is None:
            return
        nodes = [self._known[each] for each in layer_ids if each in self._known]
        for _turn in range(len(group.childNodes())):
            group.setChildNodes([])
        group.setChildNodes(nodes)

    def _stay_on(self, before: Any, group: Any) -> None:
        """Keep `before` active: Krita activates a new layer, 5.1 at once, 5.2 some time later.

        The next run must read the same layer as this one. Other layers than those of the group
        stay active, since the artist may have clicked one.
        """
        self._return(before, {id_of(group), *(id_of(node) for node in group.childNodes())})

    def return_to(self, layer_id: str, others: Collection[str]) -> None:
        """Reactivate a layer if Krita activates one of the others, now or shortly after."""
        if (layer := self.find(layer_id)) is not None:
            self._return(layer, others)

    def _return(self, before: Any, ours: Collection[str]) -> None:
        if before is None:
            return
        watch = _Watch(before, frozenset(ours))
        if self._watch is not None and id_of(before) in self._watch.ours:
            # Krita, not the artist, has activated it: a run follows soon after another.
            watch = _Watch(self._watch.before, watch.ours | self._watch.ours)
        self._watch = watch

        def go_back(turns: int, returns: int) -> None:
            if self._watch is not watch:
                return
            if not turns or not returns or watch.before.parentNode() is None:
                self._watch = None
                return
            active = self._document.activeNode()
            if active is not None and id_of(active) in watch.ours:
                self._document.setActiveNode(watch.before)
                turns = min(turns, AFTERTHOUGHTS)  # Krita may do it again, late if it is busy
                returns -= 1
            later(ACTIVATION_MS, lambda: go_back(turns - 1, returns))

        if id_of(watch.before) not in watch.ours:
            go_back(ACTIVATION_TURNS, RETURNS)

    def write(self, layer_id: str, painting: Painting) -> bool:
        """Write pixels into a layer without an undo step; return False if it is gone."""
        layer = self._known.get(layer_id) or self.find(layer_id)
        if layer is None:
            return False
        layer.setPixelData(QtCore.QByteArray(painting.data), *painting.box)
        return True

    def refresh(self) -> None:
        """Redraw the image, which writing pixels and hiding layers do not."""
        self._document.refreshProjection()

    def show(self, layer_id: str, visible: bool) -> bool:
        """Show or hide a layer without an undo step; return False if it is gone."""
        layer = self.find(layer_id)
        if layer is None:
            return False
        layer.setVisible(visible)
        return True

    def is_shown(self, layer_id: str) -> bool:
        """Return whether the layer is in the image and visible."""
        layer = self.find(layer_id)
        return layer is not None and bool(layer.visible())

    def is_attached(self, layer_id: str) -> bool:
        """Return whether the layer is in the image: neither deleted nor undone."""
        return self.find(layer_id) is not None

    def thumbnail(
        self, layer_id: str, box: Box, step: int, scratch: Scratch
    ) -> QtGui.QImage | None:
        """Return a layer's pixels in a box, one per square of `step` px, as sRGB.

        None if the layer is gone. Krita's `Node.thumbnail` is not used: in 5.1 it shows whole
        tiles, beyond the layer's bounds.
        """
        layer = self._known.get(layer_id) or self.find(layer_id)
        return None if layer is None else _view(layer, box, scratch, step)

    def layer_view(self, layer_id: str, box: Box, scratch: Scratch) -> QtGui.QImage:
        """Return a layer's pixels in a box, as sRGB."""
        return _view(self.find(layer_id), box, scratch)

    def bounds(self, layer_id: str) -> Box | None:
        """Return the bounds of a layer's content; None if it is empty or gone."""
        layer = self.find(layer_id)
        box = Box(0, 0, 0, 0) if layer is None else _bounds(layer)
        return None if box.is_empty else box

    def paint_layers(self) -> list[tuple[str, str]]:
        """Return the id and name of every paint layer in the image."""
        root = self._document.rootNode()  # None once the document is closed
        nodes = walk(root) if root is not None else ()
        return [(id_of(node), node.name()) for node in nodes if node.type() == "paintlayer"]

    def rename(self, layer_id: str, name: str) -> None:
        if (layer := self.find(layer_id)) is not None:
            layer.setName(name)

    def activate(self, layer_id: str) -> bool:
        if (layer := self.find(layer_id)) is None:
            return False
        self._watch = None  # else the watch after a run would undo this one
        self._document.setActiveNode(layer)
        return True

    def active_id(self) -> str:
        node = self._document.activeNode()
        return "" if node is None else self._remember(node)

    def flatten_active(self) -> None:
        """Trigger "Flatten Layer": one undo step, done after some turns of the event loop."""
        self._application.action("flatten_layer").trigger()

    def ungroup_active(self) -> None:
        """Trigger "Quick Ungroup": one undo step, done after some turns of the event loop."""
        self._application.action("quick_ungroup").trigger()

    def find(self, layer_id: str) -> Any:
        """Return the layer with this id, or None if it is not in the image."""
        root = self._document.rootNode()  # None once the document is closed
        for node in walk(root) if root is not None else ():
            if id_of(node) == layer_id:
                self._known[layer_id] = node
                return node
        return None

    def id_of(self, node: Any) -> str:
        return id_of(node)

    def _remember(self, node: Any) -> str:
        self._known[id_of(node)] = node
        return id_of(node)

    # -- annotations -------------------------------------------------------------------------

    def annotation_names(self) -> list[str]:
        return [str(name) for name in self._document.annotationTypes()]

    def annotation(self, name: str) -> bytes:
        return bytes(self._document.annotation(name))

    def annotate(self, name: str, description: str, data: bytes) -> None:
        """Store bytes that are saved with the document, without an undo step.

        A document may be closed while a run writes to it, and Krita would crash.
        """
        if self.is_open:
            self._document.setAnnotation(name, description, QtCore.QByteArray(data))

    def remove_annotation(self, name: str) -> None:
        if self.is_open:
            self._document.removeAnnotation(name)


class DocumentPixels:
    """Reads one source of a document (see document_protocol.Pixels)."""

    def __init__(
        self, document: Any, node: Any, rendered: bool, selection: Selection, scratch: Scratch
    ) -> None:
        self._document = document
        self._node = node
        self._rendered = rendered
        self._selection = selection
        self._scratch = scratch

    @property
    def extent(self) -> Extent:
        return Extent(self._document.width(), self._document.height())

    @property
    def space(self) -> Space:
        owner = self._document if self._node is None else self._node
        return Space(owner.colorModel(), owner.colorDepth(), owner.colorProfile())

    def read(self, box: Box) -> bytes:
        if self._node is None:
            return bytes(self._document.pixelData(*box))
        if self._rendered:
            return bytes(self._node.projectionPixelData(*box))
        return bytes(self._node.pixelData(*box))

    def read_display(self, box: Box) -> bytes:
        image: QtGui.QImage = self._document.projection(*box)
        image = image.convertToFormat(QtGui.QImage.Format.Format_ARGB32)
        pointer: Any = image.constBits()
        pointer.setsize(image.sizeInBytes())
        return bytes(pointer)

    def read_reduced(self, box: Box, step: int) -> bytes:
        if self._node is None:
            image: QtGui.QImage = self._document.projection(*box)
        else:
            image = _image(self.read(box), box.extent, self.space, self._scratch)
        image = reduced(image, step).convertToFormat(QtGui.QImage.Format.Format_RGBA8888)
        pointer: Any = image.constBits()
        pointer.setsize(image.sizeInBytes())
        return bytes(pointer)

    def read_coverage(self, box: Box) -> bytes:
        return bytes(self._selection.pixelData(*box))

    def convert(self, data: bytes, extent: Extent, source: Space, target: Space) -> bytes:
        return self._scratch.convert(data, extent, source, target)


def _gathered(bands: Iterable[tuple[Box, bytes]]) -> Generator[None, None, Any]:
    """Return a new selection of Krita's with this coverage; None if all of it is 0.

    Krita draws the outline of what `select` adds, but of pixels that are set it draws none. So
    rectangles are selected first, and then replaced by the pixels.
    """
    from krita import Selection as KritaSelection  # tests of this module have no Krita

    gathered = []
    for band in bands:
        gathered.append(band)
        yield
    if not any(coverage.strip(b"\0") for _, coverage in gathered):
        return None
    selection, canvas = KritaSelection(), gathered[0][0].union(gathered[-1][0])
    for rectangle in rectangles(gathered, max(1, canvas.extent.longest // CELLS)):
        selection.select(*canvas.clamp(rectangle), 255)
        yield
    for box, coverage in gathered:
        selection.setPixelData(QtCore.QByteArray(coverage), *box)
        yield
    return selection


def _bounds(layer: Any) -> Box:
    bounds = layer.bounds()
    return Box(bounds.x(), bounds.y(), bounds.width(), bounds.height())


def _view(node: Any, box: Box, scratch: Scratch, step: int = 1) -> QtGui.QImage:
    """Return a layer's pixels in a box, one per square of `step` px, as sRGB."""
    own = Space(node.colorModel(), node.colorDepth(), node.colorProfile())
    data = thin(bytes(node.pixelData(*box)), box.extent, own.pixel_bytes, step)
    extent = Extent(max(1, box.width // step), max(1, box.height // step))
    return _image(data, extent, own, scratch)


def _image(data: bytes, extent: Extent, own: Space, scratch: Scratch) -> QtGui.QImage:
    """Return pixels of the space `own` as an 8-bit sRGB image."""
    if own.model == "RGBA" and own.depth == "U16" and own.profile in SRGB_NAMES:
        data = data[1::2]  # the high bytes
    elif own.model != "RGBA" or own.depth != "U8" or own.profile not in SRGB_NAMES:
        data = scratch.convert(data, extent, own, Space("RGBA", "U8", SRGB))
    image = QtGui.QImage(data, *extent, 4 * extent.width, QtGui.QImage.Format.Format_ARGB32)
    return image.copy()  # QImage does not own the bytes
