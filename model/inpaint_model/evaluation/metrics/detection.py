"""Whether OpenCV's YuNet (Wu et al. 2023) detects a face in an image.

Lopsided and smeared faces are detected too, so a high rate proves little; one below that of real
portraits is a bad sign.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from torch import Tensor

from inpaint_model.document.arrays import Float64Array

FOUND = 0.9  # the least score of a found face
SIDE = 256  # px of the input; more finds no more faces (docs/research/evaluation.md)
_CANDIDATES = 0.1  # the detector discards lower scores

Detect = Callable[[Tensor], Float64Array]
"""Maps images uint8 [N, 3, H, W] to the score of the best face in each, [N], 0..1; 0: no face."""


def load_detector(path: Path) -> Detect:
    """Load a detector of square images.

    Raises:
        ValueError: OpenCV cannot run the file.
    """
    import cv2

    with _quiet():
        try:
            detector = cv2.FaceDetectorYN.create(str(path), "", (SIDE, SIDE), _CANDIDATES)
        except cv2.error as error:
            raise ValueError(f"{path} is not a YuNet face detector that OpenCV can run") from error

    def detect(images: Tensor) -> Float64Array:
        scores = np.zeros(len(images))
        shrink = images.shape[-1] > SIDE
        for number, image in enumerate(images.cpu().flip(1)):  # to BGR
            pixels = np.ascontiguousarray(image.permute(1, 2, 0).numpy())
            method = cv2.INTER_AREA if shrink else cv2.INTER_LINEAR
            _, faces = detector.detect(cv2.resize(pixels, (SIDE, SIDE), interpolation=method))
            if faces is not None:
                scores[number] = np.asarray(faces)[:, 14].max()
        return scores

    return detect


@contextmanager
def _quiet() -> Iterator[None]:
    """Suppress the warning that OpenCV 5 prints for each detector."""
    import cv2

    level = cv2.utils.logging.getLogLevel()
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_ERROR)
    try:
        yield
    finally:
        cv2.utils.logging.setLogLevel(level)


def detected_share(scores: Float64Array) -> float:
    """Return the fraction of images with a face."""
    return float((scores >= FOUND).mean())
