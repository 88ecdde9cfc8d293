"""Perceptual distances."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from inpaint_model.training.perceptual_loss import VGG16, PerceptualLoss, load_vgg16
from short_trainings import rand
from torch import Tensor, nn


class TestPerceptual:
    def test_vgg16_has_the_published_layout(self, tmp_path: Path) -> None:
        network = VGG16()
        names = [n.removesuffix(".weight") for n in network.state_dict() if "weight" in n]
        expected = [0, 2, 5, 7, 10, 12, 14, 17, 19, 21]  # torchvision's vgg16().features
        assert names == [f"features.{i}" for i in expected]
        taps = network(torch.zeros(1, 3, 32, 32))
        assert [t.shape[1:] for t in taps] == [
            (64, 32, 32),
            (128, 16, 16),
            (256, 8, 8),
            (512, 4, 4),
        ]
        torch.save(network.state_dict() | {"classifier.0.bias": torch.zeros(3)}, tmp_path / "v.pth")
        again = load_vgg16(tmp_path / "v.pth")
        wanted = network(torch.ones(1, 3, 32, 32))[3]
        torch.testing.assert_close(again(torch.ones(1, 3, 32, 32))[3], wanted)  # another layout
        short = load_vgg16(tmp_path / "v.pth", torch.bfloat16)(torch.ones(1, 3, 32, 32))
        assert {tap.dtype for tap in short} == {torch.bfloat16}
        assert (short[3] - wanted).norm() < 0.05 * wanted.norm()
        torch.save({}, tmp_path / "empty.pth")
        with pytest.raises(ValueError, match="it lacks"):
            load_vgg16(tmp_path / "empty.pth")

    def test_large_images_are_compared_downscaled_and_in_a_window(self) -> None:
        seen: list[Tensor] = []

        def features(images: Tensor) -> list[Tensor]:
            seen.append(images)
            return [images]

        loss = PerceptualLoss(features, side=32)
        images, targets = rand(2, 3, 128, 128), rand(2, 3, 128, 128, seed=1)
        loss.calibrate(images)
        seen.clear()
        window = loss.window(128, torch.Generator().manual_seed(2))
        distance = loss(images, targets, window)
        assert [tuple(x.shape) for x in seen] == [(2, 3, 32, 32)] * 4
        assert torch.allclose(seen[1], nn.functional.avg_pool2d(images, 4), atol=1e-6)
        places = images.unfold(2, 32, 1).unfold(3, 32, 1)  # every window there is
        same = (places == seen[3][:, :, None, None]).flatten(4).all(-1).all(1).all(0)
        assert int(same.sum()) == 1
        assert float(distance) > 0
        assert torch.equal(distance, loss(images, targets, window))
        with pytest.raises(ValueError, match="pass one"):
            loss(images, targets)
        assert loss.window(32, torch.Generator()) is None  # small images need no window

    def test_windows_of_holes(self) -> None:
        """They lie inside the image and around a pixel of the hole, which `draws` choose."""
        seen: list[Tensor] = []

        def features(images: Tensor) -> list[Tensor]:
            seen.append(images)
            return [images]

        loss = PerceptualLoss(features, side=32)
        hole = torch.zeros(3, 1, 128, 128)
        hole[0, :, 60:64, 10:12] = 1  # near the left border
        hole[1, :, 70, 70] = hole[1, :, 100, 90] = 1
        hole[2, :, :, 100:] = 1
        draws = torch.tensor([0.999, 0.49, 0.0])
        windows = loss.windows_on(hole, draws)
        assert windows is not None
        assert windows.tolist() == [[47, 0], [54, 54], [0, 84]]
        draws[1] = 0.51
        again = loss.windows_on(hole, draws)
        assert again is not None
        assert again[1].tolist() == [84, 74]
        assert loss.windows_on(hole[..., :32, :32], draws) is None

        images, targets = rand(3, 3, 128, 128), rand(3, 3, 128, 128, seed=1)
        loss.calibrate(images)
        seen.clear()
        loss(images, targets, windows)
        for n, (top, left) in enumerate(windows.tolist()):
            assert torch.equal(seen[2][n], targets[n, :, top : top + 32, left : left + 32])
            assert torch.equal(seen[3][n], images[n, :, top : top + 32, left : left + 32])

    def test_windows_without_a_hole(self) -> None:
        windows = PerceptualLoss(lambda x: [x], side=32).windows_on(
            torch.zeros(1, 1, 64, 64), torch.rand(1)
        )
        assert windows is not None
        assert windows.tolist() == [[32, 32]]

    def test_layers_weigh_the_same(self) -> None:
        loss = PerceptualLoss(lambda x: [x, 100 * x])
        x, y = rand(2, 3, 8, 8), rand(2, 3, 8, 8, seed=1)
        with pytest.raises(ValueError, match="calibrate"):
            loss(x, y)
        loss.calibrate(x)
        expected = (x - y).square().mean() / x.square().mean()
        torch.testing.assert_close(loss(x, y), expected)
