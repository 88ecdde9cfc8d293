"""The complete discriminator: valid and invalid sizes, calibration, precision."""

from __future__ import annotations

import copy
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from inpaint_model.training.ema import frozen_copy
from inpaint_model.training.projected.discriminator import Patches, ProjectedDiscriminator
from inpaint_model.training.projected.feature_network import FeatureNetwork, load_feature_network
from inpaint_model.training.projected.heads import improve, spectral_norms
from tiny_feature_networks import save_script, tiny_feature_network, tiny_projected
from torch import Tensor, nn

pytestmark = pytest.mark.filterwarnings("ignore:.torch.jit:DeprecationWarning")


def rand(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def random_images(count: int = 4, resolution: int = 32, seed: int = 0) -> Tensor:
    return rand(count, 3, resolution, resolution, seed=seed).clamp(-1, 1)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tiny_feature_network(tmp_path / "network.pt")


class Stub(nn.Module):
    """Maps of given shapes for any image."""

    def __init__(self, *shapes: tuple[int, ...]) -> None:
        super().__init__()
        self.shapes = shapes

    def forward(self, images: Tensor) -> list[Tensor]:
        return [torch.zeros(len(images), *shape) for shape in self.shapes]


@pytest.mark.parametrize(
    ("resolution", "logits"),
    [(32, 25 + 1 + 1 + 1), (64, 25 + 25 + 1 + 1), (128, 25 + 25 + 25 + 1)],
)
def test_resolutions(path: Path, resolution: int, logits: int) -> None:
    P = tiny_projected(path, resolution).eval()
    images = random_images(2, resolution)
    P.calibrate(images)
    features = P.features(images)
    assert [x.shape[2] for x in features] == [resolution >> level for level in range(2, 6)] * 2
    verdict = P(images)
    assert verdict.shape == (2, 2 * logits)  # of the network, and of the patches
    assert verdict.dtype == torch.float32
    assert torch.equal(verdict, P.judge(features))


def test_several_networks(path: Path, tmp_path: Path) -> None:
    other = tiny_feature_network(tmp_path / "other.pt", channels=(2, 3, 4, 5), seed=1)
    networks = [load_feature_network(path), load_feature_network(other)]
    P = ProjectedDiscriminator(networks, 32)
    P.calibrate(random_images())
    assert P(random_images()).shape == (4, 3 * 28)
    assert P.about["networks"] == [x.sha256 for x in networks]


def test_patches_are_the_image_at_four_octaves() -> None:
    images = random_images(2)
    maps = Patches()(images)
    assert [tuple(x.shape) for x in maps] == [(2, 48, side, side) for side in (8, 4, 2, 1)]
    for octave, x in enumerate(maps):
        small = F.avg_pool2d(images, 2**octave)
        assert torch.allclose(F.pixel_shuffle(x, 4), small, atol=1e-6)


def test_only_heads_are_trained(path: Path) -> None:
    P = tiny_projected(path)
    trained = {id(p) for p in P.trained_parameters()}
    assert {id(p) for p in P.heads.parameters()} == trained
    assert {id(p) for p in P.parameters() if p.requires_grad} == trained
    assert all(name.startswith(("heads.", "projections.")) for name in P.state_dict())
    other = tiny_projected(path, seed=1)
    other.load_state_dict(P.state_dict(), strict=True)
    P.calibrate(random_images())
    other.calibrate(random_images())
    assert torch.equal(other.eval()(random_images()), P.eval()(random_images()))


def test_calibration(path: Path) -> None:
    """Deviations of the very maps; the processes of a training agree on their mean."""
    P = tiny_projected(path)
    assert not P.calibrated
    P.calibrate(random_images())
    assert P.calibrated
    network = P.networks[0]
    for x, deviation in zip(network(random_images()), P.projections[0].deviation, strict=True):
        torch.testing.assert_close(deviation, x.std())
    other = tiny_projected(path)
    other.calibrate(random_images(), lambda deviation: 2 * deviation)
    assert torch.equal(other.projections[0].deviation, 2 * P.projections[0].deviation)


def test_gradients_reach_the_images_through_every_map(path: Path) -> None:
    P, images = tiny_projected(path), random_images().requires_grad_(True)
    P.calibrate(images.detach())
    features = P.features(images)
    for x in features:
        (gradient,) = torch.autograd.grad(x.square().sum(), images, retain_graph=True)
        assert gradient.abs().amax(dim=(1, 2, 3)).min() > 0


def test_bfloat16_gives_similar_logits(path: Path) -> None:
    exact, rough = tiny_projected(path), tiny_projected(path, dtype=torch.bfloat16)
    images = random_images(16)
    for P in (exact, rough):
        P.calibrate(images)
    assert {x.dtype for x in rough.features(images)} == {torch.bfloat16}
    wanted, found = exact(images).detach(), rough(images).detach()
    assert found.dtype == torch.float32
    assert float((found - wanted).norm() / wanted.norm()) < 0.1


def test_copies_give_the_same_logits(path: Path) -> None:
    P = tiny_projected(path).eval()
    P.calibrate(random_images())
    for other in (copy.deepcopy(P), frozen_copy(P)):
        assert torch.equal(other(random_images()), P(random_images()))


def test_a_batch_of_one_image_is_refused(path: Path) -> None:
    P = tiny_projected(path)
    P.calibrate(random_images())
    with pytest.raises(ValueError, match="batch of at least two"):
        P(random_images(1))


class TestNetworksThatDoNotFit:
    @pytest.mark.parametrize(
        ("shapes", "found"),
        [
            (
                [(4, 8, 8), (4, 4, 4), (4, 2, 2)],
                r"returns \[4, 8, 8\], \[4, 4, 4\], \[4, 2, 2\] for",
            ),
            ([(4, 8, 8)] * 4, "half the size"),
            ([(4, 8, 8), (4, 4, 4), (4, 2, 2), (4, 1, 1), (4, 1, 1)], "need 4 square maps"),
            ([(4, 8, 4), (4, 4, 2), (4, 2, 1), (4, 1, 1)], r"\[4, 8, 4\]"),
            ([(8,), (4,), (2,), (1,)], r"returns \[8\], \[4\]"),
            ([(1404,)], r"returns \[1404\]"),
            ([], "half the size"),
        ],
    )
    def test_the_maps_are_named(self, shapes: list[tuple[int, ...]], found: str) -> None:
        with pytest.raises(ValueError, match=found) as caught:
            ProjectedDiscriminator([FeatureNetwork(Stub(*shapes))], 32)
        assert str(caught.value).startswith("feature network 1 returns")
        assert "\n" not in str(caught.value)

    def test_a_network_that_fails_or_returns_no_tensors(self, path: Path, tmp_path: Path) -> None:
        needs_192 = save_script(nn.Sequential(nn.Flatten(), nn.Linear(9, 4)), tmp_path / "f.pt")
        with pytest.raises(ValueError, match="feature network 2 fails for RGB images") as caught:
            ProjectedDiscriminator([load_feature_network(p) for p in (path, needs_192)], 32)
        assert "\n" not in str(caught.value)

        class Named(Stub):
            def forward(self, images: Tensor) -> dict[str, Tensor]:  # type: ignore[override]
                return {"maps": images}

        with pytest.raises(ValueError, match="fails for RGB images"):
            ProjectedDiscriminator([FeatureNetwork(Named())], 32)


def test_norms_improve_by_one_iteration_a_judgment_while_it_trains(path: Path) -> None:
    """And only then: convolutions do not add another."""
    P = tiny_projected(path)
    P.calibrate(random_images())
    again = copy.deepcopy(P)
    P.train()(random_images())
    improve(spectral_norms(again.heads))
    for one, other in zip(spectral_norms(P), spectral_norms(again), strict=True):
        assert torch.equal(one.v, other.v)
    P.eval()(random_images())
    for one, other in zip(spectral_norms(P), spectral_norms(again), strict=True):
        assert torch.equal(one.v, other.v)
