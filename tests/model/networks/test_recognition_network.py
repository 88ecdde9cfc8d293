"""The face recognition network: the published one, and what its features tell."""

from __future__ import annotations

import pytest
import torch
from example_tensors import PHOTO, head
from inpaint_model.bundle.recognition import recognition_network
from inpaint_model.bundle.torchscript import load_torchscript
from inpaint_model.networks.recognition_network import FEATURES, PERSON, SIDE, features_of
from shared_files import SHARED
from torch.nn.functional import cosine_similarity

NETWORK = "nets/face_mobilenet_fp16.pt"


@pytest.mark.shared(PHOTO, NETWORK)
def test_maps_are_those_of_the_published_network() -> None:
    published = load_torchscript(SHARED / NETWORK).float()(head(256))[1:]
    ours = recognition_network()(head(256))
    assert [x.shape for x in ours] == [x.shape for x in published]
    for own, other in zip(ours, published, strict=True):
        # The published depthwise weights have a scale of their own; ours were rounded once more.
        assert float((own - other).norm() / other.norm()) < 0.01


@pytest.mark.parametrize("side", [64, 256, 300])
def test_features_of_any_size(side: int) -> None:
    images = torch.rand(2, 3, side, side, generator=torch.Generator().manual_seed(0)) * 2 - 1
    features = features_of(recognition_network(), images)
    assert features.shape == (2, FEATURES)
    assert features.dtype == torch.float32
    one = features_of(recognition_network(), images[1:])
    torch.testing.assert_close(features[1:], one, atol=1e-4, rtol=1e-4)


def test_half_precision_is_close_enough() -> None:
    image = torch.rand(1, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(0)) * 2 - 1
    exact, fast = (
        features_of(recognition_network(dtype), image)[:, -PERSON:]
        for dtype in (torch.float32, torch.bfloat16)
    )
    assert float(cosine_similarity(exact, fast)) > 0.98
