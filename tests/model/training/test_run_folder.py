"""The files of a run's folder."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from inpaint_model.training.run_folder import RunFolder
from safetensors.torch import save_file
from torch import nn


def test_every_start_adds_a_line_to_the_options(tmp_path: Path) -> None:
    RunFolder(tmp_path / "run").write_options({"batch": 4, "out": tmp_path})
    RunFolder(tmp_path / "run").write_options({"batch": 8})
    lines = (tmp_path / "run" / "options.jsonl").read_text("utf-8").splitlines()
    first, second = map(json.loads, lines)
    assert (first["batch"], first["out"], second["batch"]) == (4, str(tmp_path), 8)


def saved(path: Path, *values: float) -> RunFolder:
    """A run that has saved its state several times."""
    run = RunFolder(path)
    for value in values:
        run.save_state({"G": network(value)}, {}, {"step": value})
    return run


def network(value: float = 0.0, size: int = 2) -> nn.Module:
    G = nn.Linear(size, size)
    nn.init.constant_(G.weight, value)
    return G


DAMAGE: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda data: b"",
    "cut": lambda data: data[: len(data) // 2],
    "short by a byte": lambda data: data[:-1],
    "zeros": lambda data: bytes(len(data)),
    "text": lambda data: b"hello, this is no state",
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_state_is_replaced_by_the_one_before(
    tmp_path: Path, damage: str, capsys: pytest.CaptureFixture[str]
) -> None:
    run, G = saved(tmp_path, 1, 2, 3), network()
    run.state_path.write_bytes(DAMAGE[damage](run.state_path.read_bytes()))
    again = RunFolder(tmp_path)
    assert again.load_state({"G": G}, {}) == {"step": 2}
    assert torch.equal(G.get_parameter("weight"), network(2).get_parameter("weight"))
    said = capsys.readouterr().out
    assert said.count("\n") == 1
    assert "continuing from the previous state, state-before.safetensors" in said

    # The damaged one does not replace the previous good one.
    again.save_state({"G": network(4)}, {}, {"step": 4})
    again.state_path.write_bytes(b"")
    assert RunFolder(tmp_path).load_state({"G": G}, {}) == {"step": 2}
    assert not list(tmp_path.glob("*.tmp"))


def test_a_state_that_was_written_before_the_swap_is_found(tmp_path: Path) -> None:
    run = saved(tmp_path, 1, 2)
    run.state_path.unlink()
    assert RunFolder(tmp_path).load_state({"G": network()}, {}) == {"step": 1}


@pytest.mark.parametrize("damage", DAMAGE)
@pytest.mark.parametrize("times", [1, 2])
def test_where_no_state_is_intact_the_message_has_a_remedy(
    tmp_path: Path, damage: str, times: int
) -> None:
    run = saved(tmp_path, *range(times))
    for path in (run.state_path, run.before_path)[:times]:
        path.write_bytes(DAMAGE[damage](path.read_bytes()))
    with pytest.raises(ValueError, match="delete it to start over, or give another --out") as seen:
        RunFolder(tmp_path).load_state({"G": network()}, {})
    assert "\n" not in str(seen.value)
    assert str(run.state_path) in str(seen.value)


@pytest.mark.parametrize(
    ("modules", "difference"),
    [
        ({"G": network(size=3)}, "G differs"),
        ({"model": network()}, "it has no model"),
        ({"G": network(), "E": network()}, "it has no E"),
        ({}, "it also has G"),
    ],
)
def test_the_state_of_another_run_is_refused(
    tmp_path: Path, modules: dict[str, nn.Module], difference: str
) -> None:
    run = saved(tmp_path, 1)
    with pytest.raises(ValueError, match="with its original options") as seen:
        run.load_state(modules, {})
    assert f"({difference})" in str(seen.value)


def test_a_file_of_tensors_is_no_state(tmp_path: Path) -> None:
    run = RunFolder(tmp_path)
    save_file({"x": torch.zeros(1)}, run.state_path)
    with pytest.raises(ValueError, match="is damaged"):
        run.load_state({"G": network()}, {})
