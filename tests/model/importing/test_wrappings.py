"""The same networks, wrapped as trainings and tools wrap them: what comes out is the same."""

from __future__ import annotations

import argparse
import array
import collections
import datetime
import decimal
import enum
import functools
import json
import pathlib
import pickle
import random
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from checkpoint_files import state_dict, write_nvidia, write_torch
from foreign_networks import (
    Sizes,
    Tensors,
    nvidia_discriminator,
    nvidia_generator,
    rosinality_discriminator,
    rosinality_generator,
)
from inpaint_model.importing import Checkpoint, CheckpointError, import_checkpoint
from safetensors.torch import save_file
from torch import nn

TINY = Sizes()
LAYOUTS: Mapping[str, tuple[Callable[..., Tensors], Callable[..., Tensors], str]] = {
    "nvidia": (nvidia_generator, nvidia_discriminator, "synthesis.b4.const"),
    "rosinality": (rosinality_generator, rosinality_discriminator, "input.input"),
}
EVERY_LAYOUT = pytest.mark.parametrize("layout", LAYOUTS)


def generator(layout: str, seed: int = 0) -> Tensors:
    return LAYOUTS[layout][0](TINY, seed)


def const(checkpoint: Checkpoint) -> torch.Tensor:
    return checkpoint.generator.synthesis.block(4).const


def is_taken(checkpoint: Checkpoint, layout: str, seed: int = 0) -> bool:
    """Whether the generator of this seed was taken."""
    expected = generator(layout, seed)[LAYOUTS[layout][2]]
    return torch.equal(const(checkpoint), expected.reshape(const(checkpoint).shape))


def prefixed(prefix: str, tensors: Tensors) -> dict[str, torch.Tensor]:
    return {prefix + name: tensor for name, tensor in tensors.items()}


@EVERY_LAYOUT
@pytest.mark.parametrize(
    "prefix",
    [
        *("", "module.", "module.module.", "_orig_mod.", "_orig_mod.module.", "model."),
        *("generator.", "G_ema.", "g_ema.module.", "net.backbone._orig_mod.", "decoder."),
    ],
)
def test_names_with_prefixes(tmp_path: Path, layout: str, prefix: str) -> None:
    G, D, _ = LAYOUTS[layout]
    value = state_dict(prefixed(prefix, G(TINY)) | prefixed("D." + prefix, D(TINY)))
    checkpoint = import_checkpoint(write_torch(tmp_path / "x.pt", value))
    assert is_taken(checkpoint, layout)
    assert checkpoint.discriminator is not None


@EVERY_LAYOUT
def test_some_names_with_prefixes_and_some_without(tmp_path: Path, layout: str) -> None:
    mixed = {
        "module." + name if index % 2 else name.replace(".", ".module.", 1): tensor
        for index, (name, tensor) in enumerate(generator(layout).items())
    }
    checkpoint = import_checkpoint(write_torch(tmp_path / "x.pt", {"g_ema": mixed}))
    assert is_taken(checkpoint, layout)


@EVERY_LAYOUT
@pytest.mark.parametrize("legacy", [False, True], ids=["zip", "legacy"])
@pytest.mark.parametrize(
    "wrap",
    [
        lambda g: {"state_dict": g},
        lambda g: {"model": {"ema": g}, "epoch": 3},
        lambda g: {"params_ema": g, "params": {}},
        lambda g: {"networks": [{"G_ema": g}], "step": np.float64(3)},
        lambda g: (g,),
        lambda g: [g, "a note"],
        lambda g: {"nets": {"generator_ema": {"weights": g}}},
    ],
)
def test_dictionaries_and_lists_around_a_state_dict(
    tmp_path: Path, layout: str, legacy: bool, wrap: Callable[[object], object]
) -> None:
    value = wrap(state_dict(generator(layout)))
    checkpoint = import_checkpoint(write_torch(tmp_path / "x.pt", value, legacy=legacy))
    assert is_taken(checkpoint, layout)
    assert checkpoint.discriminator is None


