"""An open 8-bit RGBA document in memory that implements `host.document_protocol.Document`.

It has only what the docker's tests need. Krita's actual behavior is tested in a real Krita.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Generator, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from inpaint_client.geometry import Box, Extent
from inpaint_client.pixels import crop, paste
from inpaint_krita.host.color import SRGB, Space
from inpaint_krita.host.document_protocol import Painting
from inpaint_krita.host.layer_placement import InsertPosition, Source
from inpaint_krita.host.qt import QtGui
from inpaint_krita.host.selection import KeptSelection, Selection


@dataclass(eq=False)
class FakeLayer:
    title: str
    kind: str = "paintlayer"
    parent: FakeLayer | None = None
    children: list[FakeLayer] = field(default_factory=list)
    is_visible: bool = True
    is_locked: bool = False
    data: bytearray = field(default_factory=bytearray)
    box: Box = field(default_factory=lambda: Box(0, 0, 0, 0))

    def type(self) -> str:
        return self.kind

    def name(self) -> str:
        return self.title

    def visible(self) -> bool:
        return self.is_visible

    def locked(self) -> bool:
        return self.is_locked

    def parentNode(self) -> FakeLayer | None:  # noqa: N802 (Krita's name)
        return self.parent

    def childNodes(self) -> list[FakeLayer]:  # noqa: N802 (Krita's name)
        return self.children

    @property
    def key(self) -> str:
        return str(id(self))

    def walk(self) -> Iterator[FakeLayer]:
        for child in self.children:
            yield child
            yield from child.walk()


class FakeDocument:
    """A document of one color, with a selection in the middle."""

    def __init__(self, extent: Extent = Extent(96, 64)) -> None:  # noqa: B008 (a value)
        self.extent = extent
        self.space = Space("RGBA", "U8", SRGB)
        self.file_name = ""
        self.title = "portrait.kra"
        self.is_open = True
        self.root = FakeLayer("root", "grouplayer")
        base = FakeLayer("Background", parent=self.root)
        base.data = bytearray(bytes([60, 90, 120, 255]) * extent.area)
        base.box = Box.of_extent(extent)
        self.root.children.append(base)
        self.active = base
        self.selected: Selection | None = KeptSelection(Box(30, 20, 24, 16), b"\xff" * (24 * 16))
        self.annotations: dict[str, bytes] = {}
        self.refreshes = 0
        self.copies: list[FakeCopy] = []
        self.has_face = True  # for the fake daemon, which finds one in all but plain images
        self.is_opaque = False  # whether there is nothing transparent to select
        self.layers: dict[str, FakeLayer] = {base.key: base}

    def is_same(self, other: FakeDocument) -> bool:
        return self is other

    def active_node(self) -> Any:
        return self.active

    def settle(self) -> None:
        pass

    def selection(self) -> Selection | None:
        return self.selected

    def select_transparent_part(self) -> Generator[int | None, None, bool]:
        yield None
        if self.is_opaque:
            return False
        self.selected = KeptSelection(Box(0, 0, 8, 8), b"\xff" * 64)
        return True

    def select(self, bands: Iterable[tuple[Box, bytes]]) -> Generator[int | None, None, None]:
        coverage = b""
        for box, part in bands:
            assert (box.x, box.width) == (0, self.extent.width)
            coverage += part
            yield None
        self.selected = KeptSelection(Box.of_extent(self.extent), coverage)

    def pixels(self, source: Source, selection: Selection, scratch: Any) -> FakePixels:
        return FakePixels(self, selection, source)

    def overview(self, extent: Extent) -> QtGui.QImage:
        image = QtGui.QImage(*extent, QtGui.QImage.Format.Format_ARGB32)
        image.fill(QtGui.QColor(120, 90, 60))
        return image

    def view(self, box: Box, step: int) -> QtGui.QImage:
        return self.overview(Extent(max(1, box.width // step), max(1, box.height // step)))

    def copy(self, area: Box) -> FakeCopy:
        return FakeCopy(self, area)

    def insert_run(
        self, insert_position: InsertPosition, title: str, names: list[str]
    ) -> tuple[str, list[str]]:
        parent: Any = insert_position.parent
        group = FakeLayer(title, "grouplayer", parent)
        layers = [FakeLayer(name, parent=group) for name in names]
        for layer in layers[1:]:
            layer.is_visible = False
        group.children = list(reversed(layers))
        above: Any = insert_position.above
        at = parent.children.index(above) + 1 if above in parent.children else len(parent.children)
        parent.children.insert(at, group)
        for layer in (group, *layers):
            self.layers[layer.key] = layer
        return group.key, [layer.key for layer in layers]

    def insert_more(
        self, group_id: str, title: str, names: list[str]
    ) -> tuple[str, list[str]] | None:
        group = self.find(group_id)
        if group is None:
            return None
        more = FakeLayer(title, "grouplayer", group)
        layers = [FakeLayer(name, parent=more, is_visible=False) for name in names]
        more.children = list(reversed(layers))
        group.children.append(more)
        for layer in (more, *layers):
            self.layers[layer.key] = layer
        return more.key, [layer.key for layer in layers]

    def remove_layer(self, layer_id: str, group_id: str) -> None:
        layer = self.layers[layer_id]
        while layer.key != group_id and layer.parent is not None:
            if len(layer.parent.children) > 1:
                break
            layer = layer.parent
        assert layer.parent is not None
        layer.parent.children.remove(layer)

    def is_plain_group(self, group_id: str) -> bool:
        return all(
            layer.kind in ("paintlayer", "grouplayer") for layer in self.find(group_id).children
        )

    def children(self, group_id: str) -> list[str]:
        group = self.layers.get(group_id) or self.find(group_id)
        return [] if group is None else [layer.key for layer in group.children]

    def arrange(self, group_id: str, layer_ids: list[str]) -> None:
        group = self.layers[group_id]
        group.children = [self.layers[each] for each in layer_ids]

    def add_layer(self, group_id: str, name: str) -> str | None:
        group = self.find(group_id)
        if group is None:
            return None
        layer = FakeLayer(name, parent=group)
        group.children.append(layer)
        self.layers[layer.key] = layer
        return layer.key

    def keep_layers(self, group_id: str, layer_ids: list[str]) -> None:
        group = self.layers[group_id]
        group.children = [layer for layer in group.children if layer.key in layer_ids]

    def write(self, layer_id: str, painting: Painting) -> bool:
        layer = self.layers[layer_id]
        layer.data = layer.data or bytearray(4 * self.extent.area)
        paste(layer.data, self.extent, painting.data, painting.box, 4)
        layer.box = layer.box.union(painting.box)
        return True

    def refresh(self) -> None:
        self.refreshes += 1

    def show(self, layer_id: str, visible: bool) -> bool:
        layer = self.find(layer_id)
        if layer is not None:
            layer.is_visible = visible
        return layer is not None

    def is_shown(self, layer_id: str) -> bool:
        layer = self.find(layer_id)
        return layer is not None and bool(layer.is_visible)

    def is_attached(self, layer_id: str) -> bool:
        return self.find(layer_id) is not None

    def thumbnail(self, layer_id: str, box: Box, step: int, scratch: Any) -> QtGui.QImage | None:
        if layer_id not in self.layers:
            return None
        view = self.layer_view(layer_id, box, scratch)
        return view.scaled(max(1, box.width // step), max(1, box.height // step))

    def layer_view(self, layer_id: str, box: Box, scratch: Any) -> QtGui.QImage:
        data = self.layers[layer_id].data or bytes(4 * self.extent.area)
        data = crop(data, self.extent, box, 4)
        return QtGui.QImage(data, *box.extent, QtGui.QImage.Format.Format_ARGB32).copy()

    def bounds(self, layer_id: str) -> Box | None:
        layer = self.find(layer_id)
        return None if layer is None or layer.box.is_empty else layer.box

    def paint_layers(self) -> list[tuple[str, str]]:
        return [(e.key, e.title) for e in self.root.walk() if e.kind == "paintlayer"]

    def add_paint(self, title: str, box: Box | None = None, pixel: bytes = b"") -> FakeLayer:
        """Add one of the artist's layers, with one color inside a box."""
        layer = FakeLayer(title, parent=self.root)
        self.root.children.append(layer)
        self.layers[layer.key] = layer
        if box is not None:
            self.write(layer.key, Painting(box, pixel * box.extent.area))
            layer.box = box
        return layer

    def rename(self, layer_id: str, name: str) -> None:
        self.layers[layer_id].title = name

    def activate(self, layer_id: str) -> bool:
        layer = self.find(layer_id)
        if layer is not None:
            self.active = layer
        return layer is not None

    def return_to(self, layer_id: str, others: Collection[str]) -> None:
        if self.active.key in others:
            self.activate(layer_id)

    def active_id(self) -> str:
        return self.active.key

    def flatten_active(self) -> None:
        group, parent = self.active, self.active.parent
        assert parent is not None
        shown = (layer for layer in group.children if layer.is_visible)
        visible = next(shown, FakeLayer("nothing"))
        merged = FakeLayer(f"{group.title} Merged", parent=parent)
        merged.data, merged.box = visible.data, visible.box
        parent.children[parent.children.index(group)] = merged
        self.layers[merged.key] = merged
        self.active = merged

    def ungroup_active(self) -> None:
        group, parent = self.active, self.active.parent
        assert parent is not None
        at = parent.children.index(group)
        parent.children[at : at + 1] = group.children
        for child in group.children:
            child.parent = parent
        group.children = []
        self.active = parent.children[at]

    def find(self, layer_id: str) -> Any:
        return next((layer for layer in self.root.walk() if layer.key == layer_id), None)

    def id_of(self, node: Any) -> str:
        return str(node.key)

    def annotation_names(self) -> list[str]:
        return list(self.annotations)

    def annotation(self, name: str) -> bytes:
        return self.annotations[name]

    def annotate(self, name: str, description: str, data: bytes) -> None:
        self.annotations[name] = data

    def remove_annotation(self, name: str) -> None:
        self.annotations.pop(name, None)


