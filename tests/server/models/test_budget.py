"""How many models and how large batches fit into a device's memory."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from inpaint_model.inference.cuda_graphs import LARGEST_BATCH
from inpaint_model.inference.memory_footprint import footprint
from inpaint_model.networks.presets import inpainting_config, preset
from inpaint_server.config import ServerConfig
from inpaint_server.models.budget import (
    HOST_RESERVE,
    HOST_SHARE,
    RESERVE,
    UNKNOWN_HOST,
    Budget,
    cpu_budget,
    gpu_budget,
    request_budget,
)
from inpaint_server.models.registry import BundleLoader, ModelInfo
from inpaint_server.serving.assembly import model_budget

GIB = 1 << 30


def paper() -> ModelInfo:
    """A description with the configuration of `paper-256` in bf16."""
    info = BundleLoader(torch.device("cpu")).describe("tiny")
    return replace(info, config=inpainting_config(preset("paper-256")), precision="bf16")


def test_without_a_limit_batches_are_as_large_as_wanted() -> None:
    assert [Budget(0, size).batch_size(paper()) for size in (1, 2, 6, 8)] == [1, 2, 4, 8]


def test_the_largest_batch_that_fits_is_taken() -> None:
    info = paper()
    need = info.footprint
    for size in (1, 2, 4, 8):
        takes = need.weights + need.graphs(size) + need.working(size)
        assert Budget(takes, 8, graphs=True).batch_size(info) == size
        assert Budget(takes - 1, 8, graphs=True).batch_size(info) == max(size // 2, 1)
        assert Budget(takes, 8, graphs=True).at_work(info) == takes


def test_what_stays_is_weights_and_graphs() -> None:
    info = paper()
    need = info.footprint
    assert Budget(0, 8).resident(info) == need.weights
    assert Budget(0, 8, graphs=True).resident(info) == need.weights + need.graphs(8)


@pytest.mark.parametrize(
    ("free", "share", "limit", "expected"),
    [
        (8 * GIB, 0.9, 0, int(8 * GIB * 0.9) - RESERVE),
        (8 * GIB, 0.5, 0, 4 * GIB - RESERVE),
        (8 * GIB, 0.5, 2 * GIB, 2 * GIB),
        (8 * GIB, 0.5, 6 * GIB, 4 * GIB - RESERVE),
        (0, 0.9, 2 * GIB, 2 * GIB),
        (0, 0.9, 0, 0),
        (RESERVE, 0.9, 0, 1),
    ],
)
def test_the_share_of_a_gpu_and_a_limit(free: int, share: float, limit: int, expected: int) -> None:
    assert gpu_budget(free, share, limit, 0) == Budget(expected, LARGEST_BATCH, graphs=True)


def test_a_small_gpu_renders_the_paper_s_model_one_at_a_time() -> None:
    info = paper()
    assert gpu_budget(4 * GIB, 0.9, 0, 0).batch_size(info) == 8
    assert gpu_budget(2 * GIB, 0.9, 0, 0).batch_size(info) == 4
    assert gpu_budget(GIB, 0.9, 0, 0).batch_size(info) == 1


def test_what_the_settings_make_of_a_device(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cuda.mem_get_info", lambda device: (8 * GIB, 80 * GIB))
    config = ServerConfig(gpu_memory_share=0.5, batch_size=4)
    infos = [paper()]
    on_gpu = model_budget(config, torch.device("cuda:1"), infos, GIB)
    assert on_gpu == Budget(4 * GIB - RESERVE, 4, graphs=True)
    assert model_budget(config, torch.device("cpu"), infos, None) == Budget(0, 4)
    assert model_budget(ServerConfig(), torch.device("cpu"), infos, 80 * GIB) == Budget()


def test_models_in_the_machine_s_memory_stay_if_half_of_it_holds_them() -> None:
    info = paper()
    three = [info] * 3
    resident, working = info.footprint.weights, info.footprint.working(1)
    all_of_them = 3 * resident + working
    assert Budget().most(three) == all_of_them
    assert cpu_budget(2 * all_of_them, three, 0, 1) == Budget(0, 1)
    tight = cpu_budget(2 * all_of_them - 2, three, 0, 1)
    assert tight == Budget(all_of_them - 1, 1)
    assert tight.most(three) == all_of_them - 1
    assert cpu_budget(1, three, 0, 1).most(three) == resident + working  # one must fit
    assert cpu_budget(1, three, 5 * GIB, 1) == Budget(5 * GIB, 1)  # as the settings say
    assert cpu_budget(None, three, 0, 1) == Budget(0, 1)


def test_requests_get_a_share_of_what_models_leave() -> None:
    assert request_budget(8 * GIB, 2 * GIB) == int(6 * GIB * HOST_SHARE) - HOST_RESERVE
    assert request_budget(GIB, 2 * GIB) == 0
    assert request_budget(None, 0) == UNKNOWN_HOST


def test_a_configuration_is_computed_once() -> None:
    first = footprint(inpainting_config(preset("paper-256")), "bf16")
    assert footprint(inpainting_config(preset("paper-256")), "bf16") is first
