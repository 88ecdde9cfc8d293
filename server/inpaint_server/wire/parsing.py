"""Conversion of messages to values and back, with all validation of requests.

Requests are validated by their header alone, before memory is allocated for images. Every error
names the field and the reason. This module does not use the device.
"""

from __future__ import annotations

import math
import secrets
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from inpaint_model.document.arrays import Pixels
from inpaint_model.document.blending import BlendSettings
from inpaint_model.document.document_image import DocumentImage
from inpaint_model.document.geometry import Box, Frame, FrameChoice
from inpaint_model.inference.inpainter import seed_sequence
from inpaint_model.pipeline.document_inpainter import DEFAULT_TRUNCATION_PSI
from inpaint_model.pipeline.recipe import MAX_COORDINATE, MAX_EDIT_VALUE, read_recipe
from inpaint_model.pipeline.session import Edits
from inpaint_model.pipeline.style_mixing import Mixing
from inpaint_model.segmentation.parts import Part
from inpaint_protos.v1 import inpaint_pb2 as pb

from ..config import Limits
from ..errors import InvalidRequestError, ResourceExhaustedError
from ..filling.recipe_errors import mixing_field, recipe_in
from ..filling.specs import (
    CropGeometry,
    EditSpec,
    FillSpec,
    ImageHeader,
    SegmentSpec,
    SmoothChoice,
    SourceSpec,
)

MAX_DOCUMENT_SIDE = 1 << 20  # px; far more than any editor supports
MAX_OVERVIEW_SIDE = 512  # px
MAX_CONTEXT_SIDE = 2048  # px; of the reduced image of the area around a crop
MAX_MIXINGS = 8  # of an edit; a mixer pad needs three
MAX_MIXED_SIDE = 1024  # px; of an image for style mixing; the networks cannot use more
MAX_ROOM = 0.2  # around parts, over the side of a face's frame
MAX_SEGMENT_SIDE = 2048  # px; of an image whose parts are requested
MAX_EDITS = 256  # of one candidate
MAX_ATTACHMENT_BYTES = 32 << 20

DTYPES: Mapping[int, np.dtype[Any]] = {
    pb.SAMPLE_TYPE_U8: np.dtype("u1"),
    pb.SAMPLE_TYPE_U16: np.dtype("<u2"),
    pb.SAMPLE_TYPE_F16: np.dtype("<f2"),
    pb.SAMPLE_TYPE_F32: np.dtype("<f4"),
}
SAMPLE_TYPES: Mapping[np.dtype[Any], pb.SampleType] = {
    DTYPES[number]: number
    for number in (pb.SAMPLE_TYPE_U8, pb.SAMPLE_TYPE_U16, pb.SAMPLE_TYPE_F16, pb.SAMPLE_TYPE_F32)
}
LEVELS = {
    pb.STYLE_LEVEL_STRUCTURE: "structure",
    pb.STYLE_LEVEL_FEATURES: "features",
    pb.STYLE_LEVEL_COLOURS: "colors",
}
SMOOTH_CHOICES: Mapping[int, SmoothChoice] = {
    pb.SMOOTH_FILL_UNSPECIFIED: "never",
    pb.SMOOTH_FILL_AUTO: "auto",
    pb.SMOOTH_FILL_ALWAYS: "always",
    pb.SMOOTH_FILL_NEVER: "never",
}
PARTS: Mapping[pb.Part, Part] = {
    pb.PART_HAIR: "hair",
    pb.PART_SKIN: "skin",
    pb.PART_EYES: "eyes",
    pb.PART_BROWS: "brows",
    pb.PART_MOUTH: "mouth",
    pb.PART_GLASSES: "glasses",
    pb.PART_BACKGROUND: "background",
}
METHOD_NUMBERS = {"model": pb.METHOD_MODEL, "smooth": pb.METHOD_SMOOTH}
FRAME_MODE_NUMBERS = {
    "auto": pb.FRAME_MODE_AUTO,
    "box": pb.FRAME_MODE_BOX,
    "explicit": pb.FRAME_MODE_EXPLICIT,
}


# ---------------------------------------------------------------------------------------------
# Headers


