"""Read the metadata chunks of a PNG, with limits, and write them.

Pillow refuses an image whose texts or profile are larger than a megabyte when unpacked. Such images
are valid, so this module reads the chunks and passes only the pixels to Pillow.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

SIGNATURE = b"\x89PNG\r\n\x1a\n"
LARGEST = 16 << 20  # maximum unpacked size of a chunk, bytes; larger chunks are ignored
LARGEST_SUM = 64 << 20
COLOR = (b"gAMA", b"cHRM", b"sRGB", b"cICP", b"mDCV", b"cLLI")  # color space without a profile
_TAKEN = (b"iCCP", b"eXIf", b"pHYs", b"tEXt", b"zTXt", b"iTXt", *COLOR)
_LONG = 1 << 10  # minimum size of a compressed text, bytes
_READABLE = 1 << 20  # limit of other programs for compressed texts, bytes
XMP = "XML:com.adobe.xmp"
METER = 0.0254  # of an inch

Chunk = tuple[bytes, bytes]


@dataclass
class Ancillary:
    """The unpacked metadata chunks of a PNG."""

    pixels: bytes  # the PNG without these chunks
    icc: bytes = b""
    exif: bytes = b""  # without the prefix used in JPEG
    xmp: bytes = b""
    dpi: tuple[float, float] | None = None
    texts: list[tuple[str, str]] = field(default_factory=list)
    color: list[Chunk] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def split(data: bytes) -> Ancillary:
    """Split a PNG into pixels and metadata. Damaged metadata is dropped with a note."""
    kept, found = [SIGNATURE], Ancillary(b"")
    budget = LARGEST_SUM
    for name, content, whole in _chunks(data):
        if name not in _TAKEN:
            kept.append(whole)
            continue
        if name in COLOR:
            found.color.append((name, content))
            continue
        try:
            budget -= _take(found, name, content, min(LARGEST, budget))
        except (ValueError, zlib.error, struct.error) as error:
            found.notes.append(f"the chunk {name.decode()} is ignored: {error}")
    found.pixels = b"".join(kept)
    return found


def _chunks(data: bytes) -> Iterator[tuple[bytes, bytes, bytes]]:
    """Yield name, content and raw bytes of each chunk; after damage, the rest without a name."""
    at = len(SIGNATURE)
    view = memoryview(data)
    while at < len(data):
        if len(data) - at < 12:
            yield b"", b"", bytes(view[at:])
            return
        length, name = struct.unpack_from(">I4s", data, at)
        end = at + 12 + length
        if end > len(data):
            yield b"", b"", bytes(view[at:])
            return
        content = bytes(view[at + 8 : end - 4]) if name in _TAKEN else b""
        yield name, content, bytes(view[at:end])
        at = end


def _take(found: Ancillary, name: bytes, content: bytes, limit: int) -> int:
    """Store the content of a chunk in `found`, and return its unpacked size in bytes."""
    if name == b"pHYs":
        x, y, unit = struct.unpack(">IIB", content)
        if unit == 1 and x and y:
            found.dpi = x * METER, y * METER
        return 0
    if name == b"eXIf":
        found.exif = content
        return len(content)
    if name == b"iCCP":
        found.icc = _unpacked(content.partition(b"\0")[2][1:], limit)
        return len(found.icc)
    key, text = _text(name, content, limit)
    if key == XMP:
        found.xmp = text.encode("utf-8")
    elif key in ("Raw profile type exif", "Raw profile type APP1"):
        raw = bytes.fromhex("".join(text.split("\n")[3:]))
        if raw.startswith(b"Exif\0\0") and not found.exif:
            found.exif = raw[6:]
        elif raw.startswith(b"http://ns.adobe.com/xap/1.0/\0") and not found.xmp:
            found.xmp = raw.partition(b"\0")[2]
    elif key:
        found.texts.append((key, text))
    return len(text)


def _text(name: bytes, content: bytes, limit: int) -> tuple[str, str]:
    key, _, rest = content.partition(b"\0")
    if name == b"tEXt":
        return key.decode("latin-1"), rest[:limit].decode("latin-1")
    if name == b"zTXt":
        return key.decode("latin-1"), _unpacked(rest[1:], limit).decode("latin-1")
    packed = rest[:1] == b"\1"
    _, _, rest = rest[2:].partition(b"\0")  # skip the language and the translated keyword
    _, _, rest = rest.partition(b"\0")
    text = _unpacked(rest, limit) if packed else rest[:limit]
    return key.decode("latin-1"), text.decode("utf-8", "replace")


def _unpacked(data: bytes, limit: int) -> bytes:
    unpacking = zlib.decompressobj()
    result = unpacking.decompress(data, limit + 1)
    if len(result) > limit:
        raise ValueError(f"its unpacked size exceeds {limit >> 20} MiB")
    return result


def chunk(name: bytes, data: bytes) -> bytes:
    """Return a chunk with its length and its checksum."""
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def joined(
    plain: bytes,
    *,
    icc: bytes,
    exif: bytes,
    xmp: bytes,
    dpi: tuple[float, float] | None,
    texts: Iterable[tuple[str, str]],
    color: Iterable[Chunk],
) -> bytes:
    """Return a PNG with metadata added to `plain`, a PNG without metadata."""
    extra = []
    if icc:
        extra.append(chunk(b"iCCP", b"ICC profile\0\0" + zlib.compress(icc)))
    else:
        extra += [chunk(*one) for one in color]
    if dpi:
        x, y = (min(max(round(value / METER), 1), 2**31 - 1) for value in dpi)
        extra.append(chunk(b"pHYs", struct.pack(">IIB", x, y, 1)))
    if exif:
        extra.append(chunk(b"eXIf", exif))
    if xmp:
        extra.append(chunk(b"iTXt", XMP.encode() + b"\0\0\0\0\0" + xmp))
    extra += [_text_chunk(key, text) for key, text in texts]
    header_ends = len(SIGNATURE) + 25  # the signature and IHDR; the metadata comes next
    return plain[:header_ends] + b"".join(extra) + plain[header_ends:]


def _text_chunk(key: str, text: str) -> bytes:
    name = key.encode("latin-1", "replace")[:79] + b"\0"
    data = text.encode("utf-8")
    compress = _LONG < len(data) <= _READABLE
    if text.isascii():
        return chunk(b"zTXt", name + b"\0" + zlib.compress(data)) if compress else (
            chunk(b"tEXt", name + data)
        )  # fmt: skip
    packed = zlib.compress(data) if compress else data
    return chunk(b"iTXt", name + bytes([compress]) + b"\0\0\0" + packed)
