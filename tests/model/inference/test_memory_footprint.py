"""The memory of a model, measured on torch's meta device."""

from __future__ import annotations

import pytest
import torch
from inpaint_model.baselines.archs import make_model
from inpaint_model.inference.freeze import freeze_for_inference
from inpaint_model.inference.memory_footprint import META, footprint, peak_bytes, weight_bytes
from inpaint_model.inference.passes import EagerPasses
from inpaint_model.networks.config import ARCHS, Arch
from inpaint_model.networks.presets import inpainting_config, preset
from inpaint_model.networks.refinement_network import RefinementConfig, RefinementNetwork


def test_the_peak_is_what_lives_at_once() -> None:
    """Views and operations in place take no memory; freed tensors no longer count."""

    def work() -> None:
        a = torch.empty(1000, device=META)
        b = a.view(10, 100).mul_(2) + 1
        del a
        c = b.sum(dim=0)
        c += 1
        del b
        torch.empty(1500, device=META)

    assert peak_bytes(work) == 8000


@pytest.mark.slow
@pytest.mark.parametrize("dtype", ["fp32", "bf16"])
@pytest.mark.parametrize("arch", ARCHS)
def test_memory_of_rendering_grows_with_the_batch(arch: Arch, dtype: str) -> None:
    config = inpainting_config(preset("compact-256"), arch)
    with META:
        model = make_model(config)
    passes = EagerPasses(freeze_for_inference(model, META, dtype))
    G, need = config.generator, footprint(config, dtype)
    R = G.resolution
    image = torch.empty(1, R, R, 3, dtype=torch.uint8, device=META)
    with torch.inference_mode():
        encoding = passes.encode(image, torch.empty(1, R, R, dtype=torch.bool, device=META))
        ws = torch.empty(8, G.num_ws, G.w_dim, device=META)
        rendering = peak_bytes(lambda: passes.render(encoding, ws))
    assert 0.9 * rendering <= 8 * need.rendering <= 1.15 * rendering


def test_weights_are_those_of_the_frozen_model() -> None:
    config = inpainting_config(preset("tiny"))
    model = freeze_for_inference(make_model(config), torch.device("cpu"), "bf16")
    assert weight_bytes(config, "bf16") == sum(
        x.nbytes for x in (*model.parameters(), *model.buffers())
    )
    assert weight_bytes(config, "bf16") < weight_bytes(config, "fp32")


def test_refinement_needs_more() -> None:
    config, sizes = inpainting_config(preset("compact-256")), RefinementConfig()
    plain, refining = (footprint(config, "bf16", part) for part in (None, sizes))
    parameters = sum(x.numel() for x in RefinementNetwork(sizes).parameters())
    assert refining.weights - plain.weights == 2 * parameters
    assert refining.rendering >= plain.rendering
    assert refining.kept == plain.kept + 4 * 4 * 256 * 256, "the erased image with its mask"


def test_larger_batches_need_more() -> None:
    need = footprint(inpainting_config(preset("compact-256")), "bf16")
    assert need.working(1) == need.encoding, "encoding one image takes more than rendering it"
    assert need.working(8) == 8 * need.rendering
    assert need.working(8) < need.graphs(8) < 2 * need.working(8)
