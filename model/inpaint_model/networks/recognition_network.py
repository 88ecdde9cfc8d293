"""The face recognition network: MobileNet v1 (Howard et al. 2017), trained to identify faces."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate, pad, relu6

_WIDTHS = (32, 64, 128, 128, 256, 256, *(512,) * 6, 1024, 1024)
_HALVED = {1, 3, 5, 11}  # which of the separable convolutions halve the size
_SHOWN = (5, 11, 13)  # after which of them `forward` returns the features
_MEAN = (123.68, 116.779, 103.939)  # of ImageNet, RGB in 0..255
SIDE = 256  # px, for `features_of`
PERSON = 1024  # features that tell persons apart
FEATURES = 256 + 512 + PERSON  # channels of the maps that `forward` returns


class RecognitionNetwork(nn.Module):
    """Maps images to features in which faces of one person are alike."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, _WIDTHS[0], 3, stride=2)
        self.blocks = nn.ModuleList(
            _Separable(*widths, 2 if number in _HALVED else 1)
            for number, widths in enumerate(pairwise(_WIDTHS))
        )

    def forward(self, images: Tensor) -> list[Tensor]:
        """Return maps [N, 256, H/8, W/8], [N, 512, H/16, W/16] and [N, 1024, H/32, W/32].

        `images` are RGB [N, 3, H, W] in -1..1, nominally of 192 to 256 px, with a face in FFHQ's
        alignment. H and W are multiples of 32.
        """
        mean = images.new_tensor(_MEAN)[:, None, None]
        x = relu6(self.stem(pad(images.add(1).mul(127.5) - mean, (0, 1, 0, 1))))
        maps = []
        for number, block in enumerate(self.blocks, start=1):
            x = block(x)
            if number in _SHOWN:
                maps.append(x)
        return maps


def features_of(network: RecognitionNetwork, images: Tensor) -> Tensor:
    """Return the means of the maps over all pixels, float32 [N, FEATURES].

    The last `PERSON` are alike in images of one person. `images` [N, 3, H, W] are square and in
    -1..1; they are brought to `SIDE` px.
    """
    if images.shape[-1] != SIDE:
        images = interpolate(images, (SIDE, SIDE), mode="bilinear", antialias=True)
    maps = network(images.to(network.stem.weight.dtype))
    return torch.cat([x.float().mean(dim=(2, 3)) for x in maps], dim=1)


class _Separable(nn.Module):
    """A depthwise and a pointwise convolution: [N, I, h, w] -> [N, O, h/s, w/s]."""

    def __init__(self, in_channels: int, out_channels: int, stride: int) -> None:
        super().__init__()
        self.padding = (0, 1, 0, 1) if stride == 2 else (1, 1, 1, 1)  # left, right, top, bottom
        self.depthwise = nn.Conv2d(in_channels, in_channels, 3, stride, groups=in_channels)
        self.pointwise = nn.Conv2d(in_channels, out_channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        return relu6(self.pointwise(relu6(self.depthwise(pad(x, self.padding)))))
