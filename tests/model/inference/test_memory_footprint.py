"""What a model's memory is computed to be, against what exists at once on torch's meta device."""

from __future__ import annotations

from functools import partial

import pytest
import torch
from inpaint_model.inference.freeze import freeze_for_inference
from inpaint_model.inference.memory_footprint import footprint, weight_bytes
from inpaint_model.inference.passes import EagerPasses
from inpaint_model.networks.config import ARCHS, Arch
from inpaint_model.networks.inpainting_model import Encoding, InpaintingModel
from inpaint_model.networks.presets import inpainting_config, preset
from meta_device import META
from meta_memory import peak_bytes

CASES = [(name, "hierarchical") for name in ("paper-256", "portrait-256", "compact-128")]
CASES += [("compact-256", arch) for arch in ARCHS]


@pytest.mark.slow
@pytest.mark.parametrize("dtype", ["fp32", "bf16"])
@pytest.mark.parametrize(("name", "arch"), CASES)
def test_features_computed_and_counted(name: str, arch: Arch, dtype: str) -> None:
    config = inpainting_config(preset(name), arch)
    with torch.device(META):
        model = InpaintingModel(config)
    passes = EagerPasses(freeze_for_inference(model, META, dtype))
    expected, G = footprint(config, dtype), config.generator
    R = G.resolution
    image = torch.empty(1, R, R, 3, dtype=torch.uint8, device=META)
    hole = torch.empty(1, R, R, dtype=torch.bool, device=META)
    encodings: list[Encoding] = []
    with torch.inference_mode():
        encoding = peak_bytes(lambda: encodings.append(passes.encode(image, hole)))
        assert 0.95 * encoding <= expected.encoding <= 1.15 * encoding
        for count in (1, 8):
            ws = torch.empty(count, G.num_ws, G.w_dim, device=META)
            rendering = peak_bytes(partial(passes.render, encodings[0], ws))
            assert 0.95 * rendering <= count * expected.rendering <= 1.15 * rendering


def test_weights_are_those_of_the_frozen_model() -> None:
    config = inpainting_config(preset("tiny"))
    model = freeze_for_inference(InpaintingModel(config), torch.device("cpu"), "bf16")
    assert weight_bytes(config, "bf16") == sum(
        x.nbytes for x in (*model.parameters(), *model.buffers())
    )
    assert weight_bytes(config, "bf16") < weight_bytes(config, "fp32")


def test_larger_batches_need_more() -> None:
    need = footprint(inpainting_config(preset("compact-256")), "bf16")
    assert need.working(1) == need.encoding, "encoding one image takes more than rendering it"
    assert need.working(8) == 8 * need.rendering
    assert need.working(8) < need.graphs(8) < 2 * need.working(8)
