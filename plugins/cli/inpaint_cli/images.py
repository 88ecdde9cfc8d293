"""Read and write image files at their own depth.

Pillow reads 8-bit images. 16-bit PNG is read by imagecodecs and TIFF by tifffile, because Pillow
silently reduces 16-bit color to 8 bits (docs/decisions/0012). Metadata is handled in `metadata`.
"""

from __future__ import annotations

import io
import struct
import warnings
import zlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from . import png_chunks, profiles
from .metadata import (
    EXIF_PREFIX,
    Metadata,
    dpi_of,
    exif_of,
    fitted,
    orientation_of,
    upright,
    usable_dpi,
    with_resolution,
    with_texts,
)
from .tiff_files import read_tiff, write_tiff
from .whole_files import whole_file

Pixels = npt.NDArray[Any]

EXTENSIONS = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".tif": "TIFF", ".tiff": "TIFF",
              ".webp": "WEBP"}  # fmt: skip
FORMATS = {"png": ".png", "jpeg": ".jpg", "tiff": ".tif", "webp": ".webp"}
MAX_PIXELS = 1 << 30
JPEG_QUALITY = 95
JPEG_SEGMENT = 65533  # bytes
JPEG_XMP = JPEG_SEGMENT - 29
JPEG_ICC = 255 * (JPEG_SEGMENT - 14)

NOTHING = Metadata()

_UNREADABLE = (  # errors that the decoders raise for damaged files
    OSError, ValueError, SyntaxError, RuntimeError, KeyError, IndexError, TypeError, EOFError,
    ZeroDivisionError, OverflowError, AttributeError, AssertionError, MemoryError, struct.error,
    zlib.error,
)  # fmt: skip

Image.MAX_IMAGE_PIXELS = MAX_PIXELS  # artists use larger images than Pillow allows by default


class UnusableImageError(Exception):
    """A file cannot be read or written; the message names the file and the reason."""


@dataclass(frozen=True)
class Document:
    """An upright image with the metadata that must be preserved."""

    pixels: Pixels  # [H, W, C]: uint8, uint16 or float32; C: 1 gray, 2 gray + alpha, 3, 4
    icc: bytes = b""  # empty = sRGB (float images: linear light with sRGB's primaries)
    exif: bytes = b""  # with the orientation "upright"
    beside: Metadata = NOTHING  # the remaining metadata
    notes: tuple[str, ...] = ()  # messages about ignored parts of the file

    @property
    def width(self) -> int:
        """Width of the image, px."""
        return int(self.pixels.shape[1])

    @property
    def height(self) -> int:
        """Height of the image, px."""
        return int(self.pixels.shape[0])

    @property
    def has_alpha(self) -> bool:
        """Whether the last channel is alpha."""
        return self.pixels.shape[2] in (2, 4)


def read_document(path: Path) -> Document:
    """Read a PNG, JPEG, TIFF or WebP file.

    Raises:
        UnusableImageError: the file cannot be read.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # decoders warn about damaged metadata
            document = _read_tiff(path) or _read_png(path) or _read_other(path)
    except UnusableImageError:
        raise
    except FileNotFoundError:
        raise UnusableImageError(f"{path} does not exist") from None
    except (*_UNREADABLE, Image.DecompressionBombError) as error:
        reason = str(error).partition("\n")[0][:200]
        if isinstance(error, LookupError | TypeError | AttributeError) or not reason:
            reason = "it is damaged"  # such errors only describe internals of a decoder
        raise UnusableImageError(f"{path} cannot be read: {reason}") from error
    return _with_fitting_profile(document)


def write_document(path: Path, document: Document) -> tuple[str, ...]:
    """Write a document in the format of the file's extension.

    Returns:
        One message for each part of the metadata that the format cannot store.

    Raises:
        UnusableImageError: the format cannot store the pixels, or the file cannot be written.
    """
    kind = EXTENSIONS[path.suffix.lower()]
    dtype = document.pixels.dtype
    deepest = {"TIFF": np.float32, "PNG": np.uint16}.get(kind, np.uint8)
    if dtype.itemsize > np.dtype(deepest).itemsize:
        raise UnusableImageError(f"{kind} cannot store {dtype} pixels; use --format tiff")
    if kind == "JPEG" and document.has_alpha:
        raise UnusableImageError("JPEG cannot store transparency; use --format png")
    writers: dict[str, Callable[[Path, Document], tuple[str, ...]]]
    writers = {"TIFF": _write_tiff, "PNG": _write_png, "JPEG": _write_jpeg, "WEBP": _write_webp}
    try:
        with whole_file(path) as beside:
            return writers[kind](beside, document)
    except OSError as error:
        raise cannot_write(path, error) from error
    except ValueError as error:
        raise UnusableImageError(f"{path} cannot be written: {error}") from error


def cannot_write(path: Path, error: OSError) -> UnusableImageError:
    """Return the error for a file or a folder that cannot be written."""
    reason = (error.strerror or str(error)).lower()
    return UnusableImageError(f"{path} cannot be written ({reason}); choose another --out")


def extension_for(document: Document, chosen: str | None) -> str:
    """Return the extension of the results: the chosen format's, else PNG, or TIFF for float."""
    if chosen is not None:
        return FORMATS[chosen]
    return ".tif" if document.pixels.dtype == np.float32 else ".png"


