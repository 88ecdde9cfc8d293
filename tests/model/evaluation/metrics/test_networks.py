"""The evaluation networks: the real files where available, otherwise small TorchScript stubs."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from inpaint_model.evaluation.metrics import feature_networks
from inpaint_model.evaluation.metrics.feature_networks import features_of, load_evaluation_networks
from shared_files import SHARED
from torch import Tensor, nn


class Inception(nn.Module):
    """The calling convention of NVIDIA's file."""

    def forward(self, x: Tensor, return_features: bool = False) -> Tensor:
        assert return_features
        return x.float().mean(dim=[2, 3])


class Vgg(nn.Module):
    """The calling convention of NVIDIA's LPIPS file."""

    def forward(self, x: Tensor, resize_images: bool = True, return_lpips: bool = False) -> Tensor:
        assert not resize_images
        assert return_lpips
        return x.mean(dim=[2, 3]) / 255


@pytest.mark.filterwarnings("ignore:.torch.jit:DeprecationWarning")  # making the stand-ins
def test_files_that_are_there_decide_what_is_measured(tmp_path: Path) -> None:
    assert load_evaluation_networks([]).inception == ()
    with pytest.raises(ValueError, match="none of the metric networks"):
        load_evaluation_networks([tmp_path])
    torch.jit.script(Inception()).save(str(tmp_path / feature_networks.INCEPTION_2048))
    torch.jit.script(Vgg()).save(str(tmp_path / feature_networks.LPIPS_VGG))
    judges = load_evaluation_networks([tmp_path])
    assert [network.suffix for network in judges.inception] == [""]
    assert judges.vgg_taps is None
    assert judges.maps is None
    assert judges.detect is None
    assert judges.mesh is None
    assert judges.embed is None
    assert judges.lpips is not None
    black, white = -torch.ones(2, 3, 8, 8), torch.ones(2, 3, 8, 8)
    assert judges.lpips(black, white).tolist() == pytest.approx([3, 3])
    images = torch.arange(5, dtype=torch.uint8)[:, None, None, None].expand(-1, 3, 8, 8)
    found = features_of(judges.inception[0], images, "test", batch=2)
    assert found.tolist() == [[n] * 3 for n in range(5)]


@pytest.mark.filterwarnings("ignore:.torch.jit:DeprecationWarning")  # making the stand-ins
def test_the_first_folder_that_has_a_file_provides_it(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    for folder in (first, second):
        folder.mkdir()
    torch.jit.script(Inception()).save(str(second / feature_networks.INCEPTION_2048))
    torch.jit.script(Vgg()).save(str(second / feature_networks.LPIPS_VGG))
    (first / feature_networks.LPIPS_VGG).write_bytes(b"comes first")
    with pytest.raises(ValueError, match=re.escape(str(first / feature_networks.LPIPS_VGG))):
        load_evaluation_networks([first, second])
    judges = load_evaluation_networks([second, first])
    assert judges.sha256 == {
        name: hashlib.sha256((second / name).read_bytes()).hexdigest()
        for name in (feature_networks.INCEPTION_2048, feature_networks.LPIPS_VGG)
    }
    (second / feature_networks.LPIPS_VGG).unlink()
    assert load_evaluation_networks([second]).key != judges.key
    with pytest.raises(ValueError, match=f"{tmp_path.name} holds none"):
        load_evaluation_networks([second, tmp_path])


def test_a_file_of_another_kind_is_named(tmp_path: Path) -> None:
    (tmp_path / feature_networks.VGG_TAPS).write_bytes(b"no torchscript")
    with pytest.raises(ValueError, match=feature_networks.VGG_TAPS):
        load_evaluation_networks([tmp_path])


@pytest.mark.slow
@pytest.mark.shared("metrics")
def test_the_offline_networks_answer_as_described() -> None:
    judges = load_evaluation_networks([SHARED / "metrics"])
    (inception,) = judges.inception
    assert inception.suffix == "768"
    image = torch.randint(256, (2, 3, 64, 64), dtype=torch.uint8)
    features = features_of(inception, image, "test")
    assert features.shape == (2, 768)
    assert inception.maps is not None
    with torch.inference_mode():
        last = inception.maps(image)[-1]
    assert np.allclose(last.mean(dim=(2, 3)).numpy(), features, atol=1e-4)
    assert judges.vgg_taps is not None
    assert [tap.shape[1] for tap in judges.vgg_taps(torch.zeros(1, 3, 32, 32))] == [64, 128, 256]
