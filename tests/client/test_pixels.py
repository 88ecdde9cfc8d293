"""Every function against the loop over pixels that it replaces."""

from __future__ import annotations

import struct
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from inpaint_client import Box, Extent, SampleType, pixels

FORMATS = {SampleType.U8: "<B", SampleType.U16: "<H", SampleType.F16: "<e", SampleType.F32: "<f"}
FULL = {SampleType.U8: 255, SampleType.U16: 65535, SampleType.F16: 1.0, SampleType.F32: 1.0}
COLOR = ["RGBA", "BGRA", "RGB", "BGR"]
sizes = st.integers(1, 9)


def slow_sample(coverage: int, kind: SampleType) -> bytes:
    if kind in (SampleType.U8, SampleType.U16):
        return struct.pack(FORMATS[kind], coverage * FULL[kind] // 255)
    return struct.pack(FORMATS[kind], coverage / 255)


def slow_rearrange(
    data: bytes, source: str, target: str, kind: SampleType, coverage: bytes | None
) -> bytes:
    size = kind.size
    result = b""
    for pixel in range(len(data) // size // len(source)):
        start = pixel * len(source) * size
        values = {
            letter: data[start + i * size : start + (i + 1) * size]
            for i, letter in enumerate(source)
        }
        for letter in target:
            if letter == "A" and coverage is not None:
                result += slow_sample(coverage[pixel], kind)
            elif letter == "A" and "A" not in values:
                result += slow_sample(255, kind)
            else:
                result += values[letter if letter in values else "Y"]
    return result


@st.composite
def rearrangements(draw: st.DrawFn) -> tuple[bytes, str, str, SampleType, bytes | None]:
    source = draw(st.sampled_from([*COLOR, "YA", "Y"]))
    target = draw(st.sampled_from([*COLOR, "YA", "Y"] if "Y" in source else COLOR))
    kind = draw(st.sampled_from(list(SampleType)))
    count = draw(st.integers(0, 12))
    size = count * len(source) * kind.size
    data = draw(st.binary(min_size=size, max_size=size))
    coverage = draw(st.none() | st.binary(min_size=count, max_size=count))
    return data, source, target, kind, coverage


@given(rearrangements())
def test_rearrange(case: tuple[bytes, str, str, SampleType, bytes | None]) -> None:
    assert pixels.rearrange(*case) == slow_rearrange(*case)


def test_color_is_not_made_gray_here() -> None:
    with pytest.raises(ValueError, match="gray"):
        pixels.rearrange(b"\1\2\3", "RGB", "Y")


@pytest.mark.parametrize("kind", list(SampleType))
def test_coverage_spans_the_range(kind: SampleType) -> None:
    encoded = pixels.encode_coverage(bytes(range(256)), kind)
    values = [v for (v,) in struct.iter_unpack(FORMATS[kind], encoded)]
    assert values[0] == 0
    assert values[255] == FULL[kind]
    assert values == sorted(values)
    assert values[51] == pytest.approx(FULL[kind] * 0.2, rel=1e-3)


@given(st.randoms(use_true_random=False), st.data(), sizes, sizes, st.integers(1, 4))
def test_crop_and_paste(
    random: object, data: st.DataObject, width: int, height: int, channels: int
) -> None:
    image = random.randbytes(width * height * channels)  # type: ignore[attr-defined]
    x, y = data.draw(st.integers(0, width - 1)), data.draw(st.integers(0, height - 1))
    box = Box(x, y, data.draw(st.integers(1, width - x)), data.draw(st.integers(1, height - y)))
    extent = Extent(width, height)
    piece = pixels.crop(image, extent, box, channels)
    assert piece == b"".join(
        image[(row * width + column) * channels :][:channels]
        for row in range(box.y, box.bottom)
        for column in range(box.x, box.right)
    )
    blank = bytes(len(image))
    pasted = pixels.paste(blank, extent, piece, box, channels)
    assert pixels.crop(bytes(pasted), extent, box, channels) == piece
    assert pixels.paste(pasted, extent, bytes(len(piece)), box, channels) == blank


@given(st.randoms(use_true_random=False), sizes, st.sampled_from([1, 3, 8, 16]))
def test_select(random: Random, count: int, pixel_bytes: int) -> None:
    covered = bytes(random.choice([0, 0, 1, 255]) for _ in range(count))
    inside, outside = random.randbytes(count * pixel_bytes), random.randbytes(count * pixel_bytes)
    expected = b"".join(
        (inside if flag else outside)[i * pixel_bytes : (i + 1) * pixel_bytes]
        for i, flag in enumerate(covered)
    )
    assert pixels.select(covered, inside, outside, pixel_bytes) == expected


@given(sizes, sizes, st.data())
def test_bounding_box(width: int, height: int, data: st.DataObject) -> None:
    places = data.draw(
        st.sets(st.tuples(st.integers(0, width - 1), st.integers(0, height - 1)), max_size=5)
    )
    coverage = bytearray(width * height)
    for x, y in places:
        coverage[y * width + x] = data.draw(st.integers(1, 255))
    box = pixels.bounding_box(bytes(coverage), Extent(width, height))
    if places:
        xs, ys = zip(*places, strict=True)
        assert box == Box.from_corners(min(xs), min(ys), max(xs) + 1, max(ys) + 1)
    else:
        assert box.is_empty


def slow_shrink(rows: bytes, width: int, channels: int, step: int) -> bytes:
    taps = max(t for t in (1, 2, 4, 8, 16) if t <= step)
    offsets = [tap * step // taps for tap in range(taps)]
    result = []
    for top in range(0, len(rows) // (width * channels) - step + 1, step):
        for left in range(0, width - step + 1, step):
            for c in range(channels):
                total = sum(
                    rows[((top + dy) * width + left + dx) * channels + c]
                    for dy in offsets
                    for dx in offsets
                )
                result.append(total // taps**2)
    return bytes(result)


@given(
    st.randoms(use_true_random=False),
    st.integers(1, 40),
    st.integers(1, 40),
    st.integers(1, 4),
    st.integers(1, 19),
)
def test_shrink(random: object, width: int, height: int, channels: int, step: int) -> None:
    rows = random.randbytes(width * height * channels)  # type: ignore[attr-defined]
    assert pixels.shrink(rows, width, channels, step) == slow_shrink(rows, width, channels, step)


@given(
    st.randoms(use_true_random=False),
    sizes,
    sizes,
    st.sampled_from([1, 4, 5, 16]),
    st.integers(1, 6),
)
def test_thin(random: Random, width: int, height: int, pixel_bytes: int, step: int) -> None:
    data = random.randbytes(width * height * pixel_bytes)
    expected = b""
    for line in range(max(1, height // step)):
        for place in range(max(1, width // step)):
            x = min(place * step + step // 2, width - 1)
            y = min(line * step + step // 2, height - 1)
            expected += data[(y * width + x) * pixel_bytes :][:pixel_bytes]
    assert pixels.thin(data, Extent(width, height), pixel_bytes, step) == expected


def test_shrinking_white_stays_white() -> None:
    """The 16-bit lanes are just wide enough for 16 x 16 values of 255."""
    assert pixels.shrink(b"\xff" * (64 * 64), 64, 1, 32) == b"\xff" * 4