# ---------------------------------------------------------------------------------------------


def _read_tiff(path: Path) -> Document | None:
    """Read a TIFF of any depth; return None for other files."""
    found = read_tiff(path, MAX_PIXELS)
    if found is None:
        return None
    orientation = orientation_of(found.exif, found.xmp)
    exif, xmp = upright(found.exif, found.xmp, orientation)
    beside = Metadata(xmp=xmp, dpi=found.dpi)
    if found.pixels is not None:
        pixels = _checked_depth(path, found.pixels)
        return Document(_upright(pixels, orientation), found.icc, exif, beside)
    with Image.open(path, formats=["TIFF"]) as image:
        document = _read_plain(image)
    return replace(
        document, pixels=_upright(document.pixels, orientation), exif=exif, beside=beside
    )


def _read_png(path: Path) -> Document | None:
    """Read a PNG of any depth; return None for other files."""
    with path.open("rb") as file:
        if file.read(8) != png_chunks.SIGNATURE:
            return None
        file.seek(0)
        found = png_chunks.split(file.read())
    with Image.open(io.BytesIO(found.pixels), formats=["PNG"]) as image:
        _check_size(path, image.width, image.height)
        if found.pixels[24] == 16:  # the bit depth in the header, which is always first
            document = Document(_deep_pixels(path, found.pixels))
        else:
            document = _read_plain(image)
    exif = exif_of(found.exif)
    orientation = orientation_of(exif, found.xmp)
    exif_bytes, xmp = upright(exif, found.xmp, orientation)
    return Document(
        _upright(document.pixels, orientation),
        found.icc,
        exif_bytes,
        Metadata(xmp=xmp, dpi=found.dpi, texts=tuple(found.texts), png_color=tuple(found.color)),
        tuple(found.notes),
    )


def _read_other(path: Path) -> Document:
    """Read a JPEG or WebP file."""
    with Image.open(path, formats=["JPEG", "WEBP"]) as image:
        _check_size(path, image.width, image.height)
        document = _read_plain(image)
        info = image.info
        exif = exif_of(info.get("exif") or b"")
    found: Any = info.get("xmp") or b""
    orientation = orientation_of(exif, found)
    dpi = usable_dpi(info["dpi"]) if "dpi" in info else dpi_of(exif)
    comment = info.get("comment")
    texts = (("Comment", comment.decode("utf-8", "replace")),) if comment else ()
    packed_exif, xmp = upright(exif, found, orientation)
    return replace(
        document,
        pixels=_upright(document.pixels, orientation),
        exif=packed_exif,
        beside=Metadata(xmp=xmp, dpi=dpi, texts=texts),
    )


def _check_size(path: Path, width: int, height: int) -> None:
    if width * height > MAX_PIXELS:
        raise UnusableImageError(
            f"{path} is too large: {width} x {height} px; an image may have at most "
            f"{MAX_PIXELS} pixels"
        )


def _read_plain(image: Image.Image) -> Document:
    """Read an 8-bit image with Pillow."""
    icc = image.info.get("icc_profile") or b""
    notes: tuple[str, ...] = ()
    if image.mode == "CMYK":
        image, note = profiles.rgb_from_cmyk(image, icc)
        icc, notes = b"", (note,) if note else ()
    elif image.mode == "LAB":  # Pillow converts it to sRGB
        image, icc = image.convert("RGB"), b""
    elif "transparency" in image.info:
        image = image.convert("LA" if image.mode in ("1", "L") else "RGBA")
    elif image.mode not in ("L", "LA", "RGB", "RGBA"):
        simple = {"1": "L", "La": "LA", "RGBa": "RGBA", "PA": "RGBA"}
        image = image.convert(simple.get(image.mode, "RGB"))
    pixels = np.asarray(image)
    return Document(pixels if pixels.ndim == 3 else pixels[..., None], icc, notes=notes)


