"""Read a .kra file without Krita: the merged image and the pixels of every layer.

A .kra file is a zip. Paint layers are stored as tiles of 64 x 64 px, plane by plane and compressed
with LZF.
"""

from __future__ import annotations

import io
import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
from PIL import Image

TILE = 64


@dataclass(frozen=True)
class KraLayer:
    name: str
    kind: str  # "paintlayer", "grouplayer"
    visible: bool
    uuid: str
    pixels: np.ndarray | None = field(repr=False)  # [H, W, bytes per pixel] over the canvas
    children: tuple[KraLayer, ...] = ()  # from top to bottom


@dataclass(frozen=True)
class Kra:
    merged: np.ndarray = field(repr=False)  # [H, W, 4] RGBA, 8 bit
    layers: tuple[KraLayer, ...]  # from top to bottom
    annotations: dict[str, bytes] = field(repr=False)

    def find(self, name: str) -> KraLayer:
        """Return the layer of that name, at any depth."""
        waiting = list(self.layers)
        while waiting:
            layer = waiting.pop()
            if layer.name == name:
                return layer
            waiting.extend(layer.children)
        raise KeyError(name)


def read_kra(path: Path) -> Kra:
    with zipfile.ZipFile(path) as packed:
        merged = Image.open(io.BytesIO(packed.read("mergedimage.png")))
        image = _find(ElementTree.fromstring(packed.read("maindoc.xml")), "IMAGE")  # noqa: S314
        size = int(image.attrib["width"]), int(image.attrib["height"])
        folder = f"{image.attrib['name']}/"
        layers = _layers(packed, folder, image, size)
        annotations = {
            name.split("/annotations/", 1)[1]: packed.read(name)
            for name in packed.namelist()
            if "/annotations/" in name and not name.endswith("/")
        }
        return Kra(np.asarray(merged.convert("RGBA")), layers, annotations)


def _find(element: ElementTree.Element, tag: str) -> ElementTree.Element:
    return next(each for each in element.iter() if each.tag.split("}")[-1] == tag)


def _layers(
    packed: zipfile.ZipFile, folder: str, parent: ElementTree.Element, size: tuple[int, int]
) -> tuple[KraLayer, ...]:
    holder = next((each for each in parent if each.tag.split("}")[-1] == "layers"), None)
    if holder is None:
        return ()
    return tuple(
        KraLayer(
            element.attrib["name"],
            element.attrib["nodetype"],
            element.attrib["visible"] == "1",
            element.attrib["uuid"],
            _pixels(packed, folder, element, size)
            if element.attrib["nodetype"] == "paintlayer"
            else None,
            _layers(packed, folder, element, size),
        )
        for element in holder
        if "nodetype" in element.attrib
    )


def _pixels(
    packed: zipfile.ZipFile, folder: str, element: ElementTree.Element, size: tuple[int, int]
) -> np.ndarray:
    width, height = size
    entry = f"{folder}layers/{element.attrib['filename']}"
    stream = io.BytesIO(packed.read(entry))
    header = {}
    for _line in range(5):
        key, value = stream.readline().split()
        header[key] = int(value)
    pixel_bytes = header[b"PIXELSIZE"]
    empty = packed.read(f"{entry}.defaultpixel")
    result = np.tile(np.frombuffer(empty, np.uint8), (height, width, 1))
    left, top = int(element.attrib["x"]), int(element.attrib["y"])
    for _tile in range(header[b"DATA"]):
        x, y, _method, length = stream.readline().split(b",")
        tile = _tile_of(stream.read(int(length)), pixel_bytes)
        _place(result, tile, int(x) + left, int(y) + top)
    return result


def _tile_of(data: bytes, pixel_bytes: int) -> np.ndarray:
    """Decode a tile [64, 64, pixel_bytes]. The first byte tells whether the rest is compressed."""
    if data[0]:
        planes = np.frombuffer(unpack_lzf(data[1:]), np.uint8).reshape(pixel_bytes, TILE, TILE)
        return planes.transpose(1, 2, 0)
    return np.frombuffer(data[1:], np.uint8).reshape(TILE, TILE, pixel_bytes)


def _place(canvas: np.ndarray, tile: np.ndarray, x: int, y: int) -> None:
    height, width = canvas.shape[:2]
    x0, y0, x1, y1 = max(x, 0), max(y, 0), min(x + TILE, width), min(y + TILE, height)
    if x0 < x1 and y0 < y1:
        canvas[y0:y1, x0:x1] = tile[y0 - y : y1 - y, x0 - x : x1 - x]


def unpack_lzf(data: bytes) -> bytes:
    """Decompress LZF: literal runs (control below 32) and references to earlier output."""
    result = bytearray()
    i = 0
    while i < len(data):
        control = data[i]
        i += 1
        if control < 32:
            result += data[i : i + control + 1]
            i += control + 1
            continue
        length = control >> 5
        if length == 7:
            length += data[i]
            i += 1
        start = len(result) - ((control & 31) << 8) - data[i] - 1
        i += 1
        for offset in range(length + 2):
            result.append(result[start + offset])
    return bytes(result)