def fill_spec(header: pb.FillHeader, limits: Limits) -> FillSpec:
    """Validate a FillHeader."""
    geometry = _crop_geometry(header, limits, "")
    seeds = _seeds(header, limits)
    if len(header.variants) > limits.max_variants:
        raise InvalidRequestError(
            "variants",
            f"has {len(header.variants)} entries; at most {limits.max_variants} are allowed",
        )
    return FillSpec(
        geometry=geometry,
        context=_context(header, limits, geometry),
        overview=_overview(header, limits),
        model=header.model,
        seeds=seeds,
        truncation_psi=(
            _psi(header.truncation_psi)
            if header.HasField("truncation_psi")
            else DEFAULT_TRUNCATION_PSI
        ),
        edits=_edits(header.edits, "edits"),
        variants=tuple(
            _edits(variant.edits, f"variants[{k}].edits")
            for k, variant in enumerate(header.variants)
        ),
        frame=_frame_choice(header),
        blending=_blending(header.blending),
        smooth=_smooth(header.smooth),
        output_dtype=_output_dtype(header.output_sample_type) or geometry.crop.dtype,
        accepts_chunks=header.accepts_chunks,
    )


def edit_spec(header: pb.EditHeader, limits: Limits) -> EditSpec:
    """Validate an EditHeader."""
    if not header.session_id and not header.HasField("source"):
        raise InvalidRequestError("session_id", "is empty; set session_id or source")
    if len(header.session_id) > 64:
        raise InvalidRequestError("session_id", "is not an ID that a fill returned")
    source = header.source
    if header.HasField("source"):
        if not source.recipe:
            raise InvalidRequestError("source.recipe", "is empty")
        if not 0 < len(source.attachment) <= MAX_ATTACHMENT_BYTES:
            raise InvalidRequestError(
                "source.attachment",
                f"has {len(source.attachment)} bytes; must have 1 to {MAX_ATTACHMENT_BYTES}",
            )
        if source.HasField("crop") != source.HasField("hole"):
            raise InvalidRequestError("source", "has only one of crop and hole; set both or none")
    return EditSpec(
        session_id=header.session_id,
        source=SourceSpec(
            source.recipe,
            source.attachment,
            _crop_geometry(source, limits, "source.") if source.HasField("crop") else None,
        )
        if header.HasField("source")
        else None,
        index=header.index,
        edits=_edits(header.edits, "edits"),
        truncation_psi=(_psi(header.truncation_psi) if header.HasField("truncation_psi") else None),
        seed=header.seed if header.HasField("seed") else None,
        mixings=_mixings(header, limits),
        blending=_blending(header.blending) if header.HasField("blending") else None,
        output_dtype=_output_dtype(header.output_sample_type),
        accepts_chunks=header.accepts_chunks,
    )


def _crop_geometry(
    message: pb.FillHeader | pb.RecipeSource, limits: Limits, prefix: str
) -> CropGeometry:
    """Validate crop, hole, crop_box and document, which FillHeader and RecipeSource share."""
    crop = _image(message.crop, prefix + "crop", limits)
    hole = _image(message.hole, prefix + "hole", limits)
    if hole.channels != 1:
        raise InvalidRequestError(hole.field + ".channels", f"is {hole.channels}; must be 1")
    if hole.dtype != DTYPES[pb.SAMPLE_TYPE_U8]:
        raise InvalidRequestError(hole.field + ".sample_type", "must be U8")
    for name in ("width", "height"):
        if getattr(hole, name) != getattr(crop, name):
            raise InvalidRequestError(
                f"{hole.field}.{name}",
                f"is {getattr(hole, name)}, but crop.{name} is {getattr(crop, name)}",
            )
    if not message.HasField("crop_box"):
        raise InvalidRequestError(prefix + "crop_box", "is missing")
    if not message.HasField("document"):
        raise InvalidRequestError(prefix + "document", "is missing")
    document = message.document.width, message.document.height
    if not all(1 <= side <= MAX_DOCUMENT_SIDE for side in document):
        raise InvalidRequestError(
            prefix + "document",
            f"is {document[0]} x {document[1]} px; each side must lie within "
            f"1..{MAX_DOCUMENT_SIDE}",
        )
    box = Box(
        message.crop_box.x, message.crop_box.y, message.crop_box.width, message.crop_box.height
    )
    if (box.width, box.height) != (crop.width, crop.height):
        raise InvalidRequestError(
            prefix + "crop_box",
            f"is {box.width} x {box.height} px, but crop is {crop.width} x {crop.height} px",
        )
    if box.x < 0 or box.y < 0 or box.right > document[0] or box.bottom > document[1]:
        raise InvalidRequestError(
            prefix + "crop_box",
            f"extends beyond the document of {document[0]} x {document[1]} px",
        )
    return CropGeometry(crop, hole, box, document)


