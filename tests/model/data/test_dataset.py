"""Reading image sets."""

from __future__ import annotations

import io
import logging
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from inpaint_model.data.dataset import load_images, square
from PIL import Image


def image(width: int, height: int, seed: int = 0, mode: str = "RGB") -> Image.Image:
    channels = len(Image.new(mode, (1, 1)).getbands())
    shape = (height, width, channels) if channels > 1 else (height, width)
    pixels = np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)
    return Image.fromarray(pixels, mode=None) if channels > 1 else Image.fromarray(pixels)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "images"
    (root / "train").mkdir(parents=True)
    (root / "val").mkdir()
    for number, name in enumerate(["train/b.png", "train/a.png", "val/c.webp", "val/d.png"]):
        image(40 + number, 32, number).save(root / name, lossless=True)
    (root / "train" / "notes.txt").write_text("not an image")
    return root


@pytest.fixture
def archive(folder: Path) -> Path:
    path = folder.parent / "images.zip"
    with zipfile.ZipFile(path, "w") as file:
        for member in folder.rglob("*.*"):
            file.write(member, member.relative_to(folder).as_posix())
    return path


def test_a_folder_and_its_zip_hold_the_same_images(folder: Path, archive: Path) -> None:
    from_folder, from_zip = load_images(folder, 16), load_images(archive, 16)
    assert from_folder.names == ("train/a.png", "train/b.png", "val/c.webp", "val/d.png")
    assert from_zip.names == from_folder.names
    assert from_folder.pixels.shape == (4, 3, 16, 16)
    assert from_folder.pixels.dtype == torch.uint8
    assert torch.equal(from_zip.pixels, from_folder.pixels)


def test_a_prefix_names_a_folder_inside(folder: Path, archive: Path) -> None:
    for source in (f"{archive}:train", f"{archive}:train/", f"{folder}:train"):
        assert load_images(source, 8).names == ("train/a.png", "train/b.png")
    assert load_images(f"{archive}:train", 8, limit=1).names == ("train/a.png",)


def test_a_part_can_be_spread_over_the_set(folder: Path) -> None:
    spread = load_images(folder, 8, limit=2, spread=True)
    assert spread.names == ("train/a.png", "val/c.webp")
    assert load_images(folder, 8, limit=9, spread=True).names == load_images(folder, 8).names


@pytest.fixture
def more(folder: Path) -> Path:
    """A second folder, whose names sort between those of the first."""
    root = folder.parent / "more"
    (root / "train").mkdir(parents=True)
    image(32, 32, 10).save(root / "train" / "aa.png")
    image(32, 32, 11).save(root / "train" / "c.png")
    return root


def test_several_sources_become_one_set_in_the_order_of_names(
    folder: Path, archive: Path, more: Path
) -> None:
    both = load_images([f"{archive}:train", more], 16)
    assert both.names == ("train/a.png", "train/aa.png", "train/b.png", "train/c.png")
    for source in (f"{folder}:train", more):
        alone = load_images(source, 16)
        found = torch.tensor([both.names.index(name) for name in alone.names])
        assert torch.equal(both.pixels[found], alone.pixels)
    swapped = load_images([more, f"{archive}:train"], 16)
    assert swapped.names == both.names
    assert torch.equal(swapped.pixels, both.pixels)
    parts = load_images([f"{archive}:train", f"{archive}:val"], 16)
    assert parts.names == load_images(archive, 16).names


def test_a_limit_holds_over_all_sources(folder: Path, more: Path) -> None:
    sources: list[str | Path] = [f"{folder}:train", more]
    assert load_images(sources, 8, limit=2).names == ("train/a.png", "train/aa.png")
    spread = load_images(sources, 8, limit=2, spread=True)
    assert spread.names == ("train/a.png", "train/b.png")


def test_a_name_in_two_sources_is_refused(folder: Path, archive: Path, more: Path) -> None:
    with pytest.raises(ValueError, match=r"both contain .* and 3 more such names; rename"):
        load_images([folder, archive], 8)
    image(8, 8).save(more / "train" / "a.png")
    with pytest.raises(ValueError, match=r"images and .*more both contain train/a\.png; rename"):
        load_images([folder, more], 8)


