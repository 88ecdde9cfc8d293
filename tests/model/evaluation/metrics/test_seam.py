"""A seam that can be measured, and the library's CIEDE2000 against published values."""

from __future__ import annotations

import numpy as np
import pytest
from inpaint_model.evaluation.metrics.seam import seam_step
from skimage.color import deltaE_ciede2000, rgb2lab

# Sharma, Wu and Dalal (2005), table 1: pairs chosen to reach every branch of the formula.
PUBLISHED = [
    ((50, 2.6772, -79.7751), (50, 0, -82.7485), 2.0425),
    ((50, 3.1571, -77.2803), (50, 0, -82.7485), 2.8615),
    ((50, 2.8361, -74.0200), (50, 0, -82.7485), 3.4412),
    ((50, -1.3802, -84.2814), (50, 0, -82.7485), 1.0000),
    ((50, 0, 0), (50, -1, 2), 2.3669),
    ((50, 2.4900, -0.0010), (50, -2.4900, 0.0009), 7.1792),
    ((50, 2.4900, -0.0010), (50, -2.4900, 0.0010), 7.1792),
    ((50, 2.4900, -0.0010), (50, -2.4900, 0.0011), 7.2195),
    ((50, -0.0010, 2.4900), (50, 0.0009, -2.4900), 4.8045),
    ((50, 2.5, 0), (50, 0, -2.5), 4.3065),
    ((50, 2.5, 0), (73, 25, -18), 27.1492),
    ((50, 2.5, 0), (61, -5, 29), 22.8977),
    ((50, 2.5, 0), (50, 3.1736, 0.5854), 1.0000),
    ((60.2574, -34.0099, 36.2677), (60.4626, -34.1751, 39.4387), 1.2644),
    ((22.7233, 20.0904, -46.6940), (23.0331, 14.9730, -42.5619), 2.0373),
    ((90.8027, -2.0831, 1.4410), (91.1528, -1.6435, 0.0447), 1.4441),
    ((6.7747, -0.2908, -2.4247), (5.8714, -0.0985, -2.2286), 0.6377),
    ((2.0776, 0.0795, -1.1350), (0.9033, -0.0636, -0.5514), 0.9082),
]


@pytest.mark.parametrize(("one", "two", "expected"), PUBLISHED)
def test_published_differences(
    one: tuple[float, ...], two: tuple[float, ...], expected: float
) -> None:
    assert deltaE_ciede2000(np.array(one), np.array(two)) == pytest.approx(expected, abs=1e-4)
    assert deltaE_ciede2000(np.array(two), np.array(one)) == pytest.approx(expected, abs=1e-4)


def test_lab_of_known_colors() -> None:
    colors = np.array([[1, 1, 1], [0, 0, 0], [1, 0, 0], [0, 0, 1]], np.float32)
    expected = [[100, 0, 0], [0, 0, 0], [53.24, 80.09, 67.20], [32.30, 79.19, -107.86]]
    assert rgb2lab(colors) == pytest.approx(np.array(expected), abs=0.02)


def test_a_step_in_lightness_is_the_measured_seam() -> None:
    untouched = np.full((60, 60, 3), 0.5, np.float32)
    hole = np.zeros((60, 60), np.bool_)
    hole[20:40, 15:45] = True
    brighter = np.where(hole[..., None], np.float32(0.55), untouched)
    expected = deltaE_ciede2000(*rgb2lab(np.array([[0.5] * 3, [0.55] * 3], np.float32)))
    assert seam_step(untouched, untouched, hole) == 0
    assert seam_step(brighter, untouched, hole) == pytest.approx(expected, rel=1e-6)
    # An edge of the image's own that the fill continues is no seam.
    edge = untouched.copy()
    edge[:, 30:] = 0.8
    assert seam_step(edge, edge, hole) == 0
