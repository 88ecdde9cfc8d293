"""YuNet, a small face detector (Wu et al. 2023: YuNet: A Tiny Millisecond-level Face Detector)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate, max_pool2d

STRIDES = (8, 16, 32)  # px of the three levels of feature maps
MULTIPLE = 32  # px; sides of the input are multiples of it


class Unit(nn.Module):
    """A pointwise and a depthwise 3 x 3 convolution: [N, I, h, w] -> [N, O, h, w]."""

    def __init__(self, in_channels: int, out_channels: int, *, linear: bool = False) -> None:
        super().__init__()
        self.linear = linear
        self.pointwise = nn.Conv2d(in_channels, out_channels, 1)
        self.depthwise = nn.Conv2d(out_channels, out_channels, 3, padding=1, groups=out_channels)

    def forward(self, x: Tensor) -> Tensor:
        """Apply the unit."""
        x = self.depthwise(self.pointwise(x))
        return x if self.linear else x.relu()


class DetectorNetwork(nn.Module):
    """A face detector without anchors: BGR images [N, 3, H, W] in 0..255 -> faces of all cells."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 16, 3, stride=2, padding=1)
        self.stages = nn.ModuleList(
            nn.Sequential(*(Unit(i, o) for i, o in widths))
            for widths in (
                ((16, 16),),
                ((16, 16), (16, 32), (32, 32), (32, 64)),
                ((64, 64), (64, 64)),
                ((64, 64), (64, 64)),
                ((64, 64), (64, 64)),
            )
        )
        self.laterals = nn.ModuleList(Unit(64, 64) for _ in STRIDES)  # from coarse to fine
        self.classes, self.boxes, self.objectness, self.points = (
            nn.ModuleList(Unit(64, width, linear=True) for _ in STRIDES) for width in (1, 4, 1, 10)
        )

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return what each of the K cells found.

        Returns:
            Scores [N, K] in 0..1, boxes [N, K, 4] (left, top, right, bottom) and five points
            [N, K, 5, 2] (x, y), in px: the eyes, the nose and the corners of the mouth, the image's
            left one first.
        """
        x = self.stem(x).relu()
        levels = []
        for number, stage in enumerate(self.stages):
            x = stage(max_pool2d(x, 2) if number else x)
            levels.append(x)
        x, features = levels[-1], list[Tensor]()
        for lateral, level in zip(self.laterals, reversed(levels[2:]), strict=True):
            if features:
                x = level + interpolate(features[0], scale_factor=2.0, mode="nearest")
            x = lateral(x)
            features.insert(0, x)
        scores, boxes, points = [], [], []
        for k, (feature, stride) in enumerate(zip(features, STRIDES, strict=True)):
            cells = _cells(feature, stride)
            likely = [
                _flat(heads[k](feature)).sigmoid() for heads in (self.classes, self.objectness)
            ]
            scores.append((likely[0] * likely[1]).sqrt().squeeze(2))
            box = _flat(self.boxes[k](feature))
            center, half = cells + box[..., :2] * stride, box[..., 2:].exp() * stride / 2
            boxes.append(torch.cat([center - half, center + half], dim=2))
            offsets = _flat(self.points[k](feature)).unflatten(2, (5, 2))
            points.append(cells[:, :, None] + offsets * stride)
        return torch.cat(scores, 1), torch.cat(boxes, 1), torch.cat(points, 1)


def _flat(maps: Tensor) -> Tensor:
    """[N, C, h, w] -> [N, h * w, C]."""
    return maps.flatten(2).transpose(1, 2)


def _cells(feature: Tensor, stride: int) -> Tensor:
    """Return the top left corner of every cell, [1, h * w, 2] (x, y), in px."""
    height, width = feature.shape[2:]
    y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    corners = torch.stack([x, y], dim=-1).flatten(0, 1)[None] * stride
    return corners.to(feature)
