"""Picture files in and out, at the depth they have.

Pillow reads 8-bit pictures and all metadata; 16-bit PNG goes through imagecodecs and TIFF through
tifffile, because Pillow reduces 16-bit colour to 8 bits without a word (docs/decisions/0012).
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from inpaint_model.document.color import quantise, unit_values
from PIL import Image, ImageCms

Pixels = npt.NDArray[Any]

EXTENSIONS = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".tif": "TIFF", ".tiff": "TIFF",
              ".webp": "WEBP"}  # fmt: skip
FORMATS = {"png": ".png", "jpeg": ".jpg", "tiff": ".tif", "webp": ".webp"}
MAX_PIXELS = 1 << 30
ORIENTATION = 0x0112  # EXIF tag
JPEG_QUALITY = 95

_UNREADABLE = (  # what the decoders raise on damaged files
    OSError, ValueError, SyntaxError, RuntimeError, KeyError, IndexError, TypeError, EOFError,
    ZeroDivisionError, MemoryError, struct.error,
)  # fmt: skip

Image.MAX_IMAGE_PIXELS = MAX_PIXELS  # artists have larger pictures than Pillow expects


class UnusableImageError(Exception):
    """A file that cannot be read or written; the message names it and the reason."""


@dataclass(frozen=True)
class Document:
    """A picture, upright, with what must survive beside its pixels."""

    pixels: Pixels  # [H, W, C]: uint8, uint16 or float32; C: 1 gray, 2 gray + alpha, 3, 4
    icc: bytes = b""  # empty: sRGB (float pictures: linear light with sRGB's primaries)
    exif: bytes = b""  # says that it is upright

    @property
    def width(self) -> int:
        """Columns of the picture."""
        return int(self.pixels.shape[1])

    @property
    def height(self) -> int:
        """Rows of the picture."""
        return int(self.pixels.shape[0])

    @property
    def has_alpha(self) -> bool:
        """Whether the last channel is alpha."""
        return self.pixels.shape[2] in (2, 4)


def read_document(path: Path) -> Document:
    """Read PNG, JPEG, TIFF or WebP. Raises UnusableImageError."""
    try:
        return _read_tiff(path) or _read_other(path)
    except UnusableImageError:
        raise
    except FileNotFoundError:
        raise UnusableImageError(f"{path}: there is no such file") from None
    except (*_UNREADABLE, Image.DecompressionBombError) as error:
        reason = str(error).partition("\n")[0] or type(error).__name__
        raise UnusableImageError(f"{path} cannot be read: {reason}") from error


def read_mask(path: Path, width: int, height: int) -> npt.NDArray[np.uint8]:
    """Coverage [H, W] from a picture of the same size: white (times alpha) is the hole."""
    document = read_document(path)
    if (document.width, document.height) != (width, height):
        raise UnusableImageError(
            f"the mask {path} is {document.width} x {document.height} px and the picture "
            f"{width} x {height}; they must have the same size"
        )
    values = unit_values(document.pixels)
    alpha = values[..., -1] if document.has_alpha else np.float32(1)
    colour = values[..., :-1] if document.has_alpha else values
    shown = colour.mean(axis=2).clip(0, 1) * alpha
    coverage: npt.NDArray[np.uint8] = np.rint(shown * 255).astype(np.uint8)
    if not coverage.any():
        raise UnusableImageError(f"the mask {path} is empty: white marks what to fill")
    return coverage


def write_document(path: Path, document: Document) -> None:
    """Write in the format of the extension. Raises UnusableImageError if it cannot hold it."""
    kind = EXTENSIONS[path.suffix.lower()]
    try:
        if kind == "TIFF":
            _write_tiff(path, document)
        elif document.pixels.dtype == np.uint8:
            _write_plain(path, document, kind)
        elif kind == "PNG" and document.pixels.dtype == np.uint16:
            path.write_bytes(_deep_png(document))
        else:
            raise UnusableImageError(
                f"{kind} cannot hold {document.pixels.dtype} pixels; use --format tiff"
            )
    except (OSError, ValueError) as error:
        raise UnusableImageError(f"{path} cannot be written: {error}") from error


def extension_for(document: Document, chosen: str | None) -> str:
    """Return the extension of results: PNG unless told otherwise or the depth needs TIFF."""
    if chosen is not None:
        return FORMATS[chosen]
    return ".tif" if document.pixels.dtype == np.float32 else ".png"


# ---------------------------------------------------------------------------------------------


def _read_tiff(path: Path) -> Document | None:
    """A gray or RGB TIFF of any depth; None for other files, and for TIFFs that Pillow reads."""
    with path.open("rb") as file:
        if file.read(4) not in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"):
            return None
    import tifffile

    with tifffile.TiffFile(path) as tiff:
        page = tiff.pages.first
        if page.photometric not in (0, 1, 2) or page.dtype == np.bool_:
            return None
        _check_size(path, page.imagewidth, page.imagelength)
        pixels = page.asarray()
        if page.planarconfig == 2 and pixels.ndim == 3:
            pixels = np.moveaxis(pixels, 0, 2)
        pixels = pixels if pixels.ndim == 3 else pixels[..., None]
        if page.photometric == 0 and pixels.dtype.kind == "u":  # white is 0
            pixels = np.iinfo(pixels.dtype).max - pixels
        if page.extrasamples and page.extrasamples[0] == 1:
            pixels = _straight(pixels)
        orientation = page.tags.valueof(ORIENTATION, 1)
        icc = bytes(page.iccprofile or b"")
    return Document(_upright(_checked_depth(path, pixels), int(orientation)), icc)


def _read_other(path: Path) -> Document:
    with Image.open(path, formats=["PNG", "JPEG", "TIFF", "WEBP"]) as image:
        _check_size(path, image.width, image.height)
        exif = image.getexif()
        orientation = int(exif.get(ORIENTATION, 1))
        document = _read_deep_png(path, image) or _read_plain(image)
        if ORIENTATION in exif:
            exif[ORIENTATION] = 1
        packed = exif.tobytes() if len(exif) and image.format != "TIFF" else b""
    return replace(document, pixels=_upright(document.pixels, orientation), exif=packed)


def _check_size(path: Path, width: int, height: int) -> None:
    if width * height > MAX_PIXELS:
        raise UnusableImageError(f"{path}: {width} x {height} px are too many")


def _read_plain(image: Image.Image) -> Document:
    """Whatever has 8 bits."""
    icc = image.info.get("icc_profile") or b""
    if image.mode == "CMYK":
        return Document(np.asarray(_rgb_from_cmyk(image, icc)))
    if image.mode in ("P", "PA"):
        image = image.convert("RGBA" if "transparency" in image.info else "RGB")
    elif image.mode not in ("L", "LA", "RGB", "RGBA"):
        image = image.convert({"1": "L", "La": "LA", "RGBa": "RGBA"}.get(image.mode, "RGB"))
    pixels = np.asarray(image)
    return Document(pixels if pixels.ndim == 3 else pixels[..., None], icc)


def _rgb_from_cmyk(image: Image.Image, icc: bytes) -> Image.Image:
    """CMYK is filled, and written, as sRGB."""
    if not icc:
        return image.convert("RGB")
    import io

    profile = ImageCms.ImageCmsProfile(io.BytesIO(icc))
    srgb = ImageCms.createProfile("sRGB")
    converted = ImageCms.profileToProfile(image, profile, srgb, outputMode="RGB")
    assert converted is not None
    return converted


def _read_deep_png(path: Path, image: Image.Image) -> Document | None:
    """Return a PNG of 16 bits; None for everything else."""
    if image.format != "PNG":
        return None
    with path.open("rb") as file:
        depth = file.read(25)[24]  # in the header, which is always first
    if depth < 16:
        return None
    import imagecodecs

    pixels: Pixels = imagecodecs.png_decode(path.read_bytes())
    pixels = pixels if pixels.ndim == 3 else pixels[..., None]
    return Document(_checked_depth(path, pixels), image.info.get("icc_profile") or b"")


def _checked_depth(path: Path, pixels: Pixels) -> Pixels:
    if pixels.dtype.kind == "f":
        pixels = pixels.astype(np.float32)
    if pixels.dtype not in (np.uint8, np.uint16, np.float32) or not 1 <= pixels.shape[2] <= 4:
        raise UnusableImageError(
            f"{path}: {pixels.shape[2]} channels of {pixels.dtype} are not supported; convert it "
            "to gray or RGB with 8 or 16 bits or float"
        )
    return pixels


def _straight(pixels: Pixels) -> Pixels:
    """Colours that were multiplied by alpha, divided by it."""
    values = unit_values(pixels)
    values[..., :-1] /= np.maximum(values[..., -1:], 1e-6)
    return quantise(values, pixels.dtype)


def _upright(pixels: Pixels, orientation: int) -> Pixels:
    """Return the picture as a viewer shows it; orientations are EXIF's 1..8."""
    if orientation in (5, 6, 7, 8):
        pixels = pixels.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    return np.ascontiguousarray(pixels)


