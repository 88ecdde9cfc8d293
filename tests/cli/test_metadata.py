"""Metadata survives, for every pair of formats, as docs/guide/command-line.md says."""

from __future__ import annotations

import io
import struct
import zlib
from dataclasses import replace
from pathlib import Path

import imagecodecs
import numpy as np
import pytest
import tifffile
from imagecodecs import cms_profile
from inpaint_cli.images import Document, UnusableImageError, read_document, write_document
from inpaint_cli.metadata import exif_of
from inpaint_cli.png_chunks import LARGEST, chunk, split
from PIL import ExifTags, Image, ImageCms, PngImagePlugin
from PIL.TiffImagePlugin import IFDRational

ICC = cms_profile("adobergb")
XMP = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><a tiff:Orientation="6"/></x:xmpmeta>'
UPRIGHT_XMP = XMP.replace(b'"6"', b'"1"')
DETAILS, GPS = ExifTags.IFD.Exif, ExifTags.IFD.GPSInfo
TAKEN = "2020:02:03 04:05:06"


def exif(orientation: int = 6) -> Image.Exif:
    entries = Image.Exif()
    entries[0x010E] = "described"
    entries[0x0110] = "camera"
    entries[0x0112] = orientation
    entries.get_ifd(DETAILS).update(
        {0x9003: TAKEN, 0xA002: 24, 0xA003: 16, 0x829A: IFDRational(1, 125)}
    )
    entries.get_ifd(GPS).update({1: "N", 2: (52.0, 30.0, 15.5)})
    return entries


def turned(channels: int = 3) -> np.ndarray:
    """An image that a camera has turned: 24 x 16 px, upright 16 x 24."""
    y, x = np.mgrid[:16, :24]
    planes = [x * 9, y * 12, (x + y) * 5, 255 - x * 4]
    return np.stack(planes[:channels], axis=2).astype(np.uint8)


def with_everything(path: Path) -> Path:
    """A file by Pillow (or tifffile) with all that its format holds."""
    image = Image.fromarray(turned())
    if path.suffix == ".png":
        texts = PngImagePlugin.PngInfo()
        texts.add_text("Author", "somebody")
        texts.add_itxt("parameters", "a portrait, ü, seed 7")
        texts.add_itxt("XML:com.adobe.xmp", XMP.decode())
        image.save(path, exif=exif(), icc_profile=ICC, dpi=(300, 300), pnginfo=texts)
    elif path.suffix == ".jpg":
        image.save(path, exif=exif(), icc_profile=ICC, dpi=(300, 300), xmp=XMP, comment=b"a note",
                   quality=100, subsampling=0)  # fmt: skip
    elif path.suffix == ".webp":
        entries = exif()
        entries[0x011A] = entries[0x011B] = 300.0
        entries[0x0128] = 2
        image.save(path, exif=entries, icc_profile=ICC, xmp=XMP, lossless=True)
    else:
        entries = exif()
        entries[700] = XMP
        for group in (DETAILS, GPS):
            entries[group] = dict(entries.get_ifd(group))
        image.save(path, exif=entries, icc_profile=ICC, dpi=(300, 300))
    return path


FORMATS = [".png", ".jpg", ".tif", ".webp"]