class FakeCopy:
    """A copy that is plain, but for the middle of the layer that is shown."""

    def __init__(self, document: FakeDocument, area: Box) -> None:
        self._document = document
        self._area = area
        self._shown = ""
        self.is_open = True
        document.copies.append(self)

    def show_only(self, layer: str, group: str, layers: Collection[str]) -> None:
        assert not layer or layer in layers
        self._shown = layer

    def view(self, box: Box, step: int) -> QtGui.QImage:
        assert self._area.contains(box)
        image = self._document.view(box, step)
        if self._shown:
            painter = QtGui.QPainter(image)
            layer = self._document.layer_view(self._shown, self._area, None)
            painter.drawImage(0, self._area.y - box.y, layer)
            painter.end()
        return image

    def close(self) -> None:
        self.is_open = False


class FakePixels:
    def __init__(
        self, document: FakeDocument, selection: Selection, source: Source | None = None
    ) -> None:
        node: Any = source.node if source is not None else None
        self._layer = document.root.children[0] if node is None else node
        self._document = document
        self._selection = selection
        self.extent = document.extent
        self.space = document.space

    def read(self, box: Box) -> bytes:
        return crop(bytes(self._layer.data), self.extent, box, 4)

    def read_reduced(self, box: Box, step: int) -> bytes:
        first = bytes([200 if self._document.has_face else 10, 20, 30, 255])
        return first + bytes([10, 20, 30, 255]) * (box.extent.area // step**2 - 1)

    def read_display(self, box: Box) -> bytes:
        return self.read(box)

    def read_coverage(self, box: Box) -> bytes:
        return self._selection.pixelData(*box)

    def convert(self, data: bytes, extent: Extent, source: Space, target: Space) -> bytes:
        raise AssertionError("nothing to convert in sRGB")


class FakeScratch:
    def convert(self, data: bytes, extent: Extent, source: Space, target: Space) -> bytes:
        raise AssertionError("nothing to convert in sRGB")

    def close(self) -> None:
        pass


class FakeHost:
    """Krita with one document, or none; tests may open others behind it."""

    def __init__(self, document: FakeDocument | None) -> None:
        self.document = document
        self.others: list[FakeDocument] = []
        self.log_shown = False
        self.plugin_log_shown = False
        self.sheet: Path | None = None  # the file that the artist chooses for a contact sheet
        self.proposed: Path | None = None
        self.program = ""  # the file that the artist chooses; empty = cancel

    def active_document(self) -> FakeDocument | None:
        return self.document

    def open_documents(self) -> list[FakeDocument]:
        here = [] if self.document is None else [self.document]
        return [document for document in (*here, *self.others) if document.is_open]

    def open_example(self) -> None:
        self.document = FakeDocument()
        self.document.title, self.document.selected = "Example portrait", None

    def scratch(self) -> Any:
        return FakeScratch()

    def show_log(self) -> None:
        self.log_shown = True

    def show_plugin_log(self) -> None:
        self.plugin_log_shown = True

    def choose_sheet(self, proposed: Path, chosen: Callable[[Path], None]) -> None:
        self.proposed = proposed
        if self.sheet is not None:
            chosen(self.sheet)

    def choose_program(self) -> str:
        return self.program
