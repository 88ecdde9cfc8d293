"""Whether a face detector finds a face in an image: YuNet (Wu et al. 2023), run by OpenCV.

A detector is a coarse judge: it also finds lopsided and smeared faces. A share as high as that of
real portraits is needed and proves little; a lower one says that something is badly wrong.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from torch import Tensor

from inpaint_model.document.arrays import Float64Array

FOUND = 0.9  # the score from which a face counts as found
# px a side as the detector sees images. Of 356 aligned portraits of 128 px it finds a face in
# 348, 352, 354 and 353 if shown at 128, 192, 256 and 320 px; a border around them adds none.
SIDE = 256
_CANDIDATES = 0.1  # the score below which the detector keeps nothing

Detect = Callable[[Tensor], Float64Array]
"""Images uint8 [N, 3, H, W] to the score of the best face in each, [N], 0..1; 0: none."""


def load_detector(path: Path) -> Detect:
    """Return the detector of an ONNX file. ValueError if OpenCV cannot run it.

    Square images of another size are resized to 256 px a side.
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
    """Without OpenCV's warnings on stderr: version 5 prints one for each detector."""
    import cv2

    level = cv2.utils.logging.getLogLevel()
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_ERROR)
    try:
        yield
    finally:
        cv2.utils.logging.setLogLevel(level)


def detected_share(scores: Float64Array) -> float:
    """Return the share of images whose best face has a score of at least 0.9."""
    return float((scores >= FOUND).mean())
