"""Graphs of the passes, recorded and replayed by a recorder that needs no CUDA."""

from __future__ import annotations

import logging
from typing import Any

import numpy as np
import pytest
import torch
from fake_recorder import FakeRecorder
from inpaint_model.inference.cuda_graphs import GraphedPasses, batch_sizes
from inpaint_model.inference.inpainter import Inpainter
from inpaint_model.inference.passes import EagerPasses
from inpaint_model.inference.tiny import tiny_inpainter
from inpaint_model.networks.config import ARCHS, Arch
from inpaint_model.networks.refinement_network import RefinementConfig, RefinementNetwork
from torch import Tensor


def graphed(recorder: FakeRecorder, arch: Arch = "hierarchical", largest: int = 4) -> Inpainter:
    inpainter = tiny_inpainter(arch=arch)
    inpainter._passes = GraphedPasses(EagerPasses(inpainter._model), recorder, largest)
    return inpainter


def fill_all(inpainter: Inpainter) -> list[Any]:
    """Two images, seeds alone and together, with and without truncation, several batches."""
    rng = np.random.default_rng(0)
    results: list[Any] = []
    encodings = []
    for _ in range(2):
        image = rng.integers(0, 256, (32, 32, 3), dtype=np.uint8)
        hole = (rng.random((32, 32)) < 0.5).astype(np.uint8)
        encodings.append(inpainter.encode(image, hole))
    for encoding in encodings:  # after both were made: neither may be rewritten
        results += [part.numpy() for part in encoding.values()]
        for seeds, psi in (([1], 0.7), ([2, 1], 1.0), ([3, 4, 5, 6, 7, 8, 9], 0.7)):
            codes = inpainter.sample(encoding, seeds, psi)
            results += [codes, inpainter.render(encoding, codes)]
    return results


@pytest.mark.parametrize("arch", ARCHS)
def test_replays_give_what_the_operations_give(arch: Arch) -> None:
    recorder = FakeRecorder()
    replayed, eager = fill_all(graphed(recorder, arch)), fill_all(tiny_inpainter(arch=arch))
    for ours, expected in zip(replayed, eager, strict=True):
        np.testing.assert_allclose(ours, expected, atol=2e-6)
    sizes = {1, 2, 4}  # seven are rendered as four, two and one
    assert recorder.recordings == len(["encode", "code", *sizes])
    assert recorder.replays == 2 + 2 * (1 + 2 + 7) + 2 * (1 + 1 + 3)


def test_refinement_is_part_of_the_graphs() -> None:
    refinement = RefinementNetwork(RefinementConfig(widths=(8, 8), blocks=(1, 1))).eval()
    with torch.random.fork_rng():
        torch.manual_seed(0)
        torch.nn.init.normal_(refinement.head.weight, std=0.1)
    refinement.requires_grad_(False)
    eager, recorded = tiny_inpainter(), tiny_inpainter()
    eager._passes = EagerPasses(eager._model, refinement)
    recorder = FakeRecorder()
    recorded._passes = GraphedPasses(EagerPasses(recorded._model, refinement), recorder, 4)
    for ours, expected in zip(fill_all(recorded), fill_all(eager), strict=True):
        np.testing.assert_allclose(ours, expected, atol=2e-6)
    assert recorder.recordings == 5


@pytest.mark.parametrize("arch", ARCHS)
def test_codes_of_several_images_go_together(arch: Arch) -> None:
    recorder = FakeRecorder()
    rng = np.random.default_rng(1)
    images = rng.integers(0, 256, (7, 32, 32, 3), dtype=np.uint8)
    hole = (rng.random((32, 32)) < 0.5).astype(np.uint8)
    results = []
    for inpainter in (graphed(recorder, arch), tiny_inpainter(arch=arch)):
        encodings = [inpainter.encode(image, hole) for image in images]
        codes = np.concatenate([inpainter.sample(e, [k]) for k, e in enumerate(encodings)])
        results.append(inpainter.render_each(encodings, codes))
    np.testing.assert_allclose(results[0], results[1], atol=2e-6)
    assert recorder.recordings == len(["encode", "code", "each of 4", "each of 2", "1"])


def test_a_code_does_not_depend_on_its_companions() -> None:
    inpainter = graphed(FakeRecorder())
    encoding = inpainter.encode(np.zeros((32, 32, 3), np.uint8), np.full((32, 32), 255, np.uint8))
    together = inpainter.sample(encoding, [5, 6, 7])
    for seed, code in zip([5, 6, 7], together, strict=True):
        np.testing.assert_array_equal(inpainter.sample(encoding, [seed])[0], code)


def test_what_cannot_be_recorded_runs_without_a_graph(caplog: pytest.LogCaptureFixture) -> None:
    expected = fill_all(tiny_inpainter())
    for refuses in (lambda recording: True, lambda recording: recording == 2):
        caplog.clear()
        recorder = FakeRecorder(refuses)
        with caplog.at_level(logging.WARNING):
            results = fill_all(graphed(recorder))
        for ours, eager in zip(results, expected, strict=True):
            np.testing.assert_allclose(ours, eager, atol=2e-6)
        assert recorder.recordings == 5, "each is tried once"
        refused = [number for number in range(5) if refuses(number)]
        assert len(caplog.records) == len(refused), "one line for each"
        assert all("not permitted when" in record.getMessage() for record in caplog.records)


def test_an_error_of_the_work_is_not_hidden() -> None:
    inpainter = graphed(FakeRecorder())
    passes = inpainter._passes
    with torch.inference_mode(), pytest.raises(ValueError, match="hole"):
        passes.encode(torch.zeros(1, 7, 7, 3, dtype=torch.uint8), torch.zeros(1, 9, 9).bool())


def test_inputs_lie_outside_of_the_pool_and_serve_all_batch_sizes() -> None:
    """An encoding is written into one set of tensors, whichever graph reads it."""
    seen: dict[int, tuple[int, ...]] = {}

    class Watching(EagerPasses):
        def render(self, encoding: Any, ws: Tensor) -> Tensor:
            seen[len(ws)] = tuple(part.data_ptr() for part in encoding.values())
            return super().render(encoding, ws)

    inpainter = tiny_inpainter()
    inpainter._passes = GraphedPasses(Watching(inpainter._model), FakeRecorder())
    encoding = inpainter.encode(np.zeros((32, 32, 3), np.uint8), np.full((32, 32), 255, np.uint8))
    codes = inpainter.sample(encoding, [1, 2, 3])
    inpainter.render(encoding, codes)
    assert seen[1] == seen[2]
    assert seen[1] != tuple(part.data_ptr() for part in encoding.values())


@pytest.mark.parametrize(
    ("count", "sizes"), [(1, [1]), (3, [2, 1]), (7, [4, 2, 1]), (8, [8]), (21, [8, 8, 4, 1])]
)
def test_batch_sizes(count: int, sizes: list[int]) -> None:
    assert batch_sizes(count, 8) == sizes