@pytest.mark.parametrize("target", FORMATS)
@pytest.mark.parametrize("source", FORMATS)
def test_every_pair_of_formats_keeps_what_the_file_had(
    tmp_path: Path, source: str, target: str
) -> None:
    read = read_document(with_everything(tmp_path / f"in{source}"))
    assert (read.width, read.height) == (16, 24)
    out = tmp_path / f"out{target}"
    assert write_document(out, read) == ()

    again = read_document(out)
    if target != ".jpg":
        assert (again.pixels == read.pixels).all()
    assert again.icc == ICC
    assert again.beside.xmp == UPRIGHT_XMP
    assert again.beside.dpi == pytest.approx((300, 300), abs=0.02)
    entries = exif_of(again.exif)
    assert (entries[0x010E], entries[0x0110]) == ("described", "camera")
    assert entries.get(0x0112, 1) == 1
    details = entries.get_ifd(DETAILS)
    assert (details[0x9003], details[0xA002], details[0xA003]) == (TAKEN, 16, 24)
    assert float(details[0x829A]) == pytest.approx(1 / 125)
    assert entries.get_ifd(GPS)[2] == (52.0, 30.0, 15.5)
    if source == ".png":
        if target == ".png":
            texts = {"Author": "somebody", "parameters": "a portrait, ü, seed 7"}
            assert dict(again.beside.texts) == texts
        else:
            assert entries[0x013B] == "somebody"
            note = details[0x9286]
            assert note.startswith(b"UNICODE\0")
            assert note[8:].decode("utf-16-le") == "parameters: a portrait, ü, seed 7"
    if source == ".jpg":
        if target in (".png", ".jpg"):
            assert dict(again.beside.texts) == {"Comment": "a note"}
        else:
            assert details[0x9286][8:].decode("utf-16-le") == "Comment: a note"

    with Image.open(out) as seen:  # by another program
        seen.load()
        assert seen.info["icc_profile"] == ICC
        assert seen.getexif()[0x0110] == "camera"
        assert seen.getexif().get_ifd(DETAILS)[0x9003] == TAKEN
        if target != ".webp":
            assert float(seen.info["dpi"][0]) == pytest.approx(300, abs=0.02)


@pytest.mark.parametrize("target", [".png", ".tif", ".webp"])
@pytest.mark.parametrize("depth", ["uint8", "uint16"])
@pytest.mark.parametrize("channels", [2, 4])
def test_transparency_and_depth_are_kept_where_the_format_can(
    tmp_path: Path, target: str, depth: str, channels: int
) -> None:
    pixels = turned(channels).astype(depth)
    pixels[..., -1] = np.iinfo(depth).max
    pixels[3:5, 3:9, -1] = 7
    out = tmp_path / f"out{target}"
    if target == ".webp" and depth == "uint16":
        with pytest.raises(UnusableImageError, match="cannot store uint16"):
            write_document(out, Document(pixels))
        return
    write_document(out, Document(pixels))
    again = read_document(out).pixels
    assert again.dtype == pixels.dtype
    assert (again[..., -1] == pixels[..., -1]).all()


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB"])
def test_the_transparent_color_of_a_png(tmp_path: Path, mode: str) -> None:
    image = Image.fromarray(turned()).convert(mode)
    clear = image.getpixel((0, 0))
    path = tmp_path / "clear.png"
    image.save(path, transparency=1 if mode == "1" and clear else clear)
    read = read_document(path)
    assert read.has_alpha
    expected = np.asarray(image.convert("RGB")) == image.convert("RGB").getpixel((0, 0))
    if mode != "P":  # where several numbers of a palette may have one color
        assert ((read.pixels[..., -1] == 0) == expected.all(axis=2)).all()
    assert read.pixels[0, 0, -1] == 0
    write_document(tmp_path / "again.png", read)
    assert (read_document(tmp_path / "again.png").pixels == read.pixels).all()


@pytest.mark.parametrize("channels", [1, 3])
def test_the_transparent_color_of_a_deep_png(tmp_path: Path, channels: int) -> None:
    pixels = np.full((4, 5, channels), 1000, np.uint16)
    pixels[1, 2] = 257
    plain = bytes(imagecodecs.png_encode(pixels[..., 0] if channels == 1 else pixels))
    clear = chunk(b"tRNS", struct.pack(f">{channels}H", *[257] * channels))
    path = tmp_path / "deep.png"
    path.write_bytes(plain[:33] + clear + plain[33:])
    read = read_document(path).pixels
    assert (read[..., :-1] == pixels).all()
    assert (read[..., -1] == 0).sum() == 1
    assert read[1, 2, -1] == 0


def packed(name: bytes, size: int) -> bytes:
    """A chunk that unpacks to so many bytes."""
    data = zlib.compress(bytes(size) if name == b"iCCP" else b"0" * size)
    heads = {b"zTXt": b"note\0\0", b"iTXt": b"note\0\1\0\0\0", b"iCCP": b"name\0\0"}
    return chunk(name, heads[name] + data)


