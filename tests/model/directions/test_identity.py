"""Whether a face stays the same person."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from drawings import portrait
from inpaint_model.data.image_tensors import from_uint8
from inpaint_model.directions.identity import Likeness, likeness
from PIL import Image
from shared_files import SHARED
from tiny_onnx import tiny_recognition
from torch import Tensor

NETWORK, PORTRAITS = "metrics/MobileFaceNet.onnx", "faces/portraits256.zip"


def by_color(images: Tensor) -> Tensor:
    return torch.nn.functional.normalize(images.mean(dim=(2, 3)), dim=1)


def test_a_change_is_measured_on_the_scale_of_unrelated_persons() -> None:
    red, green = torch.eye(3)[:2, :, None, None].expand(-1, -1, 4, 4)
    same = Likeness(by_color, strangers=0.0)
    assert same.change(torch.stack([red, red, red])) == pytest.approx(0)
    assert same.change(torch.stack([red, green, green])) == pytest.approx(1)
    assert same.change(torch.stack([red, red, green])) == pytest.approx(0.5)
    alike = Likeness(by_color, strangers=0.5)  # unrelated persons are similar: a change counts more
    assert alike.change(torch.stack([red, red, green])) == pytest.approx(1)


def test_no_network_is_one_sentence(tmp_path: Path) -> None:
    images = torch.zeros(2, 3, 32, 32)
    with pytest.raises(ValueError, match="is not a file"):
        likeness(tmp_path / "nothing.onnx", images)
    (tmp_path / "text.onnx").write_text("no network")
    with pytest.raises(ValueError, match=r"text.onnx is not an ONNX network|needs ONNX Runtime"):
        likeness(tmp_path / "text.onnx", images)


@pytest.fixture(
    params=["drawn", pytest.param("photographed", marks=pytest.mark.shared(NETWORK, PORTRAITS))]
)
def people(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Path, Tensor]:
    """Return a recognition network, and images [6, 3, R, R] of six persons it distinguishes."""
    if request.param == "drawn":
        faces = [portrait(256, seed) for seed in range(6)]
        return tiny_recognition(tmp_path / "tiny.onnx"), from_uint8(np.stack(faces))
    with zipfile.ZipFile(SHARED / PORTRAITS) as archive:
        names = sorted(name for name in archive.namelist() if name.startswith("val/"))[:6]
        faces = [np.asarray(Image.open(io.BytesIO(archive.read(n))).convert("RGB")) for n in names]
    return SHARED / NETWORK, from_uint8(np.stack(faces))


def test_a_network_recognizes_a_face(people: tuple[Path, Tensor]) -> None:
    pytest.importorskip("cv2")
    network, images = people
    measure = likeness(network, images)
    assert measure.strangers < 0.5
    lighter = (images[:1] * 0.9 + 0.1).clamp(-1, 1)
    assert measure.change(torch.cat([images[:1], lighter])) < 0.35
    assert measure.change(images) > 0.8