@EVERY_LAYOUT
@pytest.mark.parametrize(("raw", "averaged"), [("g", "g_ema"), ("G", "G_ema"), ("G", "Gs")])
def test_of_two_generators_the_averaged_one_is_taken(
    tmp_path: Path, layout: str, raw: str, averaged: str
) -> None:
    value = {raw: generator(layout, 1), averaged: generator(layout, 2)}
    for ordered in (value, dict(reversed(value.items()))):
        checkpoint = import_checkpoint(write_torch(tmp_path / "x.pt", ordered))
        assert is_taken(checkpoint, layout, seed=2)
        assert raw in checkpoint.source.ignored
    alone = import_checkpoint(write_torch(tmp_path / "x.pt", {raw: generator(layout, 1)}))
    assert any("no averaged generator" in note for note in alone.source.notes)


@EVERY_LAYOUT
def test_of_a_tuple_the_last_generator_is_taken(tmp_path: Path, layout: str) -> None:
    G, D, _ = LAYOUTS[layout]
    value = (G(TINY, 1), D(TINY), G(TINY, 2))
    checkpoint = import_checkpoint(write_torch(tmp_path / "x.pt", value))
    assert is_taken(checkpoint, layout, seed=2)
    assert checkpoint.discriminator is not None
    assert any("took the last one" in note for note in checkpoint.source.notes)


@EVERY_LAYOUT
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_safetensors(tmp_path: Path, layout: str, dtype: torch.dtype) -> None:
    path = tmp_path / "x.safetensors"
    G, D, _ = LAYOUTS[layout]
    tensors = prefixed("g_ema.", G(TINY)) | prefixed("d.", D(TINY))
    save_file({n: t.to(dtype).contiguous() for n, t in tensors.items()}, path, {"step": "3"})
    checkpoint = import_checkpoint(path)
    expected = G(TINY)[LAYOUTS[layout][2]].to(dtype).float()
    assert torch.equal(const(checkpoint), expected.reshape(const(checkpoint).shape))
    assert checkpoint.discriminator is not None
    assert checkpoint.source.precision == f"stored in {str(dtype).removeprefix('torch.')}"


def module(tensors: Tensors) -> nn.Module:
    """Modules that hold these tensors under their names."""
    root = nn.Module()
    for name, tensor in tensors.items():
        *path, leaf = name.split(".")
        inner = root
        for part in path:
            if part not in inner._modules:
                inner.add_module(part, nn.Module())
            inner = inner.get_submodule(part)
        inner.register_parameter(leaf, nn.Parameter(tensor))
    return root


@EVERY_LAYOUT
@pytest.mark.parametrize("legacy", [False, True], ids=["zip", "legacy"])
def test_modules_that_were_pickled_whole(tmp_path: Path, layout: str, legacy: bool) -> None:
    G = nn.DataParallel(module(generator(layout)))
    for value in (G, {"g_ema": G, "epoch": 1}, argparse.Namespace(g_ema=G)):
        checkpoint = import_checkpoint(write_torch(tmp_path / "x.pt", value, legacy=legacy))
        assert is_taken(checkpoint, layout)


@pytest.mark.parametrize("protocol", [3, 4, 5])
def test_persistent_modules_alone_and_in_rows(tmp_path: Path, protocol: int) -> None:
    raw, averaged = nvidia_generator(TINY, 1), nvidia_generator(TINY, 2)
    D = nvidia_discriminator(TINY)
    for arrange in ("bare", "tuple", "list"):
        path = write_nvidia(
            tmp_path / "x.pkl",
            averaged,
            D,
            raw_generator=raw,
            conv_clamp=256,
            num_fp16_res=4,
            protocol=protocol,
            arrange=arrange,
        )
        checkpoint = import_checkpoint(path)
        assert is_taken(checkpoint, "nvidia", seed=2)
        assert checkpoint.generator.config.conv_clamp == 256
        assert (checkpoint.discriminator is None) == (arrange == "bare")


