"""Choosing a device, with torch's queries for available devices replaced."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from inpaint_model.cli.main import main
from inpaint_model.data import devices
from inpaint_model.data.devices import (
    choose_device,
    compute_exactly,
    compute_fast,
    measuring_device,
)
from inpaint_model.training import distributed


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    """How many devices of each kind there are; none of those that a test does not name."""
    counts: dict[str, int] = {}
    monkeypatch.setattr(devices, "count", lambda kind: counts.get(kind, 0))
    return counts


@pytest.mark.parametrize(
    ("counts", "chosen"),
    [
        ({}, "cpu"),
        ({"mps": 1}, "mps"),
        ({"mps": 1, "xpu": 2}, "xpu"),
        ({"mps": 1, "xpu": 1, "cuda": 4}, "cuda"),
    ],
)
def test_auto_takes_the_first_kind_there_is(
    counts: dict[str, int], chosen: str, here: dict[str, int]
) -> None:
    here.update(counts)
    assert choose_device("auto") == torch.device(chosen)


@pytest.mark.parametrize("wanted", ["cpu", "cuda", "cuda:3", "xpu", "xpu:0", "mps"])
def test_what_is_here_can_be_had(wanted: str, here: dict[str, int]) -> None:
    here.update({"cuda": 4, "xpu": 1, "mps": 1})
    assert choose_device(wanted) == torch.device(wanted)


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        ("cuda:4", "there is no device cuda:4; the last CUDA device is cuda:3"),
        (
            "xpu",
            "finds no XPU device: no Intel GPU responds; use --device cpu, or install its driver",
        ),
        ("mps", "finds no MPS device: it was built without MPS; use --device cpu, or install"),
        ("gpu", "unknown device 'gpu'; give auto, cpu, cuda"),
        ("cuda:", "unknown device 'cuda:'"),
        ("cuda:one", "unknown device 'cuda:one'"),
        ("mps:0", "unknown device 'mps:0'"),
        ("cpu:0", "unknown device 'cpu:0'"),
    ],
)
def test_what_is_not_here_is_one_sentence_with_a_remedy(
    wanted: str, message: str, here: dict[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    here["cuda"] = 4
    monkeypatch.setattr(torch.backends.mps, "is_built", lambda: False)
    with pytest.raises(ValueError, match=re.escape(message)):
        choose_device(wanted)


@pytest.mark.parametrize(
    ("cuda", "hip", "message"),
    [
        (None, None, "built without CUDA and ROCm; use --device cpu, or install a build of torch"),
        ("12.8", None, "no compatible driver responds; use --device cpu, or install or update"),
        (None, "6.3", "no compatible driver responds"),
    ],
)
def test_a_build_without_cuda_and_a_machine_without_a_driver_are_distinguished(
    cuda: str | None,
    hip: str | None,
    message: str,
    here: dict[str, int],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(torch.version, "cuda", cuda)
    monkeypatch.setattr(torch.version, "hip", hip)
    with pytest.raises(ValueError, match="finds no CUDA device: .*" + re.escape(message)):
        choose_device("cuda")


def test_an_old_mac(here: dict[str, int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.backends.mps, "is_built", lambda: True)
    with pytest.raises(ValueError, match="macOS 14"):
        choose_device("mps")


def test_torch_itself_is_asked() -> None:
    assert devices.count("cuda") == (torch.cuda.device_count() if torch.cuda.is_available() else 0)
    assert devices.count("xpu") == (torch.xpu.device_count() if torch.xpu.is_available() else 0)
    assert devices.count("mps") == int(torch.backends.mps.is_available())


@pytest.mark.parametrize(
    "command",
    [
        ["train", "generator", "--data", "{}", "--out", "{}/run", "--preset", "tiny"],
        ["evaluate", "portrait", "--images", "{}", "--metrics-dir", "{}", "--out", "{}/report"],
        ["directions", "pca", "portrait"],
    ],
)
def test_commands_refuse_a_device_that_is_not_there(
    command: list[str],
    here: dict[str, int],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    arguments = [part.format(tmp_path) for part in command]
    assert main([*arguments, "--device", "xpu"]) == 2
    error = capsys.readouterr().err
    assert "torch finds no XPU device" in error
    assert error.count("\n") == 1


def test_fast_for_training_and_exact_for_measuring(
    here: dict[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    here["cuda"] = 1
    matmul, cudnn = torch.backends.cuda.matmul, torch.backends.cudnn

    def flags() -> tuple[bool, bool, bool]:
        return matmul.allow_tf32, cudnn.allow_tf32, cudnn.benchmark

    before = flags()
    try:
        for kind in ("cpu", "mps", "xpu"):
            compute_fast(torch.device(kind))
            compute_exactly(torch.device(kind))
        assert flags() == before
        compute_fast(torch.device("cuda", 0))
        assert flags() == (True, True, True)
        assert measuring_device("cuda") == torch.device("cuda")
        assert flags() == (False, False, False)
    finally:
        matmul.allow_tf32, cudnn.allow_tf32, cudnn.benchmark = before


@pytest.mark.parametrize(
    ("kind", "group"),
    [("cpu", "cpu:gloo"), ("cuda", "cpu:gloo,cuda:nccl"), ("xpu", "cpu:gloo,xpu:xccl")],
)
def test_processes_exchange_gradients_where_they_are(
    kind: str, group: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """CPU tensors go through gloo, so that decisions do not wait for the GPU."""
    started: list[str] = []
    monkeypatch.setattr(torch.distributed, "init_process_group", started.append)
    monkeypatch.setattr(torch.distributed, "get_rank", lambda: 1)
    monkeypatch.setattr(torch.distributed, "get_world_size", lambda: 2)
    monkeypatch.setenv("RANK", "1")
    monkeypatch.setenv("LOCAL_RANK", "1")
    assert distributed.start(kind) == distributed.DistributedContext(1, 2, 1)
    assert started == [group]


def test_several_processes_on_mps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RANK", "0")
    with pytest.raises(ValueError, match="MPS does not support several processes: start one"):
        distributed.start("mps")


def test_help_needs_no_torch() -> None:
    code = "import sys, inpaint_model.data.devices; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
