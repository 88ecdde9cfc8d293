"""What cannot be right is refused before anything is sent."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from inpaint_client import (
    BadInput,
    Box,
    EditJob,
    FillJob,
    Frame,
    FrameMode,
    Picture,
    SampleType,
)


def test_a_picture_knows_its_size() -> None:
    picture = Picture(3, 2, 4, bytes(3 * 2 * 4 * 2), SampleType.F16)
    assert picture.pixel_bytes == 8
    assert "data" not in repr(picture)


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
def test_an_impossible_picture(
    width: int, height: int, channels: int, size: int, says: str
) -> None:
    with pytest.raises(BadInput, match=says):
        Picture(width, height, channels, bytes(size))


def test_hole_crop_and_box_have_one_size(job: Callable[..., FillJob]) -> None:
    with pytest.raises(BadInput, match="differ in size"):
        job(hole=Picture(2, 2, 1, bytes(4)))
    with pytest.raises(BadInput, match="differ in size"):
        job(crop_box=Box(0, 0, 1, 1))
    with pytest.raises(BadInput, match="one channel"):
        job(hole=Picture(64, 48, 3, bytes(64 * 48 * 3)))


@pytest.mark.parametrize("seed", [-1, 1 << 32])
def test_seeds_out_of_range(job: Callable[..., FillJob], seed: int) -> None:
    with pytest.raises(BadInput, match="0 to 4294967295"):
        job(seeds=(seed,))
    with pytest.raises(BadInput, match="0 to 4294967295"):
        EditJob(session_id="s", seed=seed)


def test_a_frame_and_its_mode_go_together(job: Callable[..., FillJob]) -> None:
    job(frame=Frame(1, 2, 3), frame_mode=FrameMode.EXPLICIT)
    with pytest.raises(BadInput, match="EXPLICIT"):
        job(frame=Frame(1, 2, 3))
    with pytest.raises(BadInput, match="EXPLICIT"):
        job(frame_mode=FrameMode.EXPLICIT)


def test_an_edit_of_nothing() -> None:
    with pytest.raises(BadInput, match="session"):
        EditJob()
