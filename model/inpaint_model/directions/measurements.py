"""Measurements [N] of aligned images [N, 3, H, W] in -1..1, without networks.

Colors are sRGB in 0..1. An "alternative" validates directions fitted to the other measurement.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

from inpaint_model.directions import face_regions
from inpaint_model.directions.face_regions import Region, crop, pixels
from inpaint_model.document.color import LUMA_WEIGHTS

Score = Callable[[Tensor], Tensor]
"""Maps images [N, 3, H, W] in -1..1 to numbers [N]."""
DARK = 0.05  # keeps ratios of dark colors finite


def luma(colors: Tensor) -> Tensor:
    """Compute Rec. 709 luma: [N, 3, ...] -> [N, ...]."""
    red, green, blue = (w * c for w, c in zip(LUMA_WEIGHTS, colors.unbind(1), strict=True))
    return red + green + blue


def _color(images: Tensor, region: Region) -> tuple[Tensor, ...]:
    """Return median red, green and blue, [N] each."""
    return pixels(images, region).median(dim=2).values.unbind(1)


def mean_luma(region: Region) -> Score:
    """Score lightness."""
    return lambda x: luma(pixels(x, region)).mean(dim=1)


def median_luma(region: Region) -> Score:
    """Score lightness, alternative."""
    return lambda x: luma(pixels(x, region)).median(dim=1).values


def warmth(region: Region) -> Score:
    """Score warmth: mean red minus blue, over their sum to cancel lightness."""

    def score(x: Tensor) -> Tensor:
        red, _, blue = pixels(x, region).mean(dim=2).unbind(1)
        return (red - blue) / (red + blue + DARK)

    return score


def log_red_to_blue(region: Region) -> Score:
    """Score warmth, alternative: of median colors."""

    def score(x: Tensor) -> Tensor:
        red, _, blue = _color(x, region)
        return ((red + DARK) / (blue + DARK)).log()

    return score


def mean_saturation(region: Region) -> Score:
    """Score HSV saturation."""

    def score(x: Tensor) -> Tensor:
        colors = pixels(x, region)
        high, low = colors.amax(dim=1), colors.amin(dim=1)
        return ((high - low) / (high + DARK)).mean(dim=1)

    return score


def opponent_chroma(region: Region) -> Score:
    """Score saturation, alternative: the median color's distance from gray over its mean."""

    def score(x: Tensor) -> Tensor:
        red, green, blue = _color(x, region)
        distance = torch.hypot(red - green, (red + green) / 2 - blue)
        return distance / ((red + green + blue) / 3 + DARK)

    return score


def balance(left: Region, right: Region) -> Score:
    """Score light from the left."""

    def score(x: Tensor) -> Tensor:
        a, b = mean_luma(left)(x), mean_luma(right)(x)
        return (a - b) / (a + b + DARK)

    return score


def log_balance(left: Region, right: Region) -> Score:
    """Score light from the left, alternative: of median lumas."""
    return lambda x: (median_luma(left)(x) + DARK).log() - (median_luma(right)(x) + DARK).log()


def luma_deviation(region: Region) -> Score:
    """Score contrast."""
    return lambda x: luma(pixels(x, region)).std(dim=1)


def luma_span(region: Region) -> Score:
    """Score contrast, alternative: between the 10th and the 90th percentile."""

    def score(x: Tensor) -> Tensor:
        values = luma(pixels(x, region))
        return values.quantile(0.9, dim=1) - values.quantile(0.1, dim=1)

    return score


def bright_red_to_blue(x: Tensor) -> Tensor:
    """Score color temperature, in the brighter half of the image."""
    colors = pixels(x, face_regions.WHOLE)
    values = luma(colors)
    bright = (values >= values.median(dim=1, keepdim=True).values)[:, None]
    red, _, blue = ((colors * bright).sum(dim=2) / bright.sum(dim=2)).unbind(1)
    return ((red + DARK) / (blue + DARK)).log()


def contour_shift(x: Tensor) -> Tensor:
    """Score yaw: how far left of the center the contours are, as a fraction of the side.

    With the eyes centered, both move left when the nose turns right.
    """
    band = F.adaptive_avg_pool2d(crop(x, (0.0, 0.5, 1.0, 0.7)), (8, 64))
    steps = band.diff(dim=3).square().sum(dim=1)  # [N, 8, 63]
    at = torch.arange(1, 64, device=x.device) / 64 - 0.5
    left, right = (at > -0.38) & (at < -0.14), (at > 0.14) & (at < 0.38)
    return -(_center(steps[:, :, left], at[left]) + _center(steps[:, :, right], at[right])) / 2


