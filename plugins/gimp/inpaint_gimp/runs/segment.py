"""Find a part of the faces in an image: the request, and the mask in the answer."""

from __future__ import annotations

from collections.abc import Collection, Generator

from inpaint_client import (
    Box,
    Extent,
    InputError,
    Limits,
    Part,
    Picture,
    Segmentation,
    SegmentJob,
)
from inpaint_client.segments import DEFAULT_SIDE, room_to_fill

from ..host.image_protocol import Readable
from ..translation import _
from .arguments import parts
from .capture import read_reduced
from .steps import run_all


def segment_job(image: Readable, part: Part, limits: Limits) -> SegmentJob:
    """Read the visible image, reduced, and return the request for the mask of a part."""
    return run_all(segment_job_in_steps(image, part, limits))


def segment_job_in_steps(
    image: Readable, part: Part, limits: Limits
) -> Generator[None, None, SegmentJob]:
    """Do the same in steps between turns of the event loop."""
    side = min(DEFAULT_SIDE, limits.max_segment_side or DEFAULT_SIDE)
    reduced = yield from read_reduced(image, side)
    return SegmentJob(image=reduced, parts=(part,), room=room_to_fill(part))


def step_of(image: Readable, reduced: Extent) -> int:
    """Return the side of the squares of the image that are one pixel in a reduced one, px."""
    return image.extent.longest // reduced.longest


def touched_faces(image: Readable, found: Segmentation) -> tuple[int, ...]:
    """Return the indices of the faces that the selection touches; none = none of several."""
    selected = image.selection()
    if selected is None or len(found.faces) < 2:
        return ()
    step = step_of(image, found.extent)
    x, y, width, height = (px // step for px in selected)
    box = Box(x, y, max(1, width), max(1, height))
    return found.touched(box, image.coverage(selected, step))


def numbered_face(found: Segmentation, number: int) -> tuple[int, ...]:
    """Return the index of a face by its number from 1, the largest face; none for 0.

    Raises:
        InputError: the image shows faces, but not that many.
    """
    count = len(found.faces)
    if count and number > count:
        raise InputError(
            _("There is no face {number}; {count} found.").format(number=number, count=count),
            _("Use a number up to {count}, or 0 for all faces.").format(count=count),
        )
    return (number - 1,) if number else ()


def mask_of(found: Segmentation, part: Part, faces: Collection[int] = ()) -> Picture:
    """Return the mask of a part.

    Args:
        found: the answer.
        part: the part.
        faces: indices of the faces; none = all faces.

    Raises:
        InputError: the image shows no face, or not this part.
    """
    if part is not Part.BACKGROUND and not found.faces:
        raise InputError(
            _("No face was found in the image."),
            _("Turn the image upright, or select by hand, for example with Free Select."),
        )
    mask = found.mask((part,), faces)
    if mask is None:
        label = next(each.label for each in parts() if each.nick == part.label)
        raise InputError(
            _("“{part}” was not found in the image.").format(part=label),
            _("Select it by hand, for example with Free Select."),
        )
    return mask
