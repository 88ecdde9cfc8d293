"""Read GIMP's XCF files without GIMP: layers, their pixels and their parasites.

Supports what the tests need (RGB and gray, all precisions, both compressions), according to the
format's specification by GIMP's developers.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

TILE = 64
_END, _VISIBLE, _OFFSETS, _COMPRESSION, _PARASITES, _GROUP, _PATH = 0, 8, 15, 17, 21, 29, 30
_CHANNELS = {0: 3, 1: 4, 2: 1, 3: 2}  # by layer type: RGB, RGBA, gray, gray with alpha
_SAMPLES = {1: "u1", 2: "u2", 3: "u4", 5: "f2", 6: "f4", 7: "f8"}  # by precision // 100


@dataclass
class Layer:
    name: str
    x: int
    y: int
    pixels: NDArray[Any]  # [height, width, channels], alpha last
    visible: bool = True
    is_group: bool = False
    path: tuple[int, ...] = ()
    parasites: dict[str, bytes] = field(default_factory=dict)


@dataclass
class Xcf:
    width: int
    height: int
    base_type: int  # 0 RGB, 1 gray, 2 indexed
    precision: int  # GIMP's number
    layers: list[Layer]  # from top to bottom, groups before their contents

    def layer(self, name: str) -> Layer:
        return next(layer for layer in self.layers if layer.name == name)


def read_xcf(path: Path) -> Xcf:
    return _File(path.read_bytes()).image()


class _File:
    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 14
        tag = data[9:13]
        assert data[:9] == b"gimp xcf ", "not an XCF file"
        self.version = 0 if tag == b"file" else int(tag[1:])
        self.compression = 0
        self.sample = np.dtype("u1")

    def image(self) -> Xcf:
        width, height, base_type = self.unpack("III")
        (precision,) = self.unpack("I") if self.version >= 4 else (150,)
        order = ">" if self.version >= 12 else "<"
        self.sample = np.dtype(order + _SAMPLES[precision // 100])
        for kind, payload in self.properties():
            if kind == _COMPRESSION:
                self.compression = payload[0]
        return Xcf(width, height, base_type, precision, [self.layer(p) for p in self.pointers()])

    def unpack(self, codes: str) -> tuple[int, ...]:
        values = struct.unpack_from(f">{codes}", self.data, self.at)
        self.at += struct.calcsize(f">{codes}")
        return values

    def pointers(self) -> list[int]:
        found: list[int] = []
        while True:
            (pointer,) = self.unpack("Q" if self.version >= 11 else "I")
            if not pointer:
                return found
            found.append(pointer)

    def string(self) -> str:
        (length,) = self.unpack("I")
        self.at += length
        return self.data[self.at - length : self.at].rstrip(b"\0").decode()

    def properties(self) -> Iterator[tuple[int, bytes]]:
        while True:
            kind, length = self.unpack("II")
            if kind == _END:
                return
            self.at += length
            yield kind, self.data[self.at - length : self.at]

    def layer(self, pointer: int) -> Layer:
        self.at = pointer
        width, height, kind = self.unpack("III")
        layer = Layer(self.string(), 0, 0, np.zeros((height, width, _CHANNELS[kind]), self.sample))
        for prop, payload in self.properties():
            if prop == _OFFSETS:
                layer.x, layer.y = struct.unpack(">ii", payload)
            elif prop == _VISIBLE:
                layer.visible = payload != bytes(4)
            elif prop == _GROUP:
                layer.is_group = True
            elif prop == _PATH:
                layer.path = struct.unpack(f">{len(payload) // 4}I", payload)
            elif prop == _PARASITES:
                layer.parasites = _parasites(payload)
        (self.at,) = self.unpack("Q" if self.version >= 11 else "I")
        if self.at:
            self.hierarchy(layer.pixels)
        layer.pixels = layer.pixels.astype(layer.pixels.dtype.newbyteorder("="))
        return layer

    def hierarchy(self, pixels: NDArray[np.generic]) -> None:
        height, width, channels = pixels.shape
        pixel_bytes = channels * self.sample.itemsize
        stored = self.unpack("III")
        assert stored == (width, height, pixel_bytes), (stored, pixels.shape)
        self.at = self.pointers()[0]
        self.unpack("II")
        tiles = iter(self.pointers())
        for y in range(0, height, TILE):
            for x in range(0, width, TILE):
                shape = (min(TILE, height - y), min(TILE, width - x), channels)
                raw = self.tile(next(tiles), shape[0] * shape[1], pixel_bytes)
                pixels[y : y + TILE, x : x + TILE] = np.frombuffer(raw, self.sample).reshape(shape)

    def tile(self, start: int, area: int, pixel_bytes: int) -> bytes:
        if self.compression == 0:
            return self.data[start : start + area * pixel_bytes]
        if self.compression == 2:
            return zlib.decompressobj().decompress(self.data[start:], area * pixel_bytes)
        out = bytearray(area * pixel_bytes)
        for plane in range(pixel_bytes):  # byte by byte of a pixel, each run-length encoded
            out[plane::pixel_bytes], start = self.run_lengths(start, area)
        return bytes(out)

    def run_lengths(self, at: int, count: int) -> tuple[bytes, int]:
        out = bytearray()
        while len(out) < count:
            code = self.data[at]
            at += 1
            length = code + 1 if code < 127 else 256 - code
            if code in (127, 128):
                length = int.from_bytes(self.data[at : at + 2], "big")
                at += 2
            if code <= 127:
                out += self.data[at : at + 1] * length
                at += 1
            else:
                out += self.data[at : at + length]
                at += length
        return bytes(out), at


def _parasites(payload: bytes) -> dict[str, bytes]:
    found, file = {}, _Bytes(payload)
    while file.at < len(payload):
        name = file.take(file.number()).rstrip(b"\0").decode()
        file.number()  # flags
        found[name] = file.take(file.number())
    return found


class _Bytes:
    def __init__(self, data: bytes) -> None:
        self.data, self.at = data, 0

    def take(self, length: int) -> bytes:
        self.at += length
        return self.data[self.at - length : self.at]

    def number(self) -> int:
        return int.from_bytes(self.take(4), "big")
