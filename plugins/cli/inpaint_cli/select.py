"""`inpaint select`: write the mask of a part of a face, for `inpaint fill --mask`."""

from __future__ import annotations

import json
from argparse import Namespace
from pathlib import Path

import numpy as np
import numpy.typing as npt
from inpaint_client import Limits, Part, Picture, Segmentation, SegmentJob, Transfer
from inpaint_client.segments import DEFAULT_SIDE, room_to_fill
from PIL import Image

from .color import is_linear, space_of, wire_pixels
from .connection import connect
from .images import Document, UnusableImageError, read_document, write_document
from .jobs import image, reduced

Coverage = npt.NDArray[np.uint8]


def select(options: Namespace) -> int:
    """Run `inpaint select`."""
    document = read_document(options.image)
    parts = tuple(Part[name.upper()] for name in options.part)
    with connect() as client:
        room = max(map(room_to_fill, parts)) if options.room is None else options.room
        found = client.segment(_job(document, parts, room, client.info().limits))
    _check_faces(found, parts, options)
    mask = found.mask(parts, () if options.face is None else (options.face - 1,))
    if mask is None:
        raise UnusableImageError(f"{options.image} shows no {' or '.join(options.part)}")
    coverage = enlarged(mask, document)
    write_document(options.out, Document(coverage[..., None]))
    if options.json:
        print(json.dumps(_summary(found, document, options)))
    else:
        print(options.out)
    return 0


def _job(document: Document, parts: tuple[Part, ...], room: float, limits: Limits) -> SegmentJob:
    wire = wire_pixels(document, space_of(document))
    small = reduced(wire, min(DEFAULT_SIDE, limits.max_segment_side or DEFAULT_SIDE))
    transfer = Transfer.LINEAR if is_linear(document) else Transfer.SRGB
    return SegmentJob(image=image(small, transfer), parts=parts, room=room)


def _check_faces(found: Segmentation, parts: tuple[Part, ...], options: Namespace) -> None:
    """Refuse an image without faces, and a face that it does not have."""
    count = len(found.faces)
    if not count and set(parts) != {Part.BACKGROUND}:
        raise UnusableImageError(f"no face was found in {options.image}")
    if options.face is not None and options.face > count:
        there = "1 face" if count == 1 else f"{count} faces"
        raise UnusableImageError(
            f"{options.image} shows {there}; --face {options.face} is too high"
        )


def enlarged(mask: Picture, document: Document) -> Coverage:
    """Return a mask of a reduced document at its full size."""
    step = max(document.width, document.height) // max(mask.extent)
    small = np.frombuffer(mask.data, np.uint8).reshape(mask.height, mask.width)
    if step == 1:
        return small
    size = (mask.width * step, mask.height * step)
    large = np.asarray(Image.fromarray(small).resize(size, Image.Resampling.BICUBIC))
    rest = ((0, max(document.height - size[1], 0)), (0, max(document.width - size[0], 0)))
    return np.pad(large, rest, mode="edge")[: document.height, : document.width]


def _summary(found: Segmentation, document: Document, options: Namespace) -> dict[str, object]:
    scale = max(document.width, document.height) // max(found.extent)
    return {
        "mask": str(Path(options.out)),
        "parts": list(options.part),
        "faces": [
            {
                "number": number,
                "confidence": round(face.confidence, 3),
                "frame": [
                    round(face.frame.cx * scale, 1),
                    round(face.frame.cy * scale, 1),
                    round(face.frame.side * scale, 1),
                    round(face.frame.angle, 2),
                ],
            }
            for number, face in enumerate(found.faces, start=1)
        ],
    }
