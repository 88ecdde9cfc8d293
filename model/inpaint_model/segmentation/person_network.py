"""MediaPipe's Selfie Segmentation, a MobileNetV3 (Howard et al. 2019): what shows a person."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor, nn
from torch.nn.functional import hardswish, interpolate, pad, relu

SIDE = 256  # px of the input

Activation = Callable[[Tensor], Tensor]


class ChannelWeights(nn.Module):
    """Squeeze and excitation: weights [N, C, 1, 1] in 0..1 from features [N, C, h, w]."""

    def __init__(self, channels: int, hidden: int) -> None:
        super().__init__()
        self.reduce = nn.Conv2d(channels, hidden, 1)
        self.expand = nn.Conv2d(hidden, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Return the weights."""
        x = x.mean(dim=(2, 3), keepdim=True)
        weights: Tensor = self.expand(self.reduce(x).relu()).sigmoid()
        return weights


class InvertedResidual(nn.Module):
    """Expand, convolve depthwise, weight channels, project: [N, I, h, w] -> [N, O, h/s, w/s]."""

    def __init__(
        self,
        in_channels: int,
        expanded: int,
        out_channels: int,
        *,
        kernel: int = 3,
        stride: int = 1,
        squeezed: int = 0,
        activation: Activation = relu,
    ) -> None:
        super().__init__()
        self.activation = activation
        self.residual = stride == 1 and in_channels == out_channels
        before = (kernel - stride) // 2  # as TensorFlow's "same" padding of even sizes
        after = kernel - stride - before
        self.padding = (before, after, before, after)
        self.expand = nn.Conv2d(in_channels, expanded, 1)
        self.depthwise = nn.Conv2d(expanded, expanded, kernel, stride, groups=expanded)
        self.weights = ChannelWeights(expanded, squeezed) if squeezed else None
        self.project = nn.Conv2d(expanded, out_channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Apply the block."""
        new = self.activation(self.expand(x))
        new = self.activation(self.depthwise(pad(new, self.padding)))
        if self.weights is not None:
            new = new * self.weights(new)
        projected: Tensor = self.project(new)
        return x + projected if self.residual else projected


class Merge(nn.Module):
    """Enlarge features [N, I, h, w] and merge skipped ones [N, C, 2h, 2w] -> [N, C, 2h, 2w]."""

    def __init__(self, in_channels: int, channels: int) -> None:
        super().__init__()
        self.project = nn.Conv2d(in_channels, channels, 1)
        self.weights = ChannelWeights(channels, channels)
        self.pointwise = nn.Conv2d(channels, channels, 1)
        self.depthwise = nn.Conv2d(channels, channels, 3, padding=1, groups=channels)

    def forward(self, x: Tensor, skipped: Tensor) -> Tensor:
        """Return the merged features."""
        x = self.project(interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=False))
        x = self.pointwise(skipped * self.weights(skipped + x) + x).relu()
        merged: Tensor = x + self.depthwise(x).relu()
        return merged


class PersonNetwork(nn.Module):
    """RGB [N, 3, 256, 256] in -1..1 -> probability of a person [N, 1, 256, 256] in 0..1."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 16, 3, stride=2)
        self.early = InvertedResidual(16, 16, 16, stride=2, squeezed=8)
        self.middle = nn.Sequential(
            InvertedResidual(16, 72, 24, stride=2), InvertedResidual(24, 88, 24)
        )
        self.body = nn.Sequential(
            _large(24, 96, 32, squeezed=24, stride=2),
            *(_large(32, 128, 32, squeezed=32) for _ in range(2)),
            *(_large(32, 96, 32, squeezed=24) for _ in range(2)),
        )
        self.last = nn.Conv2d(32, 128, 1)
        self.last_weights = nn.Conv2d(32, 128, 1)
        self.merges = nn.ModuleList([Merge(128, 24), Merge(24, 16), Merge(16, 16)])
        self.probability = nn.ConvTranspose2d(16, 1, 2, stride=2)

    def forward(self, x: Tensor) -> Tensor:
        """Return the probabilities."""
        skipped = [hardswish(self.stem(pad((x + 1) / 2, (0, 1, 0, 1))))]
        for part in (self.early, self.middle):
            skipped.append(part(skipped[-1]))
        x = self.body(skipped[-1])
        weights = self.last_weights(x.mean(dim=(2, 3), keepdim=True)).sigmoid()
        x = self.last(x).relu() * weights
        for merge in self.merges:
            x = merge(x, skipped.pop())
        probability: Tensor = self.probability(x).sigmoid()
        return probability


def _large(
    in_channels: int, expanded: int, out_channels: int, *, squeezed: int, stride: int = 1
) -> InvertedResidual:
    return InvertedResidual(
        in_channels,
        expanded,
        out_channels,
        kernel=5,
        stride=stride,
        squeezed=squeezed,
        activation=hardswish,
    )