def _image(message: pb.Picture, field: str, limits: Limits) -> ImageHeader:
    if message.channels not in (1, 3, 4):
        raise InvalidRequestError(field + ".channels", f"is {message.channels}; must be 1, 3 or 4")
    if message.sample_type not in DTYPES:
        raise InvalidRequestError(field + ".sample_type", "must be U8, U16, F16 or F32")
    if message.transfer not in pb.Transfer.values():
        raise InvalidRequestError(field + ".transfer", "must be SRGB or LINEAR")
    for name in ("width", "height"):
        side = getattr(message, name)
        if side < 1:
            raise InvalidRequestError(f"{field}.{name}", "is 0; must be at least 1")
        if side > limits.max_side:
            raise ResourceExhaustedError(
                "PICTURE_SIDE", field=f"{field}.{name}", side=side, limit=limits.max_side
            )
    shape = ImageHeader(
        field,
        message.width,
        message.height,
        message.channels,
        DTYPES[message.sample_type],
        message.transfer == pb.TRANSFER_LINEAR,
    )
    if shape.num_bytes > limits.max_picture_bytes:
        raise ResourceExhaustedError(
            "PICTURE_BYTES", field=field, bytes=shape.num_bytes, limit=limits.max_picture_bytes
        )
    num_bytes = len(message.data)
    if num_bytes not in (0, shape.num_bytes):
        raise InvalidRequestError(
            field + ".data",
            f"has {num_bytes} bytes; {shape.width} x {shape.height} px of "
            f"{shape.channels} x {shape.dtype.itemsize} bytes need {shape.num_bytes}",
        )
    return shape


def segment_spec(header: pb.SegmentHeader, limits: Limits) -> SegmentSpec:
    """Validate a SegmentHeader."""
    shape = _image(header.image, "image", limits)
    _check_longest_side(shape, MAX_SEGMENT_SIDE)
    unknown = next((number for number in header.parts if number not in PARTS), None)
    if unknown is not None:
        raise InvalidRequestError("parts", f"contains {unknown}, which is not a known part")
    parts = dict.fromkeys(PARTS[number] for number in header.parts)
    if not 0 <= header.room <= MAX_ROOM:
        raise InvalidRequestError("room", f"is {header.room:g}; must be from 0 to {MAX_ROOM:g}")
    faces = tuple(dict.fromkeys(header.faces))
    return SegmentSpec(shape, tuple(parts), faces, header.room)


def _check_longest_side(shape: ImageHeader, limit: int) -> None:
    if max(shape.width, shape.height) > limit:
        raise InvalidRequestError(
            shape.field,
            f"is {shape.width} x {shape.height} px; its longest side must be at most {limit} px",
        )


def _overview(header: pb.FillHeader, limits: Limits) -> ImageHeader | None:
    if not header.HasField("overview"):
        return None
    shape = _image(header.overview, "overview", limits)
    _check_longest_side(shape, MAX_OVERVIEW_SIDE)
    return shape


