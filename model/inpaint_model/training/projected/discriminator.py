"""The projected discriminator: frozen networks, fixed mixing, a trained head for every scale."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from inpaint_model.data.transfer import read_scalars
from inpaint_model.training.projected.feature_network import FeatureNetwork
from inpaint_model.training.projected.heads import Head, improve, spectral_norms
from inpaint_model.training.projected.projection import WIDTHS, Projection

PATCH = 4  # px, the side of the patches at every octave
PATCH_WIDTHS = (32, 64, 64, 128)  # channels of their mixed maps, which hold less than features do


class Patches(nn.Module):
    """The image itself at four octaves, cut into patches, as if a feature network had made it.

    Feature networks hardly see color, nor what is finer than their first stride: without any map of
    the image itself, colors run away.
    """

    def forward(self, images: Tensor) -> list[Tensor]:
        """Return maps [N, 48, R/4, R/4] of the whole size, ..., [N, 48, R/32, R/32]."""
        octaves = [images]
        for _ in range(3):
            octaves.append(F.avg_pool2d(octaves[-1], 2))
        return [F.pixel_unshuffle(octave, PATCH) for octave in octaves]


class ProjectedDiscriminator(nn.Module):
    """Images [N, 3, R, R] in -1..1 -> logits [N, L], from every network and every scale.

    Its state dictionary holds the fixed mixing and the heads. The feature networks come from files.
    """

    def __init__(
        self,
        networks: Sequence[FeatureNetwork],
        resolution: int,
        dtype: torch.dtype = torch.float32,
    ) -> None:
        """networks: as `load_feature_network` gives them. dtype: what everything computes in.

        resolution: 32 px or more, so that there is a map at 1/32. ValueError if a network does not
        give four maps, each half the size of the one before.
        """
        super().__init__()
        self.dtype = dtype
        self.about = {
            "resolution": resolution,
            "networks": [network.sha256 for network in networks],
            "widths": [*WIDTHS, *PATCH_WIDTHS],
        }
        self.networks = nn.ModuleList([*networks, Patches()])
        self.projections, self.heads = nn.ModuleList(), nn.ModuleList()
        for index, network in enumerate(self.networks, start=1):
            shapes = _shapes(network, resolution, f"feature network {index}")
            widths = PATCH_WIDTHS if isinstance(network, Patches) else WIDTHS
            self.projections.append(Projection([channels for channels, _ in shapes], widths))
            for width, (_, side) in zip(widths, shapes, strict=True):
                self.heads.append(Head(width, side))

        self.train()

    def train(self, mode: bool = True) -> ProjectedDiscriminator:
        """As ever, but `judge` improves all spectral norms, which they would one by one."""
        super().train(mode)
        for norm in spectral_norms(self.heads):
            norm.own.eval()
        return self

    def trained_parameters(self) -> list[nn.Parameter]:
        """Return those of the heads; nothing else learns."""
        return list(self.heads.parameters())

    @property
    def calibrated(self) -> bool:
        """Whether the ranges of the feature maps are known."""
        return min(read_scalars(*(p.deviation.min() for p in self._mixing()))) > 0

    @torch.no_grad()
    def calibrate(self, images: Tensor, mean: Callable[[Tensor], Tensor] = torch.clone) -> None:
        """Measure the feature maps' ranges on images [N, 3, R, R] that are typical.

        mean: over the processes of a training, which must agree though each has other images.
        """
        for network, projection in zip(self.networks, self._mixing(), strict=True):
            projection.calibrate(network(images))
            projection.deviation.copy_(mean(projection.deviation))

    def features(self, images: Tensor) -> list[Tensor]:
        """Return the mixed maps that the heads judge, network by network, from fine to coarse."""
        maps = []
        for network, projection in zip(self.networks, self.projections, strict=True):
            maps += projection([x.to(self.dtype) for x in network(images)])
        return maps

    def judge(self, features: Sequence[Tensor]) -> Tensor:
        """Return logits [N, L] of what `features` returned; high is real.

        ValueError for one image alone, since heads normalize by their batch's statistics.
        """
        if len(features[0]) < 2:
            raise ValueError(
                "projected discriminators judge an image among others: give each process a batch "
                "of two or more"
            )
        if self.training:
            improve(spectral_norms(self.heads))
        device = features[0].device.type
        with torch.autocast(device, self.dtype, enabled=self.dtype != torch.float32):
            logits = [head(x).float() for head, x in zip(self.heads, features, strict=True)]
        return torch.cat(logits, dim=1)

    def forward(self, images: Tensor) -> Tensor:
        """Return logits [N, L] of images [N, 3, R, R] in -1..1; high is real."""
        return self.judge(self.features(images))

    def _mixing(self) -> list[Projection]:
        return [module for module in self.projections if isinstance(module, Projection)]


def _shapes(network: nn.Module, resolution: int, name: str) -> list[tuple[int, int]]:
    """Channels and side of each of a network's maps for images of `resolution` px."""
    try:
        with torch.no_grad():
            maps = network(torch.zeros(1, 3, resolution, resolution))
        found = [list(x.shape[1:]) for x in maps]
    except (RuntimeError, AttributeError) as error:
        reason = str(error).strip().rpartition("\n")[2]
        raise ValueError(
            f"{name} makes no feature maps of images of {resolution} px ({reason}); give one "
            "that maps RGB to four, and leave out --bf16 if it computes in float32 alone"
        ) from error
    sides = [shape[1] for shape in found if len(shape) == 3 and shape[1] == shape[2]]
    wanted = [sides[0] >> level for level in range(len(WIDTHS))] if sides else None
    if len(found) != len(WIDTHS) or sides != wanted:
        raise ValueError(
            f"{name} gives {', '.join(map(str, found))} for images of {resolution} px; projected "
            f"discriminators need {len(WIDTHS)} square maps, each half the size of the one before"
        )
    return [(channels, side) for channels, side, _ in found]
