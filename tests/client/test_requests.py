"""What cannot be right is refused before anything is sent."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from inpaint_client import (
    MAX_SEED,
    Box,
    EditJob,
    FillJob,
    Frame,
    FrameMode,
    InputError,
    Picture,
    SampleType,
    seed_sequence,
)


def test_an_image_knows_its_size() -> None:
    image = Picture(3, 2, 4, bytes(3 * 2 * 4 * 2), SampleType.F16)
    assert image.pixel_bytes == 8
    assert "data" not in repr(image)


@pytest.mark.parametrize(
    ("width", "height", "channels", "size", "says"),
    [
        (0, 5, 3, 0, "no pixels"),
        (5, 0, 3, 0, "no pixels"),
        (2, 2, 2, 8, "1, 3 or 4 channels, not 2"),
        (2, 2, 3, 11, "has 12 bytes, not 11"),
        (2, 2, 3, 13, "has 12 bytes, not 13"),
    ],
)
def test_an_impossible_image(width: int, height: int, channels: int, size: int, says: str) -> None:
    with pytest.raises(InputError, match=says):
        Picture(width, height, channels, bytes(size))


def test_hole_crop_and_box_have_one_size(job: Callable[..., FillJob]) -> None:
    with pytest.raises(InputError, match="must have the same size"):
        job(hole=Picture(2, 2, 1, bytes(4)))
    with pytest.raises(InputError, match="must have the same size"):
        job(crop_box=Box(0, 0, 1, 1))
    with pytest.raises(InputError, match="one channel"):
        job(hole=Picture(64, 48, 3, bytes(64 * 48 * 3)))


@pytest.mark.parametrize("seed", [-1, 1 << 32])
def test_seeds_out_of_range(job: Callable[..., FillJob], seed: int) -> None:
    with pytest.raises(InputError, match="0 to 4294967295"):
        job(seeds=(seed,))
    with pytest.raises(InputError, match="0 to 4294967295"):
        EditJob(session_id="s", seed=seed)


def test_the_frame_is_a_mode_or_the_square_itself(job: Callable[..., FillJob]) -> None:
    for frame in (FrameMode.AUTO, FrameMode.BOX, Frame(1, 2, 3)):
        assert job(frame=frame).frame == frame
    with pytest.raises(InputError, match="pass a Frame instead"):
        job(frame=FrameMode.EXPLICIT)


def test_seeds_follow_one_another_and_begin_again_at_zero() -> None:
    assert seed_sequence(7, 3) == (7, 8, 9)
    assert seed_sequence(MAX_SEED, 3) == (MAX_SEED, 0, 1)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(box=st.builds(Box, st.integers(0, 8), st.integers(0, 6), *[st.integers(1, 4)] * 2))
def test_a_capture_knows_where_its_hole_is(job: Callable[..., FillJob], box: Box) -> None:
    hole = bytearray(64 * 48)
    for x, y in product(range(box.x, box.right), range(box.y, box.bottom)):
        hole[64 * y + x] = 1
    capture = job(hole=Picture(64, 48, 1, hole)).capture
    assert capture.hole_box == box._replace(x=box.x + 100, y=box.y + 200)


def test_an_edit_of_nothing() -> None:
    with pytest.raises(InputError, match="session"):
        EditJob()
