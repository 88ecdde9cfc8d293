"""Perceptual distance: compare images by the features of a frozen network.

The backbone is VGG16 from a weight file (as in the paper), any TorchScript network, or a frozen
copy of the generator's discriminator.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from inpaint_model.data.transfer import read_scalars, upload
from inpaint_model.networks.discriminator import Discriminator
from inpaint_model.networks.ops import channels_last
from inpaint_model.training.ema import frozen_copy

Features = Callable[[Tensor], Sequence[Tensor]]  # [N, 3, H, W] in -1..1 -> feature maps

# relu1_2, relu2_2, relu3_3, relu4_3 of torchvision's `vgg16().features`.
_VGG16 = (64, 64, "tap", "pool", 128, 128, "tap", "pool", 256, 256, 256, "tap", "pool") + (
    512,
    512,
    512,
    "tap",
)


class VGG16(nn.Module):
    """The features of VGG16 at four ReLUs."""

    mean: Tensor
    std: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.ModuleDict()
        channels, index = 3, 0
        self.plan: list[str] = []
        for step in _VGG16:
            if isinstance(step, int):
                self.features[str(index)] = nn.Conv2d(channels, step, 3, padding=1)
                self.plan.append(str(index))
                channels, index = step, index + 2  # a ReLU follows every convolution
            else:
                self.plan.append(step)
                index += step == "pool"
        self.register_buffer("mean", torch.tensor([0.485, 0.456, 0.406])[:, None, None], False)
        self.register_buffer("std", torch.tensor([0.229, 0.224, 0.225])[:, None, None], False)

    def forward(self, images: Tensor) -> list[Tensor]:
        """Return feature maps, from fine to coarse, of images [N, 3, H, W] in -1..1."""
        x = ((images.to(self.mean.dtype) + 1) / 2 - self.mean) / self.std
        taps: list[Tensor] = []
        for step in self.plan:
            if step == "tap":
                taps.append(x)
            elif step == "pool":
                x = nn.functional.max_pool2d(x, 2)
            else:
                x = nn.functional.relu(self.features[step](x))
        return taps


def load_vgg16(path: Path, dtype: torch.dtype = torch.float32) -> VGG16:
    """Load weights with torchvision's names (safetensors, or a .pth state dict).

    Raises:
        ValueError: weights are missing.
    """
    if path.suffix == ".safetensors":
        state = load_file(path)
    else:
        state = torch.load(path, map_location="cpu", weights_only=True)
    network = VGG16()
    wanted = network.state_dict()
    missing = sorted(set(wanted) - set(state))
    if missing:
        raise ValueError(f"{path} is not a VGG16 weight file: it lacks {missing[0]}")
    network.load_state_dict({name: state[name] for name in wanted})
    return channels_last(frozen_copy(network).to(dtype))


def load_torchscript(path: Path, dtype: torch.dtype = torch.float32) -> Features:
    """Load a scripted network that returns one feature map or a list.

    bfloat16 is nearly twice as fast on CPUs that support it.
    """
    network = channels_last(torch.jit.load(str(path), map_location="cpu").to(dtype).eval())

    def features(images: Tensor) -> Sequence[Tensor]:
        out = network.to(images.device)(images.to(dtype))
        return [out] if isinstance(out, Tensor) else list(out)

    return features


def discriminator_features(D: Discriminator, dtype: torch.dtype = torch.float32) -> Features:
    """Return the block outputs, down to 8 px, of a frozen copy of `D`."""
    frozen = channels_last(frozen_copy(D))

    def features(images: Tensor) -> Sequence[Tensor]:
        return [x for x in frozen.features(images.to(dtype)) if x.shape[-1] >= 8]

    return features


class PerceptualLoss:
    """Mean over layers of the mean squared difference of features.

    Each layer is divided by its mean square over typical images, so that all layers weigh the same
    and backbones can be exchanged. Images larger than `side` px are compared downscaled to it and
    in a full-resolution window of it, so that every resolution costs the same.
    """

    def __init__(self, features: Features, side: int | None = None) -> None:
        self._features = features
        self.side = side
        self.scales: list[float] = []

    @torch.no_grad()
    def calibrate(self, images: Tensor) -> list[float]:
        """Measure the layers' mean squares on images [N, 3, R, R]."""
        place = self.window(images.shape[-1], torch.Generator().manual_seed(0))
        views = self._views(images, place if place is None else upload(place, images.device))
        layers = zip(*(self._features(view) for view in views), strict=True)
        means = [torch.stack([x.float().square().mean() for x in layer]) for layer in layers]
        self.scales = read_scalars(*(mean.mean() for mean in means))
        return self.scales

    def window(self, R: int, rng: torch.Generator) -> Tensor | None:
        """Draw a window's top and left, int64 [2] on the CPU; None if R px need none."""
        if self.side is None or self.side >= R:
            return None
        return torch.randint(0, R - self.side + 1, (2,), generator=rng)

    def windows_on(self, hole: Tensor, draws: Tensor) -> Tensor | None:
        """Return a window around a random pixel of each hole [N, 1, R, R], like `window`, [N, 2].

        `draws` [N] are uniform in 0..1.
        """
        R = hole.shape[-1]
        if self.side is None or self.side >= R:
            return None
        count = hole.flatten(1).cumsum(dim=1)  # of hole pixels so far, row by row
        pixel = (count <= draws[:, None] * count[:, -1:]).sum(dim=1).clamp(max=R * R - 1)
        center = torch.stack([pixel // R, pixel % R], dim=1)
        return (center - self.side // 2).clamp(0, R - self.side)

    def __call__(self, images: Tensor, targets: Tensor, window: Tensor | None = None) -> Tensor:
        """Return the distance of images from targets, both [N, 3, R, R]; a scalar.

        `window` is the same for all images [2] or one for each [N, 2].

        Raises:
            ValueError: not calibrated, or the window is missing.
        """
        if not self.scales:
            raise ValueError("calibrate the perceptual loss on typical images first")
        if window is not None and window.dim() == 2:
            window = window.repeat(2, 1)
        views = self._views(torch.cat([images, targets]), window)
        return torch.stack([self._distance(*view.chunk(2)) for view in views]).mean()

    def _distance(self, images: Tensor, targets: Tensor) -> Tensor:
        with torch.no_grad():
            wanted = self._features(targets)
        layers = [
            (x.float() - y.float()).square().mean() / max(scale, 1e-8)
            for x, y, scale in zip(self._features(images), wanted, self.scales, strict=True)
        ]
        return torch.stack(layers).mean()

    def _views(self, images: Tensor, window: Tensor | None) -> list[Tensor]:
        if self.side is None or self.side >= images.shape[-1]:
            return [images]
        if window is None:
            raise ValueError("images larger than `side` are compared in a window: pass one")
        steps = torch.arange(self.side, device=images.device)
        rows, columns = (window[..., None] + steps).unbind(-2)  # each [side] or [N, side]
        if window.dim() == 1:
            detail = images.index_select(2, rows).index_select(3, columns)
        else:
            of = torch.arange(len(images), device=images.device)[:, None, None]
            detail = images.movedim(1, -1)[of, rows[:, :, None], columns[:, None]].movedim(-1, 1)
        return [nn.functional.interpolate(images, (self.side,) * 2, mode="area"), detail]