def test_replacements_change_pixels_and_nothing_else(
    folder: Path, more: Path, tmp_path: Path
) -> None:
    sharper = tmp_path / "sharper"
    (sharper / "train").mkdir(parents=True)
    for number, name in enumerate(["a.png", "c.png", "elsewhere.png"]):
        image(64, 64, 20 + number).save(sharper / "train" / name)
    sources: list[str | Path] = [f"{folder}:train", more]
    before = load_images(sources, 48)
    after = load_images(sources, 48, replacements=sharper)
    assert after.names == before.names
    assert (before.replaced, after.replaced) == (0, 2)
    assert (before.enlarged, after.enlarged) == (4, 2)  # counted on the copies
    changed = (after.pixels != before.pixels).flatten(1).any(dim=1)
    assert changed.tolist() == [True, False, False, True]
    copies = load_images(sharper, 48)
    assert torch.equal(after.pixels[changed], copies.pixels[:2])
    assert load_images(sources, 48, replacements=sharper, limit=2).replaced == 1
    with pytest.raises(ValueError, match=r"no image in .*sharper matches .* val/c\.webp"):
        load_images(f"{folder}:val", 8, replacements=sharper)


def test_images_of_the_right_size_keep_their_bytes(tmp_path: Path) -> None:
    original = image(32, 32)
    original.save(tmp_path / "a.png")
    loaded = load_images(tmp_path, 32)
    assert np.array_equal(loaded.pixels[0].permute(1, 2, 0).numpy(), np.asarray(original))
    assert loaded.enlarged == 0
    assert load_images(tmp_path, 33).enlarged == 1


def test_the_crop_is_centered_and_the_colors_stay() -> None:
    pixels = np.zeros((60, 100, 3), np.uint8)
    pixels[:, 20:80] = (200, 100, 50)  # exactly the centered square
    assert (
        np.asarray(square(Image.fromarray(pixels), 16)).reshape(-1, 3).tolist()
        == [[200, 100, 50]] * 256
    )


@pytest.mark.parametrize("mode", ["L", "RGBA", "1", "P", "CMYK", "LA"])
def test_every_mode_becomes_rgb(mode: str, tmp_path: Path) -> None:
    image(20, 20).convert(mode).save(tmp_path / "x.tiff")
    assert load_images(tmp_path, 8).pixels.shape == (1, 3, 8, 8)


def test_sixteen_bit_gray_keeps_its_brightness(tmp_path: Path) -> None:
    Image.fromarray(np.full((8, 8), 32896, np.uint16)).save(tmp_path / "x.png")
    assert load_images(tmp_path, 8).pixels.unique().tolist() == [128]


