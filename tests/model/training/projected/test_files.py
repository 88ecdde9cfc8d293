"""Heads in a file of their own: round trips, files that do not fit, damaged ones."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path

import pytest
import torch
from inpaint_model.bundle.manifest import Card, read_bundle
from inpaint_model.bundle.writer import save_bundle
from inpaint_model.training.projected.files import FILE, load_projected, save_projected
from safetensors.torch import load_file, save_file
from tiny_feature_networks import tiny_feature_network, tiny_projected
from tiny_networks import tiny_networks

pytestmark = pytest.mark.filterwarnings("ignore:.torch.jit:DeprecationWarning")
IMAGES = torch.randn(4, 3, 32, 32, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tiny_feature_network(tmp_path / "network.pt")


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 0.0), (torch.float16, 0.02)])
def test_round_trip(path: Path, tmp_path: Path, dtype: torch.dtype, tolerance: float) -> None:
    P, other = tiny_projected(path), tiny_projected(path, seed=1)
    P.calibrate(IMAGES)
    save_projected(P, tmp_path, dtype)
    assert {x.dtype for x in load_file(tmp_path / FILE).values()} == {dtype}
    assert load_projected(tmp_path, other)
    assert other.calibrated
    assert {x.dtype for x in other.state_dict().values()} == {torch.float32}
    wanted, found = P.eval()(IMAGES).detach(), other.eval()(IMAGES).detach()
    assert float((found - wanted).norm() / wanted.norm()) <= tolerance


def test_a_bundle_holds_them(path: Path, tmp_path: Path) -> None:
    P = tiny_projected(path)
    info = save_bundle(
        tmp_path / "b",
        tiny_networks()[0],
        Card("b"),
        write_extra=partial(save_projected, P),
        dtype="fp16",
    )
    assert {x.dtype for x in load_file(info.folder / FILE).values()} == {torch.float16}
    assert load_projected(info.folder, tiny_projected(path, seed=1))
    again = save_bundle(info.folder, tiny_networks()[0], Card("b"))
    assert not (again.folder / FILE).exists()  # the complete bundle is replaced
    assert read_bundle(again.folder) == again


@pytest.mark.slow
def test_what_does_not_fit_is_left_alone(path: Path, tmp_path: Path) -> None:
    P = tiny_projected(path)
    assert not load_projected(tmp_path, P)  # nothing there
    assert not load_projected(path, P)  # not even a folder
    save_projected(P, tmp_path)
    elsewhere = tiny_feature_network(tmp_path / "other.pt", seed=1)  # the same shapes
    for other in (tiny_projected(path, 64), tiny_projected(elsewhere)):
        before = {name: x.clone() for name, x in other.state_dict().items()}
        assert not load_projected(tmp_path, other)
        assert all(torch.equal(x, before[name]) for name, x in other.state_dict().items())


def test_damaged_files_are_one_sentence(path: Path, tmp_path: Path) -> None:
    P, file = tiny_projected(path), tmp_path / FILE
    save_projected(P, tmp_path)
    whole = file.read_bytes()
    tensors = P.state_dict()

    def check() -> None:
        with pytest.raises(ValueError, match="is damaged; delete it to train new heads") as caught:
            load_projected(tmp_path, P)
        assert str(caught.value).startswith(str(file))

    for damaged in (b"", whole[:100], whole[:-10], b"x" * 100):
        file.write_bytes(damaged)
        check()
    for metadata in (None, {"other": "{}"}, {"about": "{"}):
        save_file(tensors, file, metadata)
        check()
    tensors.popitem()
    save_file(tensors, file, {"about": json.dumps(P.about)})
    check()
