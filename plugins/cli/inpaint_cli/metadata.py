"""Metadata of images, and its storage in each format.

docs/guide/command-line.md has the table.

EXIF is the common form. PNG, JPEG and WebP store it unchanged, and TIFF stores it as its own
entries. A text that a format cannot store goes into EXIF: into the entry with its name or else into
the user comment.
"""

from __future__ import annotations

import re
import struct
import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from typing import IO, Any

from PIL import ExifTags, Image

from .png_chunks import Chunk

ORIENTATION, COMMENT = 0x0112, 0x9286
X_RESOLUTION, Y_RESOLUTION, RESOLUTION_UNIT, INCH, CENTIMETER = 0x011A, 0x011B, 0x0128, 2, 3
MAKER_NOTE = 0x927C
EXIF_PREFIX = b"Exif\0\0"
TIFF_HEAD = b"II*\0\x08\0\0\0"
TEXT_TAGS = {"Title": 0x010D, "Description": 0x010E, "Software": 0x0131, "Author": 0x013B,
             "Copyright": 0x8298}  # fmt: skip
# Entries of a TIFF that describe the image and not its storage.
DESCRIPTIVE = {0x010D, 0x010E, 0x010F, 0x0110, 0x0131, 0x0132, 0x013B, 0x013C, 0x4746, 0x4749,
               0x8298, *range(0x9C9B, 0x9CA0)}  # fmt: skip
_DAMAGED = (OSError, ValueError, KeyError, TypeError, IndexError, AttributeError, SyntaxError,
            struct.error, EOFError, OverflowError, ZeroDivisionError, UnicodeError)  # fmt: skip


@dataclass(frozen=True)
class Metadata:
    """Metadata except profile and EXIF; all of it may be empty."""

    xmp: bytes = b""
    dpi: tuple[float, float] | None = None
    texts: tuple[tuple[str, str], ...] = ()  # keyword and text
    png_color: tuple[Chunk, ...] = ()  # color chunks of a PNG without a profile


def exif_of(data: bytes) -> Image.Exif:
    """Parse EXIF data; return no entries if it is damaged."""
    exif = Image.Exif()
    if data:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                exif.load(data)
                _ = dict(exif), exif.get_ifd(ExifTags.IFD.Exif), exif.get_ifd(ExifTags.IFD.GPSInfo)
            except _DAMAGED:
                return Image.Exif()
    return exif


def tiff_exif(file: IO[bytes], offset: int, *, big: bool, endian: str) -> Image.Exif:
    """Return the entries of a TIFF's directory that describe the image, as EXIF."""
    exif = Image.Exif()
    found = Image.Exif()
    found.bigtiff, found.endian = big, endian
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            found.load_from_fp(file, offset)
            for tag in found:
                if tag in DESCRIPTIVE or tag == ORIENTATION:
                    exif[tag] = found[tag]
            for group in (ExifTags.IFD.Exif, ExifTags.IFD.GPSInfo):
                if group in found:
                    exif.get_ifd(group).update(found.get_ifd(group))
        except _DAMAGED:
            return exif
    return exif


def orientation_of(exif: Image.Exif, xmp: bytes) -> int:
    """Return the orientation, 1..8, from EXIF, or from XMP if EXIF has none."""
    stored: Any = exif.get(ORIENTATION)
    if stored is None and (found := re.search(rb'tiff:Orientation(?:="|>)([1-8])', xmp)):
        stored = int(found[1])
    return stored if isinstance(stored, int) and 1 <= stored <= 8 else 1


def upright(exif: Image.Exif, xmp: bytes, orientation: int) -> tuple[bytes, bytes]:
    """Return the packed EXIF and the XMP of an image after turning it upright."""
    if ORIENTATION in exif:
        exif[ORIENTATION] = 1
    xmp = re.sub(rb'(tiff:Orientation(?:="|>))[1-8]', rb"\g<1>1", xmp)
    if orientation >= 5:
        details = exif.get_ifd(ExifTags.IFD.Exif)
        width, height = ExifTags.Base.ExifImageWidth, ExifTags.Base.ExifImageHeight
        if width in details and height in details:
            details[width], details[height] = details[height], details[width]
    return packed(exif), xmp