def test_averaged_models_of_torch(tmp_path: Path) -> None:
    averaged = torch.optim.swa_utils.AveragedModel(module(rosinality_generator(TINY)))
    checkpoint = import_checkpoint(write_torch(tmp_path / "x.pt", averaged.state_dict()))
    assert is_taken(checkpoint, "rosinality")


class Color(enum.Enum):
    RED = 1


def extras() -> dict[str, object]:
    """Other content of training checkpoints."""
    return {
        "device": torch.device("cuda:1"),
        "dtype": torch.float16,
        "size": torch.Size([1, 2]),
        "numpy state": np.random.get_state(),
        "numpy generator": np.random.default_rng(0),
        "legacy generator": np.random.RandomState(0),
        "random": random.getstate(),
        "torch state": torch.get_rng_state(),
        "path": pathlib.Path("runs/00001"),
        "windows path": pathlib.PureWindowsPath("runs\\1"),
        "default": collections.defaultdict(list, {"loss": [1.0, 2.0], 3: [None]}),
        "counter": collections.Counter("abca"),
        "deque": collections.deque([1, 2], maxlen=3),
        "names": collections.namedtuple,
        "ordered": collections.OrderedDict([(1, 2)]),
        "arrays": {"f": np.zeros((2, 3)), "o": np.array([None, "x"], object), "s": np.array("x")},
        "numpy": [np.float32(1), np.bool_(True), np.datetime64("2026-01-01"), np.complex128(1j)],
        "tuple keys": {(1, 2): 3, 1.5: 2, None: 1, b"x": 0},
        "sets": [{1, 2}, frozenset({(1, 2)}), set()],
        "bytes": [b"", b"x" * 300, bytearray(b"y" * 10)],
        "numbers": [2**3000, -(2**70), 1e300, complex(1, 2), decimal.Decimal("1.5"), True],
        "time": datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC),
        "enum": Color.RED,
        "partial": functools.partial(int, base=2),
        "slice": slice(1, 2),
        "range": range(3),
        "array": array.array("d", [1.0]),
        "uuid": uuid.UUID(int=5),
        "losses": [[0.5] * 3] * 10 + [float(n) for n in range(200_000)],
        "exception": ValueError("x"),
        "function": json.dumps,
        "class": dict,
        "ellipsis": ...,
        "namespace": argparse.Namespace(lr=0.002, device=torch.device("cpu")),
        "optimizer": torch.optim.Adam([nn.Parameter(torch.ones(2))]).state_dict(),
        "module": nn.Sequential(nn.Conv2d(1, 1, 1), nn.BatchNorm2d(1)),
        "complex tensor": torch.zeros(2, dtype=torch.complex64),
        "integers": torch.arange(3),
        "parameter": nn.Parameter(torch.ones(2)),
        "sparse": torch.eye(2).to_sparse(),
    }


@EVERY_LAYOUT
@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
@pytest.mark.parametrize("name", sorted(extras()))
def test_unused_values_are_ignored(tmp_path: Path, layout: str, protocol: int, name: str) -> None:
    value: dict[str, Any] = {name: extras()[name], "g_ema": generator(layout)}
    path = tmp_path / "x.pt"
    torch.save(value, path, pickle_protocol=protocol)
    checkpoint = import_checkpoint(path)
    assert is_taken(checkpoint, layout)


def test_everything_at_once_in_both_containers(tmp_path: Path) -> None:
    value = {**extras(), "g_ema": rosinality_generator(TINY), "latent_avg": torch.ones(12)}
    del value["sparse"]  # the older format cannot store it
    for legacy in (False, True):
        checkpoint = import_checkpoint(write_torch(tmp_path / "x.pt", value, legacy=legacy))
        assert is_taken(checkpoint, "rosinality")
        assert "and" in checkpoint.source.ignored[-2]
        assert checkpoint.source.ignored[-1].startswith("values of ")