@pytest.mark.parametrize("name", [b"zTXt", b"iTXt", b"iCCP"])
@pytest.mark.parametrize("size", [2 << 20, LARGEST + 1, 200 << 20])
def test_chunks_that_unpack_to_much_are_read_within_bounds(
    tmp_path: Path, name: bytes, size: int
) -> None:
    file = io.BytesIO()
    Image.fromarray(turned()).save(file, "PNG")
    plain, path = file.getvalue(), tmp_path / "packed.png"
    path.write_bytes(plain[:33] + packed(name, size) + plain[33:])
    read = read_document(path)
    assert (read.pixels == turned()).all()
    is_small = size < LARGEST
    if name == b"iCCP":
        assert read.icc == b"", "zeros are no profile"
        assert ("damaged" if is_small else "unpacks to more than 16 MiB") in read.notes[0]
    elif is_small:
        assert read.beside.texts == (("note", "0" * size),)
        write_document(tmp_path / "again.png", read)
        with Image.open(tmp_path / "again.png") as image:  # which other programs can read
            image.load()
            assert image.info["note"] == "0" * size
    else:
        assert read.beside.texts == ()
        assert "unpacks to more than 16 MiB" in read.notes[0]


def test_many_texts_share_one_bound(tmp_path: Path) -> None:
    file = io.BytesIO()
    Image.fromarray(turned()).save(file, "PNG")
    plain = file.getvalue()
    found = split(plain[:33] + packed(b"zTXt", 15 << 20) * 9 + plain[33:])
    assert len(found.texts) == 4
    assert len(found.notes) == 5


def test_metadata_that_jpeg_cannot_store_is_reported(tmp_path: Path) -> None:
    entries = exif()
    entries.get_ifd(DETAILS)[0x927C] = bytes(100_000)  # a maker's note
    document = Document(turned(), ICC, entries.tobytes())
    path = tmp_path / "out.jpg"
    (note,) = write_document(path, document)
    assert "some EXIF" in note
    assert "--format png to keep it" in note
    assert exif_of(read_document(path).exif).get_ifd(DETAILS)[0x9003] == TAKEN
    beside = replace(document.beside, xmp=bytes(70_000), texts=(("Comment", "x" * 70_000),))
    notes = write_document(path, replace(document, exif=b"", beside=beside))
    assert [note.partition(" (")[0] for note in notes] == ["the comment", "XMP"]
    assert (read_document(path).width, read_document(path).icc) == (24, ICC)
    large = ICC + bytes(17 << 20)
    assert "the color profile" in write_document(path, Document(turned(), large))[0]
    for target in (".png", ".tif", ".webp"):
        assert write_document(tmp_path / f"out{target}", document) == ()
        kept = exif_of(read_document(tmp_path / f"out{target}").exif)
        assert len(kept.get_ifd(DETAILS)[0x927C]) == 100_000


@pytest.mark.parametrize("target", FORMATS)
def test_damaged_exif_is_no_reason_to_refuse(tmp_path: Path, target: str) -> None:
    source = tmp_path / "in.jpg"
    Image.fromarray(turned()).save(source, exif=b"Exif\0\0MM\0*\0\0\0\x08\xff\xff" + bytes(40))
    read = read_document(source)
    assert (read.width, read.height) == (24, 16)
    write_document(tmp_path / f"out{target}", read)
    assert read_document(tmp_path / f"out{target}").width == 24


def test_gamma_and_primaries_of_a_png_are_kept(tmp_path: Path) -> None:
    file = io.BytesIO()
    Image.fromarray(turned()).save(file, "PNG")
    plain, gamma = file.getvalue(), chunk(b"gAMA", struct.pack(">I", 100000))
    (tmp_path / "in.png").write_bytes(plain[:33] + gamma + plain[33:])
    write_document(tmp_path / "out.png", read_document(tmp_path / "in.png"))
    assert gamma in (tmp_path / "out.png").read_bytes()


# Profiles --------------------------------------------------------------------------------------


