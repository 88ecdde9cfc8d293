"""Published files, damaged files, and files of others."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import torch
from inpaint_model.directions.published import read_published
from shared_files import SHARED

INTERFACEGAN = ("age", "eyeglasses", "gender", "pose", "smile")


class Harmful:
    """Unpickling it makes a folder."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (str(self.path),)


@pytest.fixture(params=["ours", pytest.param("theirs", marks=pytest.mark.shared("directions"))])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """Published files, and made-up numbers with the same names, shapes and types."""
    if request.param == "theirs":
        return SHARED / "directions"
    rng = np.random.default_rng(0)
    for name in INTERFACEGAN:
        normal = rng.standard_normal((1, 512))
        np.save(tmp_path / f"stylegan_ffhq_{name}_w_boundary.npy", normal / np.linalg.norm(normal))
    torch.save(torch.ones(1, 512), tmp_path / "e4e_smile.pt")
    components = {"mean": (1, 512), "comp": (80, 1, 512), "std": (80,)}
    torch.save(
        {k: torch.ones(size) for k, size in components.items()}, tmp_path / "ganspace_ffhq_pca.pt"
    )
    np.save(tmp_path / "wplus_18_smile.npy", rng.standard_normal((18, 512)))
    np.savez(tmp_path / "projected_w.npz", w=np.ones((1, 14, 512), np.float32))
    return tmp_path


@pytest.mark.parametrize("name", INTERFACEGAN)
def test_interfacegan(folder: Path, name: str) -> None:
    path = folder / f"stylegan_ffhq_{name}_w_boundary.npy"
    (found,) = read_published(path, 14, 512)
    assert (found.name, found.vector.shape) == (path.stem, (512,))
    assert np.linalg.norm(found.vector) == pytest.approx(1)


def test_torch_files(folder: Path) -> None:
    (smile,) = read_published(folder / "e4e_smile.pt", 18, 512)
    assert (smile.name, smile.vector.shape) == ("e4e_smile", (512,))
    components = read_published(folder / "ganspace_ffhq_pca.pt", 18, 512)
    assert len(components) == 80
    assert components[3].name == "component 3"
    assert components[3].vector.shape == (512,)


def test_w_plus_belongs_to_a_generator_of_its_size(folder: Path) -> None:
    path = folder / "wplus_18_smile.npy"
    (found,) = read_published(path, 18, 512)
    assert found.vector.shape == (18, 512)
    with pytest.raises(ValueError, match=r"\[18, 512\]; this generator takes .*\[14, 512\]"):
        read_published(path, 14, 512)


def test_a_code_is_not_a_direction(folder: Path) -> None:
    with pytest.raises(ValueError, match="a projected code"):
        read_published(folder / "projected_w.npz", 14, 512)


def write(path: Path) -> None:
    """Write a file of the kind given by its name."""
    kind, _, _ = path.name.partition(".")
    if kind == "pickled":
        np.save(path, np.array([Harmful(path.parent / "harm")], dtype=object), allow_pickle=True)
    elif kind == "harmful":
        torch.save({"direction": Harmful(path.parent / "harm")}, path)
    elif kind == "words":
        torch.save({"direction": "left"}, path)
    elif kind == "infinite":
        np.save(path, np.full((1, 8), np.inf))
    elif kind == "complex":
        np.save(path, np.ones((1, 8), dtype=np.complex128))
    elif kind == "zeros":
        np.save(path, np.zeros((1, 8)))
    elif kind == "wide":
        np.savez(path, direction=np.ones((1, 9)))
    elif kind == "huge":
        np.save(path, np.ones((1, 8)))
        path.write_bytes(
            path.read_bytes().replace(b"(1, 8), }" + b" " * 10, b"(1, 80000000000), }")
        )
    elif kind == "components":
        torch.save({"comp": torch.ones(5, 1, 8), "std": torch.ones(4)}, path)
    else:
        path.write_bytes(b"" if kind == "empty" else b"PK\x03\x04 nothing of the kind")


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("pickled.npy", "cannot be read: .*Python objects"),
        ("harmful.pt", "objects other than tensors"),
        ("words.pt", "'direction' is not a tensor"),
        ("infinite.npy", "not finite"),
        ("complex.npy", "complex128, not numbers"),
        ("zeros.npy", "only zeros"),
        ("wide.npz", "belongs to another generator"),
        ("huge.npy", "cannot be read"),
        ("components.pt", "belongs to another generator"),
        ("empty.npy", "cannot be read"),
        ("empty.npz", "cannot be read"),
        ("empty.pt", "cannot be read"),
        ("noise.npy", "cannot be read"),
        ("noise.npz", "cannot be read"),
        ("noise.pt", "cannot be read"),
        ("noise.txt", "not a .npy, .npz or .pt file"),
    ],
)
def test_a_bad_file_is_one_sentence(tmp_path: Path, name: str, reason: str) -> None:
    path = tmp_path / name
    write(path)
    with pytest.raises(ValueError, match=reason) as caught:
        read_published(path, 4, 8)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "harm").exists()


def test_a_missing_file() -> None:
    with pytest.raises(ValueError, match="is not a file"):
        read_published(Path("nowhere.npy"), 4, 8)
