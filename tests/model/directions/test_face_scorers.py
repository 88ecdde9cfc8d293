"""scripts/face-scorers: shapes of faces from the landmarks of a network."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from inpaint_client.example import PORTRAIT
from inpaint_model.directions.scorers import load_scorers
from PIL import Image
from shared_files import SHARED
from torch import Tensor, nn

ROOT = Path(__file__).resolve().parents[3]
NETWORK = "nets/landmarks468_fp16.pt"


class Landmarks(nn.Module):
    """Stands for the network: points at places that are given, shifted by the first pixel."""

    def __init__(self, mesh: Tensor, outlines: Tensor) -> None:
        super().__init__()
        self.mesh, self.outlines = mesh, outlines

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        assert x.shape[1:] == (3, 192, 192)
        shift = x[:, :1, 0, 0] * 5
        flag = torch.ones(len(x), 1)
        return self.mesh[None] + shift, flag, self.outlines[None] + shift


def scorers_of(network: Path, out: Path) -> None:
    script = str(ROOT / "scripts" / "face-scorers")
    subprocess.run([sys.executable, "-W", "ignore", script, str(network), str(out)], check=True)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # torch.jit's own
def test_scores_are_ratios_of_distances(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    m = rng.uniform(0, 192, (468, 3)).astype(np.float32)
    o = rng.uniform(0, 192, (133, 2)).astype(np.float32)
    network = Landmarks(torch.from_numpy(m.ravel()), torch.from_numpy(o.ravel()))
    torch.jit.script(network).save(str(tmp_path / "landmarks.pt"))
    scorers_of(tmp_path / "landmarks.pt", tmp_path / "scorers.pt")

    def d(points: np.ndarray, a: int, b: int) -> float:
        return float(np.linalg.norm(points[a, :2] - points[b, :2]))

    def smile(p: np.ndarray, left: int, right: int, upper: int, lower: int) -> float:
        raised = (p[upper, 1] + p[lower, 1] - p[left, 1] - p[right, 1]) / 2
        return d(p, left, right) + float(raised)

    top = (o[0] + o[1]) / 2
    brows = (m[33, 1] + m[263, 1] - m[105, 1] - m[334, 1]) / 2
    eyes_y, mouth_y = (o[56, 1] + o[80, 1]) / 2, (o[106, 1] + o[116, 1]) / 2
    expected = [
        d(m, 234, 454) / d(m, 10, 152),
        (d(o, 27, 10) + d(o, 24, 13)) / 2 / float(np.linalg.norm(top - o[18])),
        (d(m, 159, 145) + d(m, 386, 374)) / d(m, 33, 263),
        (d(o, 60, 69) + d(o, 76, 84)) / d(o, 56, 80),
        smile(m, 61, 291, 13, 14) / d(m, 33, 263),
        smile(o, 106, 116, 92, 101) / d(o, 56, 80),
        d(m, 13, 14) / d(m, 33, 263),
        d(o, 92, 101) / d(o, 56, 80),
        brows / d(m, 33, 263),
        (eyes_y - o[36:56, 1].mean()) / d(o, 56, 80),
        (d(m, 0, 17) - d(m, 13, 14)) / d(m, 33, 263),
        (d(o, 111, 121) - d(o, 92, 101)) / d(o, 56, 80),
        d(m, 98, 327) / d(m, 33, 263),
        d(o, 129, 130) / d(o, 56, 80),
        (m[152, 2] - m[10, 2]) / d(m, 10, 152),
        (o[127, 1] - eyes_y) / (mouth_y - eyes_y),
    ]
    images = torch.rand(2, 3, 256, 256, generator=torch.Generator().manual_seed(0)) * 2 - 1
    for output, value in enumerate(expected):
        ((_, score),) = load_scorers([f"it={tmp_path / 'scorers.pt'}:{output}"])
        found = score(images)
        assert found.shape == (2,)
        assert found.numpy() == pytest.approx([value, value], rel=1e-4)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_scorers_of_one_file_share_a_network(tmp_path: Path) -> None:
    class Counted(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.calls = nn.Buffer(torch.zeros(1))

        def forward(self, x: Tensor) -> Tensor:
            self.calls.add_(1)
            return torch.stack([self.calls.expand(len(x)), x.mean(dim=(1, 2, 3))], dim=1)

    torch.jit.script(Counted()).save(str(tmp_path / "counted.pt"))
    (_, calls), (_, mean) = load_scorers([f"{k}={tmp_path / 'counted.pt'}:{k}" for k in (0, 1)])
    for number, level in enumerate((0.5, -0.25), start=1):
        images = torch.full((2, 3, 8, 8), level)
        assert calls(images).tolist() == [number, number]
        assert mean(images).tolist() == [level, level]
        assert calls(images).tolist() == [number, number]


@pytest.mark.slow
@pytest.mark.shared(NETWORK)
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_stretched_face_is_broader(tmp_path: Path) -> None:
    scorers_of(SHARED / NETWORK, tmp_path / "scorers.pt")
    face = Image.open(PORTRAIT).convert("RGB")
    w, h = face.size
    images = []
    for stretch in (0.9, 1.0, 1.1):
        crop = face.transform(
            (w, h), Image.Transform.AFFINE, (1 / stretch, 0, w / 2 * (1 - 1 / stretch), 0, 1, 0)
        )
        images.append(np.asarray(crop.resize((256, 256)), np.float32) / 127.5 - 1)
    batch = torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2)
    for output in (0, 1):
        ((_, score),) = load_scorers([f"face_width={tmp_path / 'scorers.pt'}:{output}"])
        narrow, own, broad = score(batch).tolist()
        assert narrow < own < broad
