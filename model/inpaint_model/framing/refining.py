"""Choose among frames by how well the model reproduces the known pixels through them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
import torch

from inpaint_model.document.arrays import CodesF32, FloatImage, ImageU8, MaskU8
from inpaint_model.document.document_image import DocumentPicture
from inpaint_model.document.geometry import Frame
from inpaint_model.document.model_view import look

_RESIZED = 1.07
_TURNED = 3.0  # degrees
_MOVED = 0.03  # of the side


class Reproducer(Protocol):
    """What judging a frame needs of an inpainter."""

    @property
    def resolution(self) -> int: ...
    @property
    def device(self) -> torch.device: ...
    def encode(self, image: ImageU8, hole: MaskU8) -> Any: ...
    def sample(
        self, encoding: Any, seeds: Sequence[int], truncation_psi: float = 1.0
    ) -> CodesF32: ...
    def render(self, encoding: Any, ws_out: CodesF32) -> FloatImage: ...


def affordable(model: Reproducer) -> bool:
    """Whether trying several frames is cheap: on an accelerator it takes some hundredths of a
    second, on a processor it would double the time to the first candidate."""
    return model.device.type != "cpu"


def neighbours(frame: Frame) -> list[Frame]:
    """The frame and slightly larger, smaller, turned and moved ones."""
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


def reproduction_error(
    model: Reproducer,
    picture: DocumentPicture,
    coverage: MaskU8,
    frame: Frame,
    overview: DocumentPicture | None = None,
) -> float:
    """Mean absolute difference (0..1) between model and document on the known pixels.

    Relative to how much the pixels vary, since smaller frames show smoother pictures. Infinite
    where nothing is known.
    """
    source = look(picture, coverage, frame, model.resolution, overview)
    known = source.hole == 0
    if not known.any():
        return math.inf
    encoding = model.encode(source.erased, source.hole)
    output = model.render(encoding, model.sample(encoding, [0], truncation_psi=0.5))[0]
    seen = source.erased[known].astype(np.float32) / 255
    error = np.abs(output[known] - seen).mean()
    return float(error / (seen.std(axis=0).mean() + 0.05))


def refined(
    model: Reproducer,
    picture: DocumentPicture,
    coverage: MaskU8,
    proposed: Sequence[Frame],
    overview: DocumentPicture | None = None,
) -> Frame:
    """The frame that the model reproduces best: of the proposals, and around the best of them."""

    def error(frame: Frame) -> float:
        return reproduction_error(model, picture, coverage, frame, overview)

    best = min(proposed, key=error)
    return min(neighbours(best), key=error)