def _write_plain(path: Path, document: Document, kind: str) -> None:
    planes = document.pixels
    image = Image.fromarray(planes[..., 0] if planes.shape[2] == 1 else planes)
    if kind == "JPEG":
        if document.has_alpha:
            raise UnusableImageError("JPEG cannot hold transparency; use --format png")
        image.save(path, kind, quality=JPEG_QUALITY, subsampling=0,
                   icc_profile=document.icc, exif=document.exif)  # fmt: skip
    elif kind == "WEBP":
        image.save(path, kind, lossless=True, icc_profile=document.icc, exif=document.exif)
    else:
        image.save(path, kind, compress_level=4, icc_profile=document.icc or None,
                   exif=document.exif or None)  # fmt: skip


def _deep_png(document: Document) -> bytes:
    import imagecodecs

    planes = document.pixels
    plain = bytes(imagecodecs.png_encode(planes[..., 0] if planes.shape[2] == 1 else planes, 4))
    header_ends = 8 + 25  # signature and IHDR; what describes the pixels comes after it
    extra = b""
    if document.icc:
        extra += _chunk(b"iCCP", b"ICC profile\0\0" + zlib.compress(document.icc))
    if document.exif:
        extra += _chunk(b"eXIf", document.exif.removeprefix(b"Exif\0\0"))
    return plain[:header_ends] + extra + plain[header_ends:]


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def _write_tiff(path: Path, document: Document) -> None:
    import tifffile

    planes = document.pixels
    gray = planes.shape[2] < 3
    tifffile.imwrite(
        path,
        planes[..., 0] if planes.shape[2] == 1 else planes,
        photometric="minisblack" if gray else "rgb",
        planarconfig="contig" if planes.shape[2] > 1 else None,
        extrasamples=["unassalpha"] if document.has_alpha else None,
        compression="zlib",
        iccprofile=document.icc or None,
        metadata=None,
    )
