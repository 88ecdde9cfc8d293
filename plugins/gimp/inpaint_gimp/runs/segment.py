"""Find a part of the faces in an image: the request, and the mask in the answer."""

from __future__ import annotations

from collections.abc import Generator

from inpaint_client import InputError, Limits, Part, Picture, Segmentation, SegmentJob
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


def step_of(image: Readable, mask: Picture) -> int:
    """Return the side of the squares of the image that a mask shows as one pixel, px."""
    return image.extent.longest // mask.extent.longest


def mask_of(found: Segmentation, part: Part, face: int) -> Picture:
    """Return the mask of a part.

    Args:
        found: the answer.
        part: the part.
        face: whose, from 1 for the largest face; 0 = all faces.

    Raises:
        InputError: the image shows no face, not that many faces, or not this part.
    """
    count = len(found.faces)
    if part is not Part.BACKGROUND:
        if not count:
            raise InputError(
                _("No face was found in the image."),
                _("Turn the image upright, or select by hand, for example with Free Select."),
            )
        if face > count:
            raise InputError(
                _("There is no face {number}; {count} found.").format(number=face, count=count),
                _("Use a number up to {count}, or 0 for all faces.").format(count=count),
            )
    mask = found.mask((part,), face - 1 if face else None)
    if mask is None:
        label = next(each.label for each in parts() if each.nick == part.label)
        raise InputError(
            _("“{part}” was not found in the image.").format(part=label),
            _("Select it by hand, for example with Free Select."),
        )
    return mask
