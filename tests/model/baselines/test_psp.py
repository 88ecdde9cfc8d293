"""pSp, and what the other deterministic methods share with it."""

from __future__ import annotations

import torch
from inpaint_model.baselines.psp import PSP
from inpaint_model.inference.tiny import tiny_model
from torch import Tensor


def rand(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def psp() -> PSP:
    model = tiny_model(arch="psp")
    assert isinstance(model, PSP)
    return model


def test_codes_are_tokens_in_deviations_from_the_mean_code() -> None:
    model, given = psp(), rand(2, 4, 32, 32)
    tokens = model.codes.encoder(given).tokens
    expected = [
        [model.w_avg + model.w_std * tokens[n, i] for i in range(model.config.generator.num_ws)]
        for n in range(2)
    ]
    expected_codes = torch.stack([torch.stack(row) for row in expected])
    torch.testing.assert_close(model.codes(given), expected_codes)
    assert torch.equal(model.w_avg, model.generator.mapping.w_avg)


def test_a_fill_is_the_generators_image_of_the_codes() -> None:
    model = psp()
    encoding = model.encode(rand(2, 3, 32, 32).clamp(-1, 1), (rand(2, 1, 32, 32) > 0).float())
    ws = model.mix(encoding, rand(2, model.config.generator.num_ws, 16))
    assert torch.equal(ws, encoding["codes"])
    assert torch.equal(model.render(encoding, ws), model.generator.synthesis(ws))


def test_the_sampled_code_does_not_matter() -> None:
    model = psp()
    encoding = model.encode(rand(1, 3, 32, 32).clamp(-1, 1), torch.ones(1, 1, 32, 32))
    first, second = (model.mix(encoding, rand(1, 8, 16, seed=k)) for k in range(2))
    assert torch.equal(first, second)