@EVERY_LAYOUT
def test_counters_in_the_dictionary_of_a_network(tmp_path: Path, layout: str) -> None:
    value = generator(layout) | {"step": torch.tensor(7), "ada_p": torch.tensor([0.3])}
    assert is_taken(import_checkpoint(write_torch(tmp_path / "x.pt", value)), layout)


def test_a_mean_in_a_wrapper_belongs_to_its_generator(tmp_path: Path) -> None:
    value = {
        "latent_avg": torch.zeros(12),
        "best": {"g_ema": rosinality_generator(TINY), "latent_avg": torch.ones(12)},
    }
    checkpoint = import_checkpoint(write_torch(tmp_path / "x.pt", value))
    assert torch.equal(checkpoint.generator.mapping.w_avg, torch.ones(12))


def test_a_generator_without_noise(tmp_path: Path) -> None:
    g = {n: t for n, t in nvidia_generator(TINY).items() if "noise" not in n}
    checkpoint = import_checkpoint(write_nvidia(tmp_path / "x.pkl", g))
    assert checkpoint.source.notes == ("its layers have no noise",)
    made = checkpoint.generator
    ws = made.mapping(torch.ones(1, 12))
    assert torch.equal(made.synthesis(ws), made.synthesis(ws, noise_mode="none"))


def test_tensors_further_into_the_network_are_not_passed_over(tmp_path: Path) -> None:
    for layout in LAYOUTS:
        tensors = generator(layout) | {"attention.0.weight": torch.ones(2)}
        path = write_torch(tmp_path / "x.pt", {"g_ema": tensors})
        with pytest.raises(CheckpointError, match=r"has .attention\.0\.weight., which no"):
            import_checkpoint(path)


def test_one_name_for_two_tensors_is_refused(tmp_path: Path) -> None:
    g = rosinality_generator(TINY)
    path = write_torch(tmp_path / "x.pt", g | {"module.style.1.bias": torch.ones(12)})
    with pytest.raises(CheckpointError, match=r"holds two tensors of the name .style\.1\.bias."):
        import_checkpoint(path)


def test_a_discriminator_alone(tmp_path: Path) -> None:
    path = write_torch(tmp_path / "x.pt", {"d": rosinality_discriminator(TINY)})
    with pytest.raises(CheckpointError, match="a StyleGAN2 discriminator, but no generator"):
        import_checkpoint(path)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.999])
def test_half_downloads_are_called_truncated(tmp_path: Path, share: float) -> None:
    g = rosinality_generator(TINY)
    save_file(g, tmp_path / "a.safetensors")
    files = [
        write_torch(tmp_path / "b.pt", {"g_ema": g}),
        write_torch(tmp_path / "c.pt", {"g_ema": g}, legacy=True),
        write_nvidia(tmp_path / "d.pkl", nvidia_generator(TINY)),
        tmp_path / "a.safetensors",
    ]
    for path in files:
        whole = path.read_bytes()
        path.write_bytes(whole[: int(len(whole) * share)])
        with pytest.raises(CheckpointError, match="is truncated: its end is missing"):
            import_checkpoint(path)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"<!DOCTYPE html><title>Quota exceeded</title>", "is a web page, not a checkpoint"),
        (b"\n <HTML>", "is a web page, not a checkpoint"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "is a Git LFS pointer"),
    ],
)
def test_what_a_download_leaves_in_its_place(tmp_path: Path, content: bytes, reason: str) -> None:
    path = tmp_path / "x.pkl"
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match=reason):
        import_checkpoint(path)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_plain_pickles_without_torch(tmp_path: Path, layout: str) -> None:
    path = tmp_path / "x.pkl"
    path.write_bytes(pickle.dumps({"G_ema": generator(layout)}))
    assert is_taken(import_checkpoint(path), layout)
