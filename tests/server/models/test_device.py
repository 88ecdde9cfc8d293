"""Which devices the daemon uses, and how it shares the cores among its threads."""

from __future__ import annotations

import argparse
import subprocess
import sys

import pytest
import torch
from inpaint_server.cli import gpu_devices, parser
from inpaint_server.errors import ConfigurationError
from inpaint_server.models.device import choose_devices, is_fatal, is_out_of_memory

# In a process of its own: torch remembers what any thread of a process asked for.
PROGRAM = """
from concurrent.futures import ThreadPoolExecutor
import torch
from inpaint_server.models.device import use_threads

worker, pixels = ThreadPoolExecutor(1), ThreadPoolExecutor(1)
worker.submit(use_threads, 3).result()
pixels.submit(use_threads, 1).result()
print(worker.submit(torch.get_num_threads).result(), pixels.submit(torch.get_num_threads).result())
"""


@pytest.mark.slow
def test_every_thread_keeps_its_own_share_of_the_cores() -> None:
    answer = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True
    )
    assert answer.stdout.split() == ["3", "1"], answer.stderr


@pytest.fixture
def three_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine with three GPUs, the last two of which have similar UUIDs."""
    uuids = ["GPU-1a2b", "GPU-8f3a00", "GPU-8f3b00"]
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: len(uuids))
    monkeypatch.setattr("inpaint_server.models.device.gpu_uuids", lambda: uuids)


@pytest.mark.usefixtures("three_gpus")
@pytest.mark.parametrize(
    ("wanted", "numbers"),
    [
        ("auto", [0]),
        ("cuda", [0]),
        ("cuda:2", [2]),
        ("cuda:0,cuda:1", [0, 1]),
        ("cuda:2, cuda:0", [2, 0]),
        ("cuda:GPU-8f3a", [1]),
        ("cuda:gpu-1A2B,cuda:1", [0, 1]),
    ],
)
def test_gpus_by_number_and_uuid(wanted: str, numbers: list[int]) -> None:
    assert choose_devices(wanted) == tuple(torch.device("cuda", k) for k in numbers)


@pytest.mark.usefixtures("three_gpus")
@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        ("cuda:3", "there is no GPU 3; this machine has GPUs 0 to 2"),
        (
            "cuda:GPU-77",
            "no GPU has a UUID that begins with GPU-77; the available GPUs are GPU-1a2b",
        ),
        ("cuda:GPU-8f3", "more than one GPU has a UUID that begins with GPU-8f3"),
        ("cuda:0,cuda:0", "lists GPU 0 more than once"),
        ("cuda:1,cuda:GPU-8f3a", "lists GPU 1 more than once"),
        ("cuda,cuda:0", "lists GPU 0 more than once"),
        ("cuda:0,cpu", "mixes CUDA GPUs with other devices"),
        ("cpu,cpu", "mixes CUDA GPUs with other devices"),
        ("auto,cuda:1", "mixes CUDA GPUs with other devices"),
        ("cuda:", "is not auto, cpu, cuda, cuda:N, cuda:UUID"),
        ("cuda:one", "is not auto, cpu, cuda, cuda:N, cuda:UUID"),
        ("cuda:0,", "mixes CUDA GPUs with other devices"),
        ("GPU-1a2b", "is not auto, cpu, cuda, cuda:N, cuda:UUID"),
    ],
)
def test_devices_that_do_not_exist(wanted: str, words: str) -> None:
    with pytest.raises(ConfigurationError) as raised:
        choose_devices(wanted)
    assert words in str(raised.value)
    assert "\n" not in str(raised.value)


def test_without_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert choose_devices("auto") == choose_devices("cpu") == (torch.device("cpu"),)
    with pytest.raises(ConfigurationError, match=r"GPU GPU-1a cannot be used.*--device cpu"):
        choose_devices("cuda:GPU-1a")


@pytest.mark.parametrize("wanted", ["xpu", "xpu:1", "mps"])
def test_gpus_of_intel_and_apple_must_be_asked_for(
    wanted: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ConfigurationError, match=r"device: torch finds no .* --device cpu, or"):
        choose_devices(wanted)
    monkeypatch.setattr("inpaint_model.data.devices.count", lambda kind: 2 if kind == "xpu" else 1)
    assert choose_devices(wanted) == (torch.device(wanted),)
    assert choose_devices("auto") == (torch.device("cpu"),)


def test_the_option_gpu_becomes_a_device() -> None:
    assert parser().parse_args(["--gpu", "0"]).gpu == "cuda:0"
    assert gpu_devices("0, GPU-8F3a-00") == "cuda:0,cuda:GPU-8F3a-00"
    for text in ("", "0,", "one", "-1", "cuda:0", "GPU-"):
        with pytest.raises(argparse.ArgumentTypeError, match="is not a GPU; use a number"):
            gpu_devices(text)


def test_what_is_beyond_repair() -> None:
    lost = [
        torch.AcceleratorError("CUDA error: an illegal memory access was encountered"),
        RuntimeError("CUDA error: unspecified launch failure"),
        RuntimeError("CUDA error: out of memory"),  # in the middle of a graph
    ]
    assert all(map(is_fatal, lost))
    full = torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
    assert is_out_of_memory(full)
    assert not any(map(is_fatal, (full, ValueError("CUDA"), RuntimeError("cuDNN"))))
