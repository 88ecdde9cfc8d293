"""Our refinement blocks and changed convolutions against HyperStyle's, with the same weights.

Its backbone is a ResNet and ours is not, so the networks as a whole cannot be compared. Its shared
layers are compared in the mode of one offset for all positions of a kernel.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest
import torch
import torch.nn.functional as F
from inpaint_model.baselines.hypernetwork import HyperNetwork
from inpaint_model.baselines.weight_offsets import changed_layer, offset_shapes
from inpaint_model.networks.config import BaselineConfig, EncoderConfig
from inpaint_model.networks.generator import SynthesisLayer
from inpaint_model.networks.presets import inpainting_config, preset
from published_modules import checkout, published
from torch import Tensor, nn

TOLERANCE = 1e-4
NARROW = 128  # channels of all but the last resolution, to save memory
TO_64, AT_64 = 20, 21  # its numbers of convolutions with 128 -> 64 and 64 -> 64 channels


def upfirdn2d(x: Tensor, kernel: Tensor, pad: tuple[int, int]) -> Tensor:
    """Pad and filter each channel."""
    C = x.shape[1]
    x = F.pad(x, (pad[0], pad[1], pad[0], pad[1]))
    return F.conv2d(x, kernel.flip(0, 1).expand(C, 1, *kernel.shape), groups=C)


STAND_INS = {
    "models.stylegan2.op.FusedLeakyReLU": None,
    "models.stylegan2.op.fused_leaky_relu": None,
    "models.stylegan2.op.upfirdn2d": upfirdn2d,
}


@pytest.fixture
def folder(monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(Tensor, "cuda", lambda self: self)  # a constructor moves its weights
    return checkout("HYPERSTYLE_CHECKOUT", "yuval-alaluf/hyperstyle")


@pytest.fixture
def blocks(folder: Path) -> ModuleType:
    return published(folder, "models.hypernetworks.refinement_blocks", STAND_INS)


def paper() -> BaselineConfig:
    config = inpainting_config(preset("paper-256"), "hyperstyle")
    assert isinstance(config, BaselineConfig)
    return config


@pytest.fixture(scope="module")
def hypernetwork() -> HyperNetwork:
    """The paper's refinement blocks after a small backbone, for a narrow generator."""
    generator = replace(paper().generator, channels=(*[NARROW] * 6, 64))
    encoder = EncoderConfig((8, 8, 8, 512), (1, 1, 1, 1))
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return HyperNetwork(replace(paper(), generator=generator, encoder=encoder))


def features() -> Tensor:
    return torch.randn(2, 512, 16, 16, generator=torch.Generator().manual_seed(1))


def copied(ours: nn.Module, theirs: nn.Module) -> None:
    """Copy tensors in order; theirs have more dimensions of one pixel."""
    pairs = zip(ours.state_dict().values(), theirs.state_dict().values(), strict=True)
    for own, their in pairs:
        own.copy_(their.reshape(own.shape))


def compare(name: str, found: Tensor, expected: Tensor) -> None:
    assert found.shape == expected.shape
    difference, scale = (found - expected).abs().max().item(), expected.std().item()
    print(f"{name}: largest difference {difference:.1e}, deviation {scale:.1e}")
    assert difference <= TOLERANCE * scale


def test_the_convolutions_are_those_of_the_paper(blocks: ModuleType) -> None:
    sizes = [
        (outputs, inputs)
        for index, (_, inputs, outputs) in blocks.PARAMETERS.items()
        if index not in blocks.TO_RGB_LAYERS
    ]
    ours = offset_shapes(paper().generator)  # twice the channels of theirs from 64 px on
    assert ours[:9] == sizes[:9]
    assert ours[9:] == sizes[9:13]


@pytest.mark.slow
@pytest.mark.parametrize(("place", "index"), [(-2, TO_64), (-1, AT_64)])
def test_blocks_of_their_own(
    place: int, index: int, blocks: ModuleType, hypernetwork: HyperNetwork
) -> None:
    with torch.random.fork_rng():
        torch.manual_seed(index)
        theirs = blocks.RefinementBlock(index, SimpleNamespace(), n_channels=512, inner_c=256)
    ours = hypernetwork.blocks[place]
    with torch.no_grad():
        copied(ours, theirs)
        offsets = theirs(features())
        assert torch.equal(offsets, offsets[..., :1, :1].expand_as(offsets))
        compare(f"block {index}", ours(features()), offsets[..., 0, 0].flatten(1))


@pytest.mark.slow
def test_blocks_that_share_layers(
    folder: Path, blocks: ModuleType, hypernetwork: HyperNetwork
) -> None:
    module = published(folder, "models.hypernetworks.shared_weights_hypernet", STAND_INS)
    with torch.random.fork_rng():
        torch.manual_seed(2)
        shared = module.SharedWeightsHypernet(
            in_size=NARROW, out_size=NARROW, mode="delta_per_channel"
        )
        several = [blocks.HyperRefinementBlock(shared, n_channels=512) for _ in range(2)]
    with torch.no_grad():
        hypernetwork.shared.rows.weight.copy_(shared.w2.T)
        hypernetwork.shared.rows.bias.copy_(shared.b2)
        hypernetwork.shared.columns.weight.copy_(shared.w1.T)
        hypernetwork.shared.columns.bias.copy_(shared.b1)
        for k, theirs in enumerate(several):
            expected = theirs(features())
            theirs.hypernet = nn.Identity()
            copied(hypernetwork.blocks[k], theirs)
            found = hypernetwork.shared(hypernetwork.blocks[k](features()))
            compare(f"shared block {k}", found, expected[..., 0, 0].flatten(1))


@pytest.mark.parametrize("up", [False, True])
def test_convolutions_with_changed_weights(up: bool, folder: Path) -> None:
    module = published(folder, "models.stylegan2.model", STAND_INS)
    rng = torch.Generator().manual_seed(3)
    x, w = (torch.randn(*shape, generator=rng) for shape in ((3, 12, 8, 8), (3, 16)))
    offsets = 0.5 * torch.randn(3, 20, 12, generator=rng)
    with torch.random.fork_rng():
        torch.manual_seed(4)
        theirs = module.ModulatedConv2d(12, 20, 3, 16, upsample=up)
        ours = SynthesisLayer(12, 20, 16, 8 << up, up=up)  # its noise and bias start at zero
    with torch.no_grad():
        ours.weight.copy_(theirs.weight[0])
        ours.affine.weight.copy_(theirs.modulation.weight)
        deltas = offsets[..., None, None].expand(-1, -1, -1, 3, 3)
        expected = F.leaky_relu(theirs(x, w, weights_delta=deltas), 0.2) * 2**0.5
        compare(f"convolution, up {up}", changed_layer(ours, x, w, 1 + offsets), expected)
