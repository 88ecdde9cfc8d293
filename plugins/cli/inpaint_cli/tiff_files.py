"""Read and write TIFF at its own depth (docs/decisions/0012), with metadata."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt
from inpaint_model.document.color import quantize, unit_values
from PIL import ExifTags, Image

from .metadata import (
    CENTIMETER,
    DESCRIPTIVE,
    INCH,
    RESOLUTION_UNIT,
    X_RESOLUTION,
    Y_RESOLUTION,
    Metadata,
    details_of,
    directory,
    exif_of,
    tiff_exif,
    usable_dpi,
    with_texts,
)

if TYPE_CHECKING:
    from tifffile import TiffPage

Pixels = npt.NDArray[Any]

MAGIC = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
WHITE_IS_ZERO, BLACK_IS_ZERO, RGB = 0, 1, 2  # photometric interpretations
PREMULTIPLIED = 1  # of an extra sample
XMP = 700
_STAND_IN = 1  # tifffile cannot write EXIF entries, so one with the next code is renamed
_LARGEST_CLASSIC = 2**32 - 2**25  # bytes; larger files are written as BigTIFF by tifffile


class TiffImage(NamedTuple):
    """The first image of a TIFF; `pixels` is None if Pillow must read them."""

    pixels: Pixels | None
    icc: bytes
    exif: Image.Exif
    xmp: bytes
    dpi: tuple[float, float] | None


def read_tiff(path: Path, most_pixels: int) -> TiffImage | None:
    """Read the first image of a TIFF; return None for other files.

    Raises:
        ValueError: the image is too large or damaged; tifffile may also raise other errors.
    """
    with path.open("rb") as file:
        if file.read(4) not in MAGIC:
            return None
    import tifffile

    logging.getLogger("tifffile").setLevel(logging.CRITICAL)  # errors are reported by the caller
    with tifffile.TiffFile(path) as tiff, path.open("rb") as file:
        page = tiff.pages.first
        if page.imagewidth * page.imagelength > most_pixels:
            raise ValueError(
                f"{page.imagewidth} x {page.imagelength} px exceed the limit of {most_pixels} "
                "pixels"
            )
        exif = tiff_exif(file, page.offset, big=tiff.is_bigtiff, endian=tiff.byteorder)
        xmp = page.tags.valueof(XMP, b"")
        return TiffImage(
            _pixels(page),
            bytes(page.iccprofile or b""),
            exif,
            bytes(xmp.encode() if isinstance(xmp, str) else xmp),
            _dpi(page),
        )


def _pixels(page: TiffPage) -> Pixels | None:
    """Return [H, W, C] of a gray or RGB image; None for kinds and depths that Pillow reads."""
    is_known = page.photometric in (WHITE_IS_ZERO, BLACK_IS_ZERO, RGB)
    if not is_known or page.dtype is None or page.dtype == np.bool_:
        return None
    pixels: Pixels = page.asarray()
    if page.planarconfig == 2 and pixels.ndim == 3:
        pixels = np.moveaxis(pixels, 0, 2)
    pixels = pixels if pixels.ndim == 3 else pixels[..., None]
    bits = page.bitspersample
    if pixels.dtype.kind == "u" and isinstance(bits, int) and bits < pixels.dtype.itemsize * 8:
        white = np.iinfo(pixels.dtype).max  # for images of 4 or 12 bits
        pixels = np.rint(pixels * (white / (2**bits - 1))).astype(pixels.dtype)
    if page.photometric == WHITE_IS_ZERO and pixels.dtype.kind == "u":
        pixels = np.iinfo(pixels.dtype).max - pixels
    if page.extrasamples and page.extrasamples[0] == PREMULTIPLIED:
        pixels = _straight(pixels)
    return pixels


def _straight(pixels: Pixels) -> Pixels:
    """Convert premultiplied colors to straight alpha."""
    values = unit_values(pixels)
    values[..., :-1] /= np.maximum(values[..., -1:], 1e-6)
    return quantize(values, pixels.dtype)


def _dpi(page: TiffPage) -> tuple[float, float] | None:
    scale = {INCH: 1.0, CENTIMETER: 2.54}.get(int(page.tags.valueof(RESOLUTION_UNIT, INCH)))
    stored = [page.tags.valueof(tag) for tag in (X_RESOLUTION, Y_RESOLUTION)]
    if scale is None or not all(isinstance(one, tuple) and one[1] for one in stored):
        return None
    return usable_dpi([one[0] / one[1] for one in stored], scale)


def write_tiff(path: Path, pixels: Pixels, icc: bytes, exif: bytes, beside: Metadata) -> None:
    """Write [H, W, 1..4] of any depth, with straight alpha."""
    import tifffile

    gray, has_alpha = pixels.shape[2] < 3, pixels.shape[2] in (2, 4)
    exif = with_texts(exif, beside.texts)
    groups = details_of(exif) if pixels.nbytes < _LARGEST_CLASSIC else {}
    extra = [_tag(code, value) for code, value in exif_of(exif).items() if code in DESCRIPTIVE]
    extra += [(code + _STAND_IN, "I", 1, 0, True) for code in groups]
    if beside.xmp:
        extra.append((XMP, "B", len(beside.xmp), beside.xmp, True))
    tifffile.imwrite(
        path,
        pixels[..., 0] if pixels.shape[2] == 1 else pixels,
        byteorder="<",
        photometric="minisblack" if gray else "rgb",
        planarconfig="contig" if pixels.shape[2] > 1 else None,
        extrasamples=["unassalpha"] if has_alpha else None,
        compression="zlib",
        iccprofile=icc or None,
        metadata=None,
        software=False,
        resolution=beside.dpi,
        resolutionunit="INCH" if beside.dpi else None,
        extratags=[tag for tag in extra if tag is not None],
    )
    if groups:
        with tifffile.TiffFile(path) as tiff:
            page = tiff.pages.first
            places = {code: page.tags[code + _STAND_IN].offset for code in groups}
        with path.open("r+b") as file:
            for code, entries in groups.items():
                _append(file, places[code], code, entries)


def _tag(code: int, value: object) -> tuple[int, str, int, Any, bool] | None:
    """Return an entry in tifffile's form; None if its value is not supported."""
    if isinstance(value, str):
        text = value.rstrip("\0").encode("utf-8")
        return (code, "s", 0, text, True) if text else None
    if isinstance(value, bytes) and value:
        return code, "B", len(value), value, True
    if isinstance(value, int) and 0 <= value < 2**16:
        return code, "H", 1, value, True
    return None


def _append(file: IO[bytes], place: int, code: int, entries: dict[int, Any]) -> None:
    """Append a directory to the file, and write its offset into the entry at `place`."""
    end = file.seek(0, 2)
    start = end + end % 2
    plain = {tag: value for tag, value in entries.items() if tag != ExifTags.IFD.Interop}
    file.write(bytes(start - end) + directory(plain, start))
    file.seek(place)
    file.write(code.to_bytes(2, "little"))
    file.seek(place + 8)  # after code, type and count
    file.write(start.to_bytes(4, "little"))
