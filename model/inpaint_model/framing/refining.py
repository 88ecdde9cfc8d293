"""Choose among frames by how well the model reproduces the known pixels through them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Protocol

import numpy as np
import torch

from inpaint_model.document.arrays import CodesF32, FloatImage, ImageU8, MaskU8
from inpaint_model.document.document_image import DocumentImage
from inpaint_model.document.geometry import Frame
from inpaint_model.document.hole import Hole
from inpaint_model.document.model_view import extract_model_view
from inpaint_model.networks.inpainting_model import Encoding

_RESIZED = 1.07
_TURNED = 3.0  # degrees
_MOVED = 0.03  # of the side


class Reconstructor(Protocol):
    """What judging a frame needs of an inpainter."""

    @property
    def resolution(self) -> int:
        """Side of its images, px."""

    @property
    def device(self) -> torch.device:
        """Where its networks run."""

    def encode(self, image: ImageU8, hole: MaskU8) -> Encoding:
        """Return the encoding of an image uint8 [R, R, 3] with a hole uint8 [R, R]."""

    def sample(
        self, encoding: Encoding, seeds: Sequence[int], truncation_psi: float = 1.0
    ) -> CodesF32:
        """Return the codes [N, num_ws, w_dim] of N seeds."""

    def render(self, encoding: Encoding, ws_out: CodesF32) -> FloatImage:
        """Return images float32 [N, R, R, 3] of codes [N, num_ws, w_dim], nominally 0..1."""


def is_cheap(model: Reconstructor) -> bool:
    """Return whether trying several frames is cheap.

    On an accelerator it takes some hundredths of a second; on a processor it would double the time
    to the first candidate.
    """
    return model.device.type != "cpu"


def neighbors(frame: Frame) -> list[Frame]:
    """Return the frame and slightly larger, smaller, turned and moved ones."""
    step = _MOVED * frame.side
    turn = math.radians(frame.angle)
    across = (step * math.cos(turn), -step * math.sin(turn))
    down = (step * math.sin(turn), step * math.cos(turn))
    moved = [(x * s, y * s) for x, y in (across, down) for s in (1, -1)]
    return [
        frame,
        frame._replace(side=frame.side * _RESIZED),
        frame._replace(side=frame.side / _RESIZED),
        frame._replace(angle=frame.angle + _TURNED),
        frame._replace(angle=frame.angle - _TURNED),
        *(frame._replace(cx=frame.cx + x, cy=frame.cy + y) for x, y in moved),
    ]


def reconstruction_error(
    model: Reconstructor,
    image: DocumentImage,
    hole: Hole,
    frame: Frame,
    overview: DocumentImage | None = None,
) -> float:
    """Return the mean absolute difference between model and document on the known pixels.

    It is relative to how much the pixels vary, since smaller frames show smoother images.

    Args:
        model: the inpainter.
        image: the document, or the crop around the selection.
        hole: of the image's size and origin.
        frame: through which the model looks.
        overview: the whole document at low resolution, for what lies beyond a crop.

    Returns:
        0 or more, without a unit; infinite where nothing is known.
    """
    source = extract_model_view(image, hole, frame, model.resolution, overview)
    known = source.hole == 0
    if not known.any():
        return math.inf
    encoding = model.encode(source.erased, source.hole)
    output = model.render(encoding, model.sample(encoding, [0], truncation_psi=0.5))[0]
    seen = source.erased[known].astype(np.float32) / 255
    error = np.abs(output[known] - seen).mean()
    return float(error / (seen.std(axis=0).mean() + 0.05))


def refine_by_reconstruction(
    model: Reconstructor,
    image: DocumentImage,
    hole: Hole,
    proposed: Sequence[Frame],
    overview: DocumentImage | None = None,
) -> Frame:
    """Return the frame through which the model reproduces the known pixels best.

    Tried are the proposals, then slight changes of the best of them.

    Args:
        model: the inpainter.
        image: the document, or the crop around the selection.
        hole: of the image's size and origin.
        proposed: one or more frames.
        overview: the whole document at low resolution, for what lies beyond a crop.
    """

    def error(frame: Frame) -> float:
        return reconstruction_error(model, image, hole, frame, overview)

    best = min(proposed, key=error)
    return min(neighbors(best), key=error)