def _context(header: pb.FillHeader, limits: Limits, geometry: CropGeometry) -> DocumentImage | None:
    """Return the context from the header, if any."""
    if not header.HasField("context"):
        return None
    shape = _image(header.context, "context", limits)
    _check_longest_side(shape, MAX_CONTEXT_SIDE)
    if not header.context.data:
        raise InvalidRequestError(shape.field + ".data", "is empty; this image must be inline")
    if not header.HasField("context_box"):
        raise InvalidRequestError("context_box", "is missing")
    box, document = header.context_box, geometry.document
    if min(box.x, box.y) < 0 or box.x + box.width > document[0] or box.y + box.height > document[1]:
        raise InvalidRequestError(
            "context_box", f"extends beyond the document of {document[0]} x {document[1]} px"
        )
    if shape.width > box.width or shape.height > box.height:
        raise InvalidRequestError("context_box", "must not be smaller than context, in px")
    return DocumentImage(
        pixels=shape.pixels(header.context.data),
        linear=shape.linear,
        origin=(box.x, box.y),
        size=document,
        scale=(shape.width / box.width, shape.height / box.height),
    )


def _seeds(header: pb.FillHeader, limits: Limits) -> tuple[int, ...]:
    count = header.count or max(len(header.seeds), 1)
    if max(count, len(header.seeds)) > limits.max_seeds:
        raise InvalidRequestError(
            "seeds",
            f"has {max(count, len(header.seeds))} entries; at most {limits.max_seeds} are allowed",
        )
    if len(header.seeds) > 1:
        if count != len(header.seeds):
            raise InvalidRequestError(
                "count", f"is {count}, but there are {len(header.seeds)} seeds"
            )
        return tuple(header.seeds)
    first = header.seeds[0] if header.seeds else secrets.randbits(32)
    return seed_sequence(first, count)


def _frame_choice(header: pb.FillHeader) -> FrameChoice:
    mode = header.frame_mode
    if mode in (pb.FRAME_MODE_UNSPECIFIED, pb.FRAME_MODE_AUTO):
        return "auto"
    if mode == pb.FRAME_MODE_BOX:
        return "box"
    if mode != pb.FRAME_MODE_EXPLICIT:
        raise InvalidRequestError("frame_mode", f"{mode} is unknown")
    if not header.HasField("frame"):
        raise InvalidRequestError("frame", "is missing; frame_mode EXPLICIT requires it")
    return _frame(header.frame, "frame")


def _smooth(number: int) -> SmoothChoice:
    if number not in SMOOTH_CHOICES:
        raise InvalidRequestError("smooth", "must be AUTO, ALWAYS or NEVER")
    return SMOOTH_CHOICES[number]


def _psi(value: float) -> float:
    return _number(value, "truncation_psi", 0.0, 1.0)


def _edits(messages: Sequence[pb.Edit], field: str) -> Edits:
    if len(messages) > MAX_EDITS:
        raise InvalidRequestError(
            field, f"has {len(messages)} entries; at most {MAX_EDITS} are allowed"
        )
    edits: dict[str, float] = {}
    for k, message in enumerate(messages):
        if not message.name:
            raise InvalidRequestError(f"{field}[{k}].name", "is empty")
        if message.name in edits:
            raise InvalidRequestError(f"{field}[{k}].name", f"{message.name!r} occurs twice")
        edits[message.name] = _number(
            message.value, f"{field}[{k}].value", -MAX_EDIT_VALUE, MAX_EDIT_VALUE
        )
    return edits


def _mixings(header: pb.EditHeader, limits: Limits) -> tuple[Mixing, ...]:
    if not header.HasField("mixing"):
        if header.further_mixing:
            raise InvalidRequestError("mixing", "is missing; further_mixing comes after it")
        return ()
    messages = [header.mixing, *header.further_mixing]
    if len(messages) > MAX_MIXINGS:
        raise InvalidRequestError(
            "further_mixing",
            f"has {len(header.further_mixing)} entries; at most {MAX_MIXINGS - 1} are allowed",
        )
    return tuple(_mixing(each, mixing_field(k), limits) for k, each in enumerate(messages))


def _mixing(message: pb.Mixing, field: str, limits: Limits) -> Mixing:
    levels = _levels(message.levels, field)
    amount = _number(message.amount, f"{field}.amount", 0.0, 1.0)
    if not message.HasField("picture"):
        with recipe_in(f"{field}.recipe"):
            other = read_recipe(message.recipe)
        return Mixing(other, levels or tuple(LEVELS.values()), amount)
    if message.recipe:
        raise InvalidRequestError(field, "must have either a recipe or an image, not both")
    fine = (LEVELS[pb.STYLE_LEVEL_COLOURS],)
    return Mixing(_mixed_image(message, field, limits), levels or fine, amount)


