"""The request for a part of a face, and the mask in the answer, without GIMP."""

from __future__ import annotations

import numpy as np
import pytest
from fake_gimp_image import FakeImage, layer
from inpaint_client import Box, Extent, Face, InputError, Limits, Part, PartMask, Segmentation
from inpaint_client.geometry import Frame
from inpaint_gimp.runs.arguments import parts
from inpaint_gimp.runs.segment import (
    mask_of,
    numbered_face,
    segment_job,
    step_of,
    touched_faces,
)

FACE = Face(Frame(5, 5, 10, 0), 0.9, Box(0, 0, 9, 9))
HAIR = (
    PartMask(Part.HAIR, 0, Box(0, 0, 2, 1), b"\x10\x20"),
    PartMask(Part.HAIR, 1, Box(8, 9, 2, 1), b"\x30\x40"),
)
TWO_FACES = Segmentation(Extent(10, 10), (FACE, FACE), HAIR)


def test_every_part_can_be_chosen() -> None:
    assert [each.nick for each in parts()] == [part.label for part in Part]


@pytest.mark.parametrize(
    ("size", "limit", "sent"),
    [((300, 200), 2048, (300, 200)), ((3073, 40), 2048, (1024, 13)), ((300, 200), 100, (100, 66))],
)
def test_what_is_sent_is_reduced_by_a_whole_step(
    size: tuple[int, int], limit: int, sent: tuple[int, int]
) -> None:
    image = FakeImage(Extent(*size), [layer(*size)], None)
    job = segment_job(image, Part.EYES, Limits(max_segment_side=limit))
    assert (job.image.extent, job.image.channels, job.parts) == (sent, 3, (Part.EYES,))
    step = step_of(image, job.image.extent)
    assert (
        job.image.data
        == image.drawables[0].rgba[::step, ::step, :3][: sent[1], : sent[0]].tobytes()
    )
    assert image.reads == [None]  # the visible image


def test_an_older_daemon_is_asked_all_the_same_and_refuses_in_its_own_words() -> None:
    image = FakeImage(Extent(20, 20), [layer(20, 20)], None)
    assert segment_job(image, Part.HAIR, Limits()).image.extent == Extent(20, 20)


def test_the_mask_is_that_of_all_faces_or_of_one() -> None:
    def at(face: int) -> list[int]:
        whose = numbered_face(TWO_FACES, face)
        data = np.frombuffer(bytes(mask_of(TWO_FACES, Part.HAIR, whose).data), np.uint8)
        return [int(value) for value in data[data > 0]]

    assert (at(0), at(1), at(2)) == ([16, 32, 48, 64], [16, 32], [48, 64])


@pytest.mark.parametrize(
    ("selection", "expected"),
    [
        (None, ()),  # all
        (Box(0, 0, 280, 300), (0,)),
        (Box(400, 100, 100, 100), (1,)),
        (Box(0, 0, 600, 300), (0, 1)),
        (Box(140, 140, 4, 4), ()),  # too small to be meant for a face
    ],
)
def test_a_selection_says_whose_part_is_meant(
    selection: Box | None, expected: tuple[int, ...]
) -> None:
    """In an image that is three times as large as what the daemon saw."""
    image = FakeImage(Extent(600, 300), [layer(600, 300)], selection)
    faces = tuple(Face(Frame(x, 50, 100), 0.9, Box(0, 0, 9, 9)) for x in (50, 150))
    assert touched_faces(image, Segmentation(Extent(200, 100), faces, ())) == expected


@pytest.mark.parametrize(
    ("found", "part", "face", "words"),
    [
        (Segmentation(Extent(9, 9), (), ()), Part.HAIR, 0, "No face was found"),
        (TWO_FACES, Part.HAIR, 3, "no face 3; 2 found"),
        (TWO_FACES, Part.GLASSES, 0, "“Glasses” was not found"),
        (Segmentation(Extent(9, 9), (), ()), Part.BACKGROUND, 0, "“Background” was not found"),
    ],
)
def test_what_is_missing_is_reported_with_the_remedy(
    found: Segmentation, part: Part, face: int, words: str
) -> None:
    with pytest.raises(InputError, match=words) as caught:
        mask_of(found, part, numbered_face(found, face))
    assert caught.value.remedy


def test_a_background_needs_no_face() -> None:
    whole = PartMask(Part.BACKGROUND, -1, Box(0, 0, 2, 2), b"\xff" * 4)
    mask = mask_of(Segmentation(Extent(2, 2), (), (whole,)), Part.BACKGROUND)
    assert mask.data == b"\xff" * 4
