"""The projected discriminator: frozen networks, fixed mixing, and a trained head per scale."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from inpaint_model.data.transfer import read_scalars
from inpaint_model.training.projected.feature_network import FeatureNetwork
from inpaint_model.training.projected.heads import Head, improve, spectral_norms
from inpaint_model.training.projected.projection import WIDTHS, Projection

PATCH = 4  # px, at every octave
PATCH_WIDTHS = (32, 64, 64, 128)  # channels of their mixed maps


class Patches(nn.Module):
    """The image at four octaves, in patches, like maps of a feature network.

    Without it, colors diverge: feature networks hardly see color and the finest detail.
    """

    def forward(self, images: Tensor) -> list[Tensor]:
        """Return maps [N, 48, R/4, R/4], ..., [N, 48, R/32, R/32]."""
        octaves = [images]
        for _ in range(3):
            octaves.append(F.avg_pool2d(octaves[-1], 2))
        return [F.pixel_unshuffle(octave, PATCH) for octave in octaves]


class ProjectedDiscriminator(nn.Module):
    """Judges images by every network and scale.

    Its state dictionary has mixing and heads, but no feature networks.
    """

    def __init__(
        self,
        networks: Sequence[FeatureNetwork],
        resolution: int,
        dtype: torch.dtype = torch.float32,
    ) -> None:
        """Make new heads for a resolution of at least 32 px, which has a map at 1/32.

        Raises:
            ValueError: a network does not return four maps, each half the size of the previous.
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
        """Set the mode, but leave spectral norms to `judge`, which batches them."""
        super().train(mode)
        for norm in spectral_norms(self.heads):
            norm.own.eval()
        return self

    def trained_parameters(self) -> list[nn.Parameter]:
        """Return the parameters of the heads."""
        return list(self.heads.parameters())

    @property
    def calibrated(self) -> bool:
        """Whether the ranges of the maps have been measured."""
        return min(read_scalars(*(p.deviation.min() for p in self._mixing()))) > 0

    @torch.no_grad()
    def calibrate(self, images: Tensor, mean: Callable[[Tensor], Tensor] = torch.clone) -> None:
        """Measure the ranges of the maps on images [N, 3, R, R].

        `mean` averages over processes, which must agree on the ranges.
        """
        for network, projection in zip(self.networks, self._mixing(), strict=True):
            projection.calibrate(network(images))
            projection.deviation.copy_(mean(projection.deviation))

    def features(self, images: Tensor) -> list[Tensor]:
        """Return mixed maps by network, from fine to coarse."""
        maps = []
        for network, projection in zip(self.networks, self.projections, strict=True):
            maps += projection([x.to(self.dtype) for x in network(images)])
        return maps

    def judge(self, features: Sequence[Tensor]) -> Tensor:
        """Return logits [N, L] of `features`; high is real.

        Raises:
            ValueError: a batch of one image, since the heads use batch norm.
        """
        if len(features[0]) < 2:
            raise ValueError(
                "projected discriminators normalize over the batch: give each process a batch of "
                "at least two images"
            )
        if self.training:
            improve(spectral_norms(self.heads))
        device = features[0].device.type
        with torch.autocast(device, self.dtype, enabled=self.dtype != torch.float32):
            logits = [head(x).float() for head, x in zip(self.heads, features, strict=True)]
        return torch.cat(logits, dim=1)

    def forward(self, images: Tensor) -> Tensor:
        """Judge images [N, 3, R, R] in -1..1."""
        return self.judge(self.features(images))

    def _mixing(self) -> list[Projection]:
        return [module for module in self.projections if isinstance(module, Projection)]


def map_difference(P: ProjectedDiscriminator, found: Tensor, wanted: Tensor) -> Tensor:
    """Return the mean absolute difference of two batches of images in the mixed maps, a scalar."""
    with torch.no_grad():
        aims = P.features(wanted)
    pairs = zip(P.features(found), aims, strict=True)
    return torch.stack([(map_ - aim).abs().float().mean() for map_, aim in pairs]).mean()


def _shapes(network: nn.Module, resolution: int, name: str) -> list[tuple[int, int]]:
    """Return channels and side of each map."""
    try:
        with torch.no_grad():
            maps = network(torch.zeros(1, 3, resolution, resolution))
        found = [list(x.shape[1:]) for x in maps]
    except (RuntimeError, AttributeError) as error:
        reason = str(error).strip().rpartition("\n")[2]
        raise ValueError(
            f"{name} fails for RGB images of {resolution} px ({reason}); give another network, or "
            "omit --bf16 if it supports only float32"
        ) from error
    sides = [shape[1] for shape in found if len(shape) == 3 and shape[1] == shape[2]]
    wanted = [sides[0] >> level for level in range(len(WIDTHS))] if sides else None
    if len(found) != len(WIDTHS) or sides != wanted:
        raise ValueError(
            f"{name} returns {', '.join(map(str, found))} for images of {resolution} px; projected "
            f"discriminators need {len(WIDTHS)} square maps, each half the size of the previous one"
        )
    return [(channels, side) for channels, side, _ in found]