def skin_left_of_right(x: Tensor) -> Tensor:
    """Score yaw, alternative: how much more skin is visible on the left.

    Chromaticity tells skin apart in light from any side.
    """
    box = (0.20, 0.50, 0.30, 0.70)
    skin = _chromaticity(pixels(x, face_regions.CHEEKS)).median(dim=2).values[:, :, None]
    shares = []
    for side in (box, face_regions.mirrored(box)):
        distance = (_chromaticity(pixels(x, (side,))) - skin).square().sum(dim=1)
        shares.append(torch.exp(-distance / (2 * 0.04**2)).mean(dim=1))
    return shares[0] - shares[1]


def bright_mouth(x: Tensor) -> Tensor:
    """Score a smile: light between the lips, dark corners."""
    skin = mean_luma(face_regions.CHEEKS)(x)
    gap, corners = mean_luma(face_regions.LIP_GAP)(x), mean_luma(face_regions.MOUTH_CORNERS)(x)
    return (gap - skin - 0.5 * (corners - skin)) / (skin + DARK)


def raised_cheeks(x: Tensor) -> Tensor:
    """Score a smile: cheekbones lighter than the folds, no shadow under the lower lip.

    The weight makes both parts vary equally.
    """
    skin = mean_luma(face_regions.CHEEKS)(x)
    fold = mean_luma(face_regions.CHEEKBONES)(x) - mean_luma(face_regions.FOLDS)(x)
    chin = luma(F.adaptive_avg_pool2d(crop(x, face_regions.UNDER_LIP[0]), (5, 6)))
    return (fold - 2.5 * chin.diff(dim=1).abs().mean(dim=(1, 2))) / (skin + DARK)


def _center(weights: Tensor, at: Tensor) -> Tensor:
    """Return the mean of `at` [W] with weights [N, h, W]."""
    return (weights * at).sum(dim=(1, 2)) / weights.sum(dim=(1, 2)).clamp_min(1e-8)


def _chromaticity(colors: Tensor) -> Tensor:
    """Return the fractions of red and green: [N, 3, ...] -> [N, 2, ...]."""
    return colors[:, :2] / (colors.sum(dim=1, keepdim=True) + 0.1)


def hair_share(region: Region, other: Region = face_regions.CORNERS) -> Score:
    """Score hair: 1 where colors match the crown's, 0 where they match those of `other`."""

    def score(x: Tensor) -> Tensor:
        here = pixels(x, region)
        hair, rest = (_distance(here, pixels(x, known)) for known in (face_regions.CROWN, other))
        return (rest / (hair + rest)).mean(dim=1)

    return score


def skin_share(region: Region) -> Score:
    """Score similarity to the cheeks, including lightness."""
    return lambda x: torch.exp(
        -_distance(pixels(x, region), pixels(x, face_regions.CHEEKS)) / (2 * 0.15**2)
    ).mean(dim=1)


def _distance(colors: Tensor, others: Tensor) -> Tensor:
    """Return squared distances [N, P] from the median of `others`, plus 0.01."""
    return (colors - others.median(dim=2).values[:, :, None]).square().sum(dim=1) + 0.01


def tint(region: Region) -> Score:
    """Score green against magenta."""

    def score(x: Tensor) -> Tensor:
        red, green, blue = pixels(x, region).mean(dim=2).unbind(1)
        return (green - (red + blue) / 2) / (red + green + blue + DARK)

    return score


def log_tint(region: Region) -> Score:
    """Score green against magenta, alternative: of median colors."""

    def score(x: Tensor) -> Tensor:
        red, green, blue = (color + DARK for color in _color(x, region))
        return (green / (red * blue).sqrt()).log()

    return score


def redness(region: Region) -> Score:
    """Score redness: mean red minus green, over their sum."""

    def score(x: Tensor) -> Tensor:
        red, green, _ = pixels(x, region).mean(dim=2).unbind(1)
        return (red - green) / (red + green + DARK)

    return score


def log_red_to_green(region: Region) -> Score:
    """Score redness, alternative: of median colors."""

    def score(x: Tensor) -> Tensor:
        red, green, _ = _color(x, region)
        return ((red + DARK) / (green + DARK)).log()

    return score


def fine_detail(region: Region) -> Score:
    """Score detail: log deviation of luma from its mean over 3 by 3 pixels."""

    def score(x: Tensor) -> Tensor:
        boxes = [luma(crop(x, box))[:, None] for box in region]
        smooth = [F.avg_pool2d(F.pad(y, (1, 1, 1, 1), "replicate"), 3, 1) for y in boxes]
        rests = [(y - s).abs().mean(dim=(1, 2, 3)) for y, s in zip(boxes, smooth, strict=True)]
        return (torch.stack(rests).mean(dim=0) + 0.004).log()

    return score


def squared_steps(region: Region) -> Score:
    """Score detail, alternative: log of mean squared steps of luma."""

    def score(x: Tensor) -> Tensor:
        parts = []
        for box in region:
            y = luma(crop(x, box))
            parts.append(
                y.diff(dim=1).square().mean(dim=(1, 2)) + y.diff(dim=2).square().mean(dim=(1, 2))
            )
        return (torch.stack(parts).mean(dim=0) + 1e-4).log()

    return score