def test_the_camera_s_rotation_is_respected(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 3  # upside down
    original = image(16, 16)
    original.save(tmp_path / "x.png", exif=exif)
    loaded = load_images(tmp_path, 16).pixels[0].permute(1, 2, 0).numpy()
    assert np.array_equal(loaded, np.asarray(original)[::-1, ::-1])


def test_unreadable_images_are_named_and_skipped(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (folder / "train" / "broken.png").write_bytes(b"no image")
    whole = (folder / "train" / "a.png").read_bytes()
    (folder / "train" / "half.png").write_bytes(whole[: len(whole) // 2])
    with caplog.at_level(logging.WARNING):
        loaded = load_images(folder, 16)
    assert loaded.skipped == ("train/broken.png", "train/half.png")
    assert len(loaded) == 4
    assert "train/broken.png" in caplog.text
    assert "2 of 6 images could not be read" in caplog.text


def test_bad_sources_are_refused_with_a_reason(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "x.png").write_bytes(b"no")
    (tmp_path / "no.zip").write_bytes(b"no zip")
    cases: list[tuple[str | Path, str]] = [
        (tmp_path / "empty", "no images in"),
        (f"{folder}:nowhere", "no images in"),
        (tmp_path / "nowhere", "does not exist"),
        (tmp_path / "broken", "none of the 1 images"),
        (tmp_path / "no.zip", "neither a folder nor a zip"),
    ]
    for source, message in cases:
        with pytest.raises(ValueError, match=message):
            load_images(source, 16)
    with pytest.raises(ValueError, match=r"no images in .*empty"):
        load_images([folder, tmp_path / "empty"], 16)
    for resolution, limit in ((0, None), (8, 0)):
        with pytest.raises(ValueError, match="positive"):
            load_images(folder, resolution, limit=limit)
    with pytest.raises(ValueError, match="no image source is given"):
        load_images([], 8)


def test_the_cache_returns_the_same_and_notices_changes(folder: Path, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    (folder / "broken.png").write_bytes(b"no image")
    first = load_images(folder, 16, cache=cache)
    again = load_images(folder, 16, cache=cache)
    assert len(list(cache.iterdir())) == 1
    assert torch.equal(first.pixels, again.pixels)
    assert (first.names, first.skipped) == (again.names, again.skipped)
    image(64, 64, seed=9).save(folder / "train" / "a.png")
    changed = load_images(folder, 16, cache=cache)
    assert not torch.equal(changed.pixels, first.pixels)


def test_one_cache_entry_holds_all_sources(
    folder: Path, archive: Path, more: Path, tmp_path: Path
) -> None:
    cache = tmp_path / "cache"
    sources: list[str | Path] = [f"{archive}:train", more]
    first = load_images(sources, 16, replacements=folder, cache=cache)
    again = load_images(sources[::-1], 16, replacements=folder, cache=cache)
    assert len(list(cache.iterdir())) == 1
    assert (again.names, again.replaced) == (first.names, first.replaced) == (first.names, 2)
    assert torch.equal(first.pixels, again.pixels)
    load_images(sources, 16, cache=cache)
    assert len(list(cache.iterdir())) == 2  # replacements are part of the key
    image(32, 32, seed=9).save(folder / "train" / "a.png")
    changed = load_images(sources, 16, replacements=folder, cache=cache)
    assert (changed.pixels != first.pixels).flatten(1).any(dim=1).tolist() == [True, *[False] * 3]


def test_batches_are_in_minus_one_to_one_and_mirrored_on_demand(folder: Path) -> None:
    images = load_images(folder, 8)
    batch = images.batch(torch.tensor([1, 1]), torch.tensor([False, True]))
    assert torch.equal(batch[0], images.pixels[1].float() / 127.5 - 1)
    assert torch.equal(batch[1], batch[0].flip(2))
    assert batch.min() >= -1
    assert batch.max() <= 1


def test_entries_of_a_zip_that_cannot_be_read_are_skipped_and_named(tmp_path: Path) -> None:
    """One is damaged, one encrypted, and one packed by Deflate64, which Python cannot read."""
    path = tmp_path / "images.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name in ("damaged.png", "encrypted.png", "packed.png", "whole.png"):
            data = io.BytesIO()
            image(20, 20).save(data, "PNG")
            file.writestr(name, data.getvalue())
        entries = {entry.filename: entry for entry in file.infolist()}
    changed = bytearray(path.read_bytes())
    start = entries["damaged.png"].header_offset + 30 + len("damaged.png")
    changed[start + 20 : start + 60] = bytes(40)
    for name, place, value in (("encrypted.png", 6, 1), ("packed.png", 8, 9)):
        changed[entries[name].header_offset + place] = value
        directory = changed.rindex(name.encode()) - 46
        changed[directory + place + 2] = value
    path.write_bytes(changed)
    read = load_images(path, 16)
    assert read.names == ("whole.png",)
    assert read.skipped == ("damaged.png", "encrypted.png", "packed.png")


@pytest.mark.parametrize("white", [1.0, 255.0, 65535.0])
def test_a_float_tiff_keeps_its_brightness(tmp_path: Path, white: float) -> None:
    values = np.linspace(0, white, 256, dtype=np.float32).reshape(16, 16)
    Image.fromarray(values).save(tmp_path / "float.tif")
    pixels = load_images(tmp_path, 16).pixels[0, 0].numpy().astype(int)
    assert np.abs(pixels - np.arange(256).reshape(16, 16)).max() <= 1