def packed(exif: Image.Exif) -> bytes:
    """Return EXIF as bytes with its prefix; empty if there is none, or it cannot be packed."""
    groups = (ExifTags.IFD.Exif, ExifTags.IFD.GPSInfo)
    if not len(exif) and not any(exif.get_ifd(group) for group in groups):
        return b""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return exif.tobytes()
        except _DAMAGED:
            return b""


def dpi_of(exif: Image.Exif) -> tuple[float, float] | None:
    """Return the resolution from EXIF or a TIFF's directory, in dots per inch."""
    x, y = exif.get(X_RESOLUTION), exif.get(Y_RESOLUTION)
    scale = {INCH: 1.0, CENTIMETER: 2.54}.get(exif.get(RESOLUTION_UNIT, INCH))
    return None if scale is None else usable_dpi((x, y), scale)


def usable_dpi(values: Iterable[Any], scale: float = 1.0) -> tuple[float, float] | None:
    """Return the scaled resolution if it is valid, else None."""
    try:
        x, y = (float(value) * scale for value in values)
    except _DAMAGED:
        return None
    return (x, y) if 0 < x < 1e6 and 0 < y < 1e6 else None


def with_resolution(exif: bytes, dpi: tuple[float, float] | None) -> bytes:
    """Add the resolution to EXIF, for a format that cannot store it elsewhere."""
    if dpi is None:
        return exif
    entries = exif_of(exif)
    entries[X_RESOLUTION], entries[Y_RESOLUTION] = dpi
    entries[RESOLUTION_UNIT] = INCH
    return packed(entries)


def with_texts(exif: bytes, texts: Iterable[tuple[str, str]]) -> bytes:
    """Add texts to EXIF, for a format that cannot store them elsewhere."""
    texts = list(texts)
    if not texts:
        return exif
    entries, others = exif_of(exif), []
    for key, text in texts:
        tag = TEXT_TAGS.get(key)
        if tag is not None and tag not in entries and text.isascii():
            entries[tag] = text.replace("\0", " ")
        else:
            others.append(f"{key}: {text}")
    details = entries.get_ifd(ExifTags.IFD.Exif)
    if others and COMMENT not in details:
        details[COMMENT] = b"UNICODE\0" + "\n".join(others).encode("utf-16-le")
    return packed(entries)


def fitted(exif: bytes, most: int) -> bytes:
    """Reduce EXIF to at most `most` bytes by dropping large entries, or else all of it."""
    if len(exif) <= most:
        return exif
    entries = exif_of(exif)
    details = entries.get_ifd(ExifTags.IFD.Exif)
    for tag in (MAKER_NOTE, COMMENT):
        details.pop(tag, None)
        smaller = packed(entries)
        if len(smaller) <= most:
            return smaller
    return b""


def details_of(exif: bytes) -> dict[int, dict[int, Any]]:
    """Return the sub-directories of EXIF by the tag that refers to them."""
    entries = exif_of(exif)
    groups = {}
    for tag in (ExifTags.IFD.Exif, ExifTags.IFD.GPSInfo):
        if found := dict(entries.get_ifd(tag)):
            groups[int(tag)] = found
    return groups


def directory(entries: dict[int, Any], offset: int) -> bytes:
    """Return a little-endian TIFF directory of entries for an offset in the file."""
    from PIL.TiffImagePlugin import ImageFileDirectory_v2

    ifd = ImageFileDirectory_v2(ifh=TIFF_HEAD)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for tag, value in entries.items():
            ifd[tag] = value
        return bytes(ifd.tobytes(offset))