def _deep_pixels(path: Path, data: bytes) -> Pixels:
    """Return the pixels of a 16-bit PNG."""
    import imagecodecs

    pixels: Pixels = imagecodecs.png_decode(data)
    return _checked_depth(path, pixels if pixels.ndim == 3 else pixels[..., None])


def _with_fitting_profile(document: Document) -> Document:
    """Return the document, without its profile if that does not fit its pixels."""
    if not document.icc:
        return document
    colors = document.pixels.shape[2] - document.has_alpha
    icc, note = profiles.fitting(document.icc, profiles.RGB if colors == 3 else profiles.GRAY)
    return replace(document, icc=icc, notes=(*document.notes, note) if note else document.notes)


def _checked_depth(path: Path, pixels: Pixels) -> Pixels:
    if pixels.dtype.kind == "f":
        pixels = pixels.astype(np.float32)
    if pixels.dtype not in (np.uint8, np.uint16, np.float32) or not 1 <= pixels.shape[2] <= 4:
        raise UnusableImageError(
            f"{path}: {pixels.shape[2]} channels of {pixels.dtype} are not supported; convert it "
            "to gray or RGB with 8 or 16 bits or float"
        )
    return pixels


def _upright(pixels: Pixels, orientation: int) -> Pixels:
    """Turn an image upright; orientations are EXIF's 1..8."""
    if orientation in (5, 6, 7, 8):
        pixels = pixels.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    return np.ascontiguousarray(pixels)


def _image(document: Document) -> Image.Image:
    planes = document.pixels
    return Image.fromarray(planes[..., 0] if planes.shape[2] == 1 else planes)


def _write_png(path: Path, document: Document) -> tuple[str, ...]:
    planes, beside = document.pixels, document.beside
    if planes.dtype == np.uint16:
        import imagecodecs

        plain = bytes(imagecodecs.png_encode(planes[..., 0] if planes.shape[2] == 1 else planes, 4))
    else:
        file = io.BytesIO()
        _image(document).save(file, "PNG", compress_level=4)
        plain = file.getvalue()
    path.write_bytes(
        png_chunks.joined(
            plain,
            icc=document.icc,
            exif=document.exif.removeprefix(EXIF_PREFIX),
            xmp=beside.xmp,
            dpi=beside.dpi,
            texts=beside.texts,
            color=beside.png_color,
        )
    )
    return ()


def _write_jpeg(path: Path, document: Document) -> tuple[str, ...]:
    beside, notes = document.beside, []
    texts = dict(beside.texts)
    comment = texts.pop("Comment", "").encode("utf-8")
    if len(comment) > JPEG_SEGMENT:
        notes.append(_left_out("the comment", comment))
        comment = b""
    whole = with_texts(document.exif, texts.items())
    exif = fitted(whole, JPEG_SEGMENT)
    if exif != whole:
        notes.append(_left_out("all EXIF" if not exif else "some EXIF", whole))
    xmp, icc = beside.xmp, document.icc
    if len(xmp) > JPEG_XMP:
        notes.append(_left_out("XMP", xmp))
        xmp = b""
    if len(icc) > JPEG_ICC:
        notes.append(_left_out("the color profile", icc))
        icc = b""
    more: dict[str, Any] = {"xmp": xmp} if xmp else {}
    if beside.dpi:
        more["dpi"] = tuple(min(max(round(value), 1), 65535) for value in beside.dpi)
    file = io.BytesIO()  # Pillow itself does not report a full disk
    _image(document).save(file, "JPEG", quality=JPEG_QUALITY, subsampling=0, icc_profile=icc,
                          exif=exif, comment=comment, **more)  # fmt: skip
    path.write_bytes(file.getvalue())
    return tuple(notes)


def _left_out(what: str, data: bytes) -> str:
    return (
        f"{what} ({len(data) >> 10} KiB) was not written, because it is too large for JPEG; use "
        "--format png to keep it"
    )


def _write_webp(path: Path, document: Document) -> tuple[str, ...]:
    beside = document.beside
    exif = with_texts(with_resolution(document.exif, beside.dpi), beside.texts)
    _image(document).save(path, "WEBP", lossless=True, icc_profile=document.icc, exif=exif,
                          xmp=beside.xmp)  # fmt: skip
    return ()


def _write_tiff(path: Path, document: Document) -> tuple[str, ...]:
    write_tiff(path, document.pixels, document.icc, document.exif, document.beside)
    return ()
