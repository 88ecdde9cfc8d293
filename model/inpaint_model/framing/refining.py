"""Select the frame through which the model reproduces the known pixels best."""

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
    """The part of an inpainter that rates frames."""

    @property
    def resolution(self) -> int:
        """Side of its images, px."""

    @property
    def device(self) -> torch.device:
        """Device of its networks."""

    def encode(self, image: ImageU8, hole: MaskU8) -> Encoding:
        """Encode an image [R, R, 3] with a hole [R, R]."""

    def sample(
        self, encoding: Encoding, seeds: Sequence[int], truncation_psi: float = 1.0
    ) -> CodesF32:
        """Return codes [N, num_ws, w_dim]."""

    def render(self, encoding: Encoding, ws_out: CodesF32) -> FloatImage:
        """Return images [N, R, R, 3], nominally 0..1."""


def is_cheap(model: Reconstructor) -> bool:
    """Return whether to try several frames: a CPU would double the time to the first candidate."""
    return model.device.type != "cpu"


def neighbors(frame: Frame) -> list[Frame]:
    """Return the frame and slightly resized, rotated and moved versions."""
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
    """Return the model's mean absolute error on a frame's known pixels; infinite without any.

    It is relative to their variation, since smaller frames show smoother images.
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
    """Return the best proposed frame, or its best neighbor, by `reconstruction_error`."""

    def error(frame: Frame) -> float:
        return reconstruction_error(model, image, hole, frame, overview)

    best = min(proposed, key=error)
    return min(neighbors(best), key=error)
