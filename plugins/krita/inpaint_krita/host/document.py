"""Krita's Document, as the rest of the plug-in sees it. No decisions are made here."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

from inpaint_client.geometry import Box, Extent
from inpaint_client.pixels import thin

from .color import SRGB, SRGB_NAMES, Space
from .document_protocol import Painting
from .guard import later
from .layer_placement import InsertPosition, Node, Source
from .opacity import is_opaque
from .qt import QtCore, QtGui
from .scratch import Scratch
from .selection import Selection

ACTIVATION_MS = 60
BAND = 256  # rows that are read at once
THUMBNAIL_DETAIL = 4  # px that are read for one of a thumbnail: enough to be smooth
ACTIVATION_TURNS = 80
AFTERTHOUGHTS = 25  # turns to watch on after the active layer was put back
RETURNS = 3  # how often it is put back: whoever goes there more often is the artist


class KritaDocument:
    """One open document. Layers are named by their id, which survives saving and loading."""

    def __init__(self, application: Any, document: Any) -> None:
        self._application = application
        self._document = document
        # Layers that an undo took out of the image can still be written to, through these.
        self._known: dict[str, Any] = {}

    def is_same(self, other: KritaDocument) -> bool:
        """Whether both are the same open document, perhaps seen through two views."""
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

    def active_node(self) -> Node | None:
        """The active layer or mask; None for a moment after opening."""
        node: Node | None = self._document.activeNode()
        return node

    def settle(self) -> None:
        """Wait until Krita has finished what it computes, so that pixels are up to date."""
        self._document.waitForDone()

    # -- selection ---------------------------------------------------------------------------

    def selection(self) -> Selection | None:
        """The selection of the image, else that of the active layer, else None."""
        selection: Selection | None = self._document.selection()
        if selection is None and (node := self._document.activeNode()) is not None:
            for child in node.childNodes():
                if child.type() == "selectionmask":
                    own: Selection | None = child.selection()
                    return own
        return selection

    def select_transparent_part(self) -> bool:
        """Select what is transparent in the active layer, as the artist would by the menu.

        False if nothing of it is: then the selection stays as it is.
        """
        if self._is_opaque(self._document.activeNode()):
            return False
        for action in ("selectopaque", "invert_selection"):
            self._application.action(action).trigger()
            self._document.waitForDone()
        return True

    def _is_opaque(self, node: Any) -> bool:
        """Whether a layer covers all of the canvas; read in bands, since it may be large."""
        if node is None:
            return True
        width, height = self.extent
        space = Space(node.colorModel(), node.colorDepth(), node.colorProfile())
        return all(
            is_opaque(bytes(node.projectionPixelData(0, y, width, min(BAND, height - y))), space)
            for y in range(0, height, BAND)
        )

    # -- pixels ------------------------------------------------------------------------------

    def pixels(self, source: Source, selection: Selection, scratch: Scratch) -> DocumentPixels:
        return DocumentPixels(self._document, source.node, source.rendered, selection, scratch)

    def view(self, box: Box, extent: Extent) -> QtGui.QImage:
        """What is visible in `box`, scaled to `extent`, sRGB."""
        image: QtGui.QImage = self._document.projection(*box)
        return image.scaled(
            *extent,
            QtCore.Qt.AspectRatioMode.IgnoreAspectRatio,
            QtCore.Qt.TransformationMode.SmoothTransformation,
        )

    # -- the layers of a run -----------------------------------------------------------------

    def insert_run(
        self, insert_position: InsertPosition, title: str, names: list[str]
    ) -> tuple[str, list[str]]:
        """A group with empty layers, the first one on top and visible, in ONE undo step.

        Adding a child makes a step of its own, except that a group which is not yet in the image
        takes its children silently. Writing pixels makes no step either: so the layers go in empty
        and are filled as the candidates arrive.
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
        """A group with empty, hidden layers on top of a run's group, in ONE undo step.

        Layers that are added to the run's group itself would make a step each. None if it is gone.
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
        """A group that is not in the image yet, with hidden layers, the first one on top."""
        group = self._document.createGroupLayer(title)
        layers = [self._document.createNode(name, "paintlayer") for name in names]
        for layer in layers:
            layer.setVisible(False)
        group.setChildNodes(list(reversed(layers)))  # the first in this list is the lowest
        return group, layers

    def remove_layer(self, layer_id: str, group_id: str) -> None:
        """Delete a layer in one undo step, and the run's group if nothing is left in it."""
        node = self.find(layer_id)
        if node is None:
            return
        group = self.find(group_id)
        ours = [] if group is None else [group_id, *(_id(each) for each in _walk(group))]
        while (parent := node.parentNode()) is not None and _id(parent) in ours:
            if len(parent.childNodes()) > 1:
                break
            node = parent
        node.remove()

    def add_layer(self, group_id: str, name: str) -> str | None:
        """One more layer on top of a run's group: an undo step of its own. None if it is gone."""
        group = self.find(group_id)
        if group is None:
            return None
        layer = self._document.createNode(name, "paintlayer")
        before = self._document.activeNode()
        group.addChildNode(layer, None)
        self._stay_on(before, group)
        return self._remember(layer)

    def keep_layers(self, group_id: str, layer_ids: list[str]) -> None:
        """Leave only these layers in the group, without a step: for runs that were cut short."""
        group = self._known.get(group_id) or self.find(group_id)
        if group is None:
            return
        before = self._document.activeNode()
        self.arrange(group_id, [each for each in self.children(group_id) if each in layer_ids])
        self._stay_on(before, group)
        self.refresh()

    def is_plain_group(self, group_id: str) -> bool:
        """Whether a group shows what is in it as it would show without the group."""
        group = self.find(group_id)
        return (
            group is not None
            and group.opacity() == 255
            and group.blendingMode() == "normal"
            and not group.inheritAlpha()
            and not any(node.type().endswith("mask") for node in group.childNodes())
        )

    def children(self, group_id: str) -> list[str]:
        """What lies directly in a group, from the lowest to the highest."""
        group = self._known.get(group_id) or self.find(group_id)
        return [] if group is None else [self._remember(node) for node in group.childNodes()]

    def arrange(self, group_id: str, layer_ids: list[str]) -> None:
        """Give a group these children, from the lowest to the highest, without an undo step.

        Neither the group nor they have to be in the image. `setChildNodes` should replace all
        children. Up to Krita 5.2 it takes only the first one out; hence the loop, which does the
        same wherever that is mended.
        """
        group = self._known.get(group_id) or self.find(group_id)
        if group is None:
            return
        nodes = [self._known[each] for each in layer_ids if each in self._known]
        for _turn in range(len(group.childNodes())):
            group.setChildNodes([])
        group.setChildNodes(nodes)

    def _stay_on(self, before: Any, group: Any) -> None:
        """Krita makes a new layer the active one, 5.1 at once, 5.2 some time later.

        "Again" must read the same layer as before. Only the group's layers are left for it: the
        artist may have clicked another one.
        """
        self._return(before, {_id(group), *(_id(node) for node in group.childNodes())})

    def return_to(self, layer_id: str, others: Collection[str]) -> None:
        """Make a layer the active one again while Krita goes to one of the others, now or soon."""
        if (layer := self.find(layer_id)) is not None:
            self._return(layer, others)

    def _return(self, before: Any, ours: Collection[str]) -> None:
        def go_back(turns: int, returns: int) -> None:
            if not turns or not returns or before.parentNode() is None:
                return
            active = self._document.activeNode()
            if active is not None and _id(active) in ours:
                self._document.setActiveNode(before)
                turns = min(turns, AFTERTHOUGHTS)  # it may do so once more, late if it is busy
                returns -= 1
            later(ACTIVATION_MS, lambda: go_back(turns - 1, returns))

        if before is not None and _id(before) not in ours:
            go_back(ACTIVATION_TURNS, RETURNS)

    def write(self, layer_id: str, painting: Painting) -> bool:
        """Put pixels into a layer, without an undo step. False if it is gone."""
        layer = self._known.get(layer_id) or self.find(layer_id)
        if layer is None:
            return False
        layer.setPixelData(QtCore.QByteArray(painting.data), *painting.box)
        return True

    def refresh(self) -> None:
        """Draw the image anew: neither writing pixels nor hiding layers does."""
        self._document.refreshProjection()

    def show(self, layer_id: str, visible: bool) -> bool:
        """Show or hide a layer, without an undo step. False if it is gone."""
        layer = self.find(layer_id)
        if layer is None:
            return False
        layer.setVisible(visible)
        return True

    def is_shown(self, layer_id: str) -> bool:
        """Whether the layer is in the image, and switched on."""
        layer = self.find(layer_id)
        return layer is not None and bool(layer.visible())

    def is_attached(self, layer_id: str) -> bool:
        """Whether the layer is in the image: not deleted, not undone."""
        return self.find(layer_id) is not None

    def thumbnail(
        self, layer_id: str, box: Box, extent: Extent, scratch: Scratch
    ) -> QtGui.QImage | None:
        """A layer's own pixels in a box, scaled to `extent`, as sRGB; None if the layer is gone.

        Krita's own `Node.thumbnail` shows more than the layer's bounds in 5.1: whole tiles.
        """
        layer = self._known.get(layer_id) or self.find(layer_id)
        if layer is None:
            return None
        step = max(1, box.extent.longest // (THUMBNAIL_DETAIL * extent.longest))
        return _view(layer, box, scratch, step).scaled(
            *extent,
            QtCore.Qt.AspectRatioMode.IgnoreAspectRatio,
            QtCore.Qt.TransformationMode.SmoothTransformation,
        )

    def layer_view(self, layer_id: str, box: Box, scratch: Scratch) -> QtGui.QImage:
        """A layer's own pixels in a box, as sRGB."""
        return _view(self.find(layer_id), box, scratch)

    def bounds(self, layer_id: str) -> Box | None:
        """Where a layer of the image has anything; None if it is empty or gone."""
        layer = self.find(layer_id)
        box = Box(0, 0, 0, 0) if layer is None else _bounds(layer)
        return None if box.is_empty else box

    def paint_layers(self) -> list[tuple[str, str]]:
        """Id and name of every paint layer in the image."""
        root = self._document.rootNode()  # None once the document is closed
        nodes = _walk(root) if root is not None else ()
        return [(_id(node), node.name()) for node in nodes if node.type() == "paintlayer"]

    def rename(self, layer_id: str, name: str) -> None:
        if (layer := self.find(layer_id)) is not None:
            layer.setName(name)

    def activate(self, layer_id: str) -> bool:
        if (layer := self.find(layer_id)) is None:
            return False
        self._document.setActiveNode(layer)
        return True

    def active_id(self) -> str:
        node = self._document.activeNode()
        return "" if node is None else self._remember(node)

    def flatten_active(self) -> None:
        """Krita's own "Flatten Layer": one undo step, done after some turns of the event loop."""
        self._application.action("flatten_layer").trigger()

    def ungroup_active(self) -> None:
        """Krita's own "Quick Ungroup": one undo step, done after some turns of the event loop."""
        self._application.action("quick_ungroup").trigger()

    def find(self, layer_id: str) -> Any:
        """The layer in the image, or None."""
        root = self._document.rootNode()  # None once the document is closed
        for node in _walk(root) if root is not None else ():
            if _id(node) == layer_id:
                self._known[layer_id] = node
                return node
        return None

    def id_of(self, node: Any) -> str:
        return _id(node)

    def _remember(self, node: Any) -> str:
        self._known[_id(node)] = node
        return _id(node)

    # -- annotations -------------------------------------------------------------------------

    def annotation_names(self) -> list[str]:
        return [str(name) for name in self._document.annotationTypes()]

    def annotation(self, name: str) -> bytes:
        return bytes(self._document.annotation(name))

    def annotate(self, name: str, description: str, data: bytes) -> None:
        """Store bytes in the document; they are saved with it. No undo step."""
        self._document.setAnnotation(name, description, QtCore.QByteArray(data))

    def remove_annotation(self, name: str) -> None:
        self._document.removeAnnotation(name)


class DocumentPixels:
    """Reads one source of a document (see capture.Pixels)."""

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
        image = image.scaled(
            box.width // step,
            box.height // step,
            QtCore.Qt.AspectRatioMode.IgnoreAspectRatio,
            QtCore.Qt.TransformationMode.SmoothTransformation,
        ).convertToFormat(QtGui.QImage.Format.Format_RGBA8888)
        pointer: Any = image.constBits()
        pointer.setsize(image.sizeInBytes())
        return bytes(pointer)

    def read_coverage(self, box: Box) -> bytes:
        return bytes(self._selection.pixelData(*box))

    def convert(self, data: bytes, extent: Extent, source: Space, target: Space) -> bytes:
        return self._scratch.convert(data, extent, source, target)


def _id(node: Any) -> str:
    return str(node.uniqueId().toString())


def _bounds(layer: Any) -> Box:
    bounds = layer.bounds()
    return Box(bounds.x(), bounds.y(), bounds.width(), bounds.height())


def _view(node: Any, box: Box, scratch: Scratch, step: int = 1) -> QtGui.QImage:
    """A layer's own pixels in a box, only one in each square of `step` px, as sRGB."""
    own = Space(node.colorModel(), node.colorDepth(), node.colorProfile())
    data = thin(bytes(node.pixelData(*box)), box.extent, own.pixel_bytes, step)
    extent = Extent(max(1, box.width // step), max(1, box.height // step))
    return _image(data, extent, own, scratch)


def _image(data: bytes, extent: Extent, own: Space, scratch: Scratch) -> QtGui.QImage:
    """Pixels of a space as 8-bit sRGB."""
    if own.model == "RGBA" and own.depth == "U16" and own.profile in SRGB_NAMES:
        data = data[1::2]  # the high bytes
    elif own.model != "RGBA" or own.depth != "U8" or own.profile not in SRGB_NAMES:
        data = scratch.convert(data, extent, own, Space("RGBA", "U8", SRGB))
    image = QtGui.QImage(data, *extent, 4 * extent.width, QtGui.QImage.Format.Format_ARGB32)
    return image.copy()  # the bytes are not the image's own


def _walk(node: Any) -> Iterator[Any]:
    for child in node.childNodes():
        yield child
        yield from _walk(child)