def _mixed_image(message: pb.Mixing, field: str, limits: Limits) -> DocumentImage:
    """Return the image for style mixing, with its position in the document."""
    shape = _image(message.picture, f"{field}.picture", limits)
    if max(shape.width, shape.height) > MAX_MIXED_SIDE:
        raise InvalidRequestError(
            shape.field,
            f"is {shape.width} x {shape.height} px; reduce it to at most {MAX_MIXED_SIDE} px",
        )
    if not message.picture.data:
        raise InvalidRequestError(shape.field + ".data", "is empty; this image must be inline")
    if not message.HasField("picture_box"):
        raise InvalidRequestError(f"{field}.picture_box", "is missing")
    box = message.picture_box
    for name, side in (("width", shape.width), ("height", shape.height)):
        if not side <= getattr(box, name) <= MAX_DOCUMENT_SIDE:
            raise InvalidRequestError(
                f"{field}.picture_box.{name}",
                f"is {getattr(box, name)}; must lie within {side} (the size of the image).."
                f"{MAX_DOCUMENT_SIDE}",
            )
    return DocumentImage(
        pixels=shape.pixels(message.picture.data),
        linear=shape.linear,
        origin=(box.x, box.y),
        scale=(shape.width / box.width, shape.height / box.height),
    )


def _levels(numbers: Sequence[int], field: str) -> tuple[str, ...]:
    for k, number in enumerate(numbers):
        if number not in LEVELS:
            raise InvalidRequestError(
                f"{field}.levels[{k}]", "must be STRUCTURE, FEATURES or COLOURS"
            )
    return tuple(name for number, name in LEVELS.items() if number in numbers)


def _frame(message: pb.Frame, field: str) -> Frame:
    for name in ("cx", "cy", "angle"):
        _number(getattr(message, name), f"{field}.{name}", -MAX_COORDINATE, MAX_COORDINATE)
    _number(message.side, f"{field}.side", 1.0, MAX_COORDINATE)
    return Frame(message.cx, message.cy, message.side, message.angle)


def _blending(message: pb.Blending) -> BlendSettings:
    chosen: dict[str, Any] = {field.name: value for field, value in message.ListFields()}
    if "feather_px" in chosen:
        _number(chosen["feather_px"], "blending.feather_px", 0.0, 256.0)
    return BlendSettings(**chosen)


def _number(value: float, field: str, low: float, high: float) -> float:
    if not math.isfinite(value) or not low <= value <= high:
        raise InvalidRequestError(field, f"is {value:g}; must lie within {low:g}..{high:g}")
    return value


def _output_dtype(sample_type: int) -> np.dtype[Any] | None:
    if sample_type == pb.SAMPLE_TYPE_UNSPECIFIED:
        return None
    if sample_type not in DTYPES:
        raise InvalidRequestError("output_sample_type", "must be U8, U16, F16 or F32")
    return DTYPES[sample_type]


# ---------------------------------------------------------------------------------------------
# Pixels


def write_image(message: pb.Picture, pixels: Pixels, linear: bool) -> None:
    """Write pixels [H, W] or [H, W, C] into a message, in place to avoid a copy."""
    planes = pixels if pixels.ndim == 3 else pixels[..., None]
    dtype = planes.dtype.newbyteorder("<")
    message.height, message.width, message.channels = planes.shape
    message.sample_type = SAMPLE_TYPES[dtype]
    message.transfer = pb.TRANSFER_LINEAR if linear else pb.TRANSFER_SRGB
    message.data = np.ascontiguousarray(planes, dtype).tobytes()


def box_message(box: Box) -> pb.Box:
    """Convert a box to a message."""
    return pb.Box(x=box.x, y=box.y, width=box.width, height=box.height)


def frame_message(frame: Frame) -> pb.Frame:
    """Convert a frame to a message."""
    return pb.Frame(cx=frame.cx, cy=frame.cy, side=frame.side, angle=frame.angle)