def profile_of(space: bytes) -> bytes:
    data = bytearray(ICC)
    data[16:20] = space
    return bytes(data)


GRAY = cms_profile("gray", gamma=2.2)
LAB = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()


@pytest.mark.parametrize("target", [".png", ".jpg", ".tif", ".webp"])
@pytest.mark.parametrize(
    ("icc", "note"),
    [
        (GRAY, "for GRAY, the pixels are RGB"),
        (profile_of(b"CMYK"), "for CMYK, the pixels are RGB"),
        (LAB, "for Lab, the pixels are RGB"),
        (profile_of(b"\0\xff<>"), "for something else"),
        (ICC[:200], "damaged"),
        (ICC[:60], "damaged"),
        (b"x" * 3000, "damaged"),
    ],
    # Names of their own: a profile holds the time when it was made, another one in each worker.
    ids=["gray", "cmyk", "lab", "unknown", "cut", "cut in the header", "no profile"],
)
def test_a_profile_that_does_not_fit_is_ignored_with_one_line(
    tmp_path: Path, target: str, icc: bytes, note: str
) -> None:
    path = tmp_path / f"in{target}"
    write_document(path, Document(turned(), icc))
    read = read_document(path)
    assert read.icc == b""
    assert len(read.notes) == 1
    assert note in read.notes[0]
    assert "ignored" in read.notes[0]


@pytest.mark.parametrize("icc", [ICC, GRAY, LAB, ICC[:200], b"x" * 3000, profile_of(b"CMYK")])
@pytest.mark.parametrize("extension", [".jpg", ".tif"])
def test_cmyk_with_any_profile_becomes_srgb(tmp_path: Path, extension: str, icc: bytes) -> None:
    path = tmp_path / f"in{extension}"
    Image.fromarray(turned()).convert("CMYK").save(path, icc_profile=icc)
    read = read_document(path)
    assert read.pixels.shape == (16, 24, 3)
    assert read.icc == b""
    assert len(read.notes) == 1
    assert "ignored" in read.notes[0]
    assert np.abs(read.pixels.astype(int) - turned()).mean() < 12


def test_a_lab_tiff_becomes_srgb_and_leaves_its_profile(tmp_path: Path) -> None:
    path = tmp_path / "lab.tif"
    srgb, lab = ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB")
    image = ImageCms.profileToProfile(Image.fromarray(turned()), srgb, lab, outputMode="LAB")
    assert image is not None
    image.save(path, icc_profile=LAB)
    read = read_document(path)
    assert read.icc == b""
    assert np.abs(read.pixels.astype(int) - turned()).mean() < 4


@pytest.mark.parametrize("bits", [2, 4, 12])
def test_tiffs_of_other_depths_are_not_dark(tmp_path: Path, bits: int) -> None:
    values = np.arange(64).reshape(8, 8) * (2**bits - 1) // 63
    deep = values.astype(np.uint8 if bits < 8 else np.uint16)
    path = tmp_path / "in.tif"
    tifffile.imwrite(path, deep, photometric="minisblack")
    packed_bits = imagecodecs.packints_encode(deep, bits)
    with tifffile.TiffFile(path) as tiff:
        tags = tiff.pages.first.tags
        places = {code: tags[code].valueoffset for code in (258, 273, 279)}
    data = bytearray(path.read_bytes())
    struct.pack_into("<H", data, places[258], bits)
    struct.pack_into("<I", data, places[273], len(data))
    struct.pack_into("<I", data, places[279], len(packed_bits))
    path.write_bytes(bytes(data) + packed_bits)
    read = read_document(path)
    white = np.iinfo(read.pixels.dtype).max
    assert (read.pixels.min(), read.pixels.max()) == (0, white)


@pytest.mark.parametrize("dtype", ["uint32", "int16", "complex64"])
def test_depths_that_are_not_supported_are_named(tmp_path: Path, dtype: str) -> None:
    path = tmp_path / "in.tif"
    tifffile.imwrite(path, np.ones((5, 6), dtype), photometric="minisblack")
    with pytest.raises(UnusableImageError, match=f"1 channels of {dtype} are not supported"):
        read_document(path)
