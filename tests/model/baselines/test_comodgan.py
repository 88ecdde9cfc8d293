"""CoModGAN: every part against a slow reference, and what image and noise decide."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from inpaint_model.baselines.comodgan import CoModGAN
from inpaint_model.inference.freeze import freeze_for_inference
from inpaint_model.inference.tiny import tiny_inpainter, tiny_model
from inpaint_model.networks.config import resolutions
from inpaint_model.networks.discriminator import DiscriminatorBlock
from inpaint_model.networks.generator import SynthesisLayer, ToRGBLayer
from inpaint_model.networks.ops import (
    SQRT2,
    Conv2dLayer,
    FullyConnectedLayer,
    downsample2d,
    filter2d,
    up_conv2d,
    upsample2d,
)
from inpaint_model.training.inpainter_loop import train_inpainter
from inpaint_model.training.perceptual_loss import PerceptualLoss, discriminator_features
from inpaint_model.training.run_folder import RunFolder
from short_trainings import FILL, records_of
from tiny_networks import tiny_networks
from torch import Tensor


def rand(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def comodgan(resolution: int = 32) -> CoModGAN:
    model = tiny_model(resolution=resolution, arch="comodgan")
    assert isinstance(model, CoModGAN)
    return model


def erased(count: int = 2, R: int = 32) -> tuple[Tensor, Tensor]:
    return rand(count, 3, R, R).clamp(-1, 1), (rand(count, 1, R, R, seed=1) > 0).float()


def dense(layer: FullyConnectedLayer, x: Tensor) -> Tensor:
    """One vector through a layer, one output at a time."""
    weight, bias = layer.weight * layer.weight_gain, layer.bias * layer.bias_gain
    y = torch.stack([(row * x).sum() + b for row, b in zip(weight, bias, strict=True)])
    return y if layer.linear else F.leaky_relu(y, 0.2) * SQRT2


def convolution(layer: Conv2dLayer, x: Tensor, gain: float = 1.0) -> Tensor:
    """One image [C, h, w] through a layer, one output channel at a time."""
    weight, k = layer.weight * layer.weight_gain, layer.weight.shape[-1]
    x = x[None]
    if layer.down:
        x = downsample2d(x) if k == 1 else filter2d(x, padding=2)
    stride, padding = (2, 0) if layer.down and k == 3 else (1, k // 2)
    bias = layer.bias if layer.bias is not None else torch.zeros(len(weight))
    channels = [F.conv2d(x, w[None], stride=stride, padding=padding)[0, 0] for w in weight]
    y = torch.stack([channel + b for channel, b in zip(channels, bias, strict=True)])
    return (y if layer.linear else F.leaky_relu(y, 0.2) * SQRT2) * gain


def modulated(layer: SynthesisLayer | ToRGBLayer, x: Tensor, style_of: Tensor) -> Tensor:
    """One image [C, h, w] through a layer whose weights are scaled by the style."""
    style = dense(layer.affine, style_of)
    if isinstance(layer, ToRGBLayer):
        weight = layer.weight * style[None, :, None, None] / math.sqrt(len(style))
        return F.conv2d(x[None], weight)[0] + layer.bias[:, None, None]
    weight = layer.weight * style[None, :, None, None]
    weight = torch.stack([w / (w.square().sum() + 1e-8).sqrt() for w in weight])
    y = up_conv2d(x[None], weight) if layer.up else F.conv2d(x[None], weight, padding=1)
    y = y[0] + layer.bias[:, None, None]
    return F.leaky_relu(y, 0.2) * SQRT2


def test_the_own_code_is_the_mapped_deviation_from_the_mean_code() -> None:
    model, w = comodgan(), rand(2, 8, 16)
    assert torch.equal(model.w_avg, model.generator.mapping.w_avg)
    own = model.mix(model.encode(*erased()), w)
    for n in range(2):
        for k in range(8):
            x = (w[n, k] - model.w_avg) / model.w_std
            for layer in model.mapping.layers:
                assert isinstance(layer, FullyConnectedLayer)
                x = dense(layer, x)
            torch.testing.assert_close(own[n, k], x)


def test_the_encoder_has_a_feature_for_each_resolution_and_a_global_vector() -> None:
    model = comodgan()
    image, hole = erased()
    encoding = model.encode(image, hole)
    for n in range(2):
        x = torch.cat([image[n] * (1 - hole[n]), 1 - hole[n]])
        x = convolution(model.encoder.enter, x)
        torch.testing.assert_close(encoding["features32"][n], x)
        for block in model.encoder.blocks:
            assert isinstance(block, DiscriminatorBlock)
            y = convolution(block.conv0, x)
            y = convolution(block.conv1, y, math.sqrt(0.5))
            x = y + convolution(block.skip, x, math.sqrt(0.5))
            if x.shape[-1] > 4:
                torch.testing.assert_close(encoding[f"features{x.shape[-1]}"][n], x)
        x = convolution(model.encoder.leave, x)
        torch.testing.assert_close(encoding["features4"][n], x)
        vector = dense(model.to_global, x.flatten())
        torch.testing.assert_close(encoding["global_vector"][n], vector)
    assert set(encoding) == {"global_vector", *(f"features{s}" for s in resolutions(32))}


def test_every_style_is_an_affine_map_of_code_and_global_vector() -> None:
    """Co-modulation, the skips after the first convolutions, and the 4 px features."""
    model = comodgan()
    with torch.no_grad():
        for name, parameter in model.synthesis.named_parameters():
            if name.endswith(("noise_strength", "bias")):
                parameter.copy_(parameter + 0.1)
    encoding, ws = model.encode(*erased()), rand(2, 8, 16, seed=2)
    expected = []
    for n in range(2):
        styles = iter([torch.cat([w, encoding["global_vector"][n]]) for w in ws[n]])
        x, image = encoding["features4"][n], torch.zeros(3, 2, 2)
        style = next(styles)
        for side in resolutions(32):
            block = model.synthesis.block(side)
            if side > 4:  # to_rgb of a block shares its style with conv0 of the next
                x = modulated(block.conv0, x, style) + encoding[f"features{side}"][n]
                style = next(styles)
            x = modulated(block.conv1, x, style)
            style = next(styles)
            image = upsample2d(image[None])[0] + modulated(block.to_rgb, x, style)
        expected.append(image)
    torch.testing.assert_close(model.render(encoding, ws), torch.stack(expected))


def test_a_large_image_has_features_up_to_the_encoders_resolution() -> None:
    model = comodgan(512)
    encoding = model.encode(*erased(1, 512))
    assert {x.shape[-1] for name, x in encoding.items() if name.startswith("features")} == {
        *resolutions(256)
    }
    ws = model.mix(encoding, rand(1, 16, 16))
    assert model.render(encoding, ws).shape == (1, 3, 512, 512)


def test_known_pixels_and_noise_alone_decide() -> None:
    model = comodgan()
    image, hole = erased()
    w = rand(2, 8, 16)
    output = model(image, hole, w)
    assert torch.equal(model(torch.where(hole > 0, 0.9, image), hole, w), output)
    for other in (model(image.roll(1, 0), hole, w), model(image, hole, w.roll(1, 0))):
        assert (other - output).abs().amax() > 1e-3


def test_truncation_shrinks_what_noise_changes() -> None:
    """Without variety, all seeds give one fill; between, seeds differ less."""
    inpainter = tiny_inpainter(arch="comodgan")
    image = np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8)
    encoding = inpainter.encode(image, np.full((32, 32), 255, np.uint8))
    spread = [
        float(np.ptp(inpainter.sample(encoding, [1, 2, 3], psi), axis=0).mean())
        for psi in (0.0, 0.5, 1.0)
    ]
    assert spread[0] < 1e-6
    assert 0.3 * spread[2] < spread[1] < 0.7 * spread[2]


def test_the_frozen_generator_takes_no_part_in_a_fill() -> None:
    model, (image, hole), w = comodgan(), erased(), rand(2, 8, 16)
    before = model(image, hole, w)
    with torch.no_grad():
        for parameter in model.generator.parameters():
            parameter.zero_()
    assert torch.equal(model(image, hole, w), before)


@pytest.mark.parametrize("dtype", ["fp32", "bf16", "fp16"])
def test_the_fast_form_computes_the_same(dtype: str) -> None:
    """At least 45 dB, also where weights are so large that fp16 would overflow as they stand."""
    image, hole = erased()
    outputs = []
    for precision in ("plain", dtype):
        model = comodgan()
        with torch.no_grad():
            for block in model.synthesis.children():
                block.get_parameter("conv1.weight").mul_(3000.0)  # demodulation cancels it
        if precision != "plain":
            freeze_for_inference(model, torch.device("cpu"), precision)
        encoding = model.encode(image, hole)
        outputs.append(model.render(encoding, model.mix(encoding, rand(2, 8, 16))).detach())
    spread = outputs[0].std()
    error = ((outputs[1] - outputs[0]) / spread).square().mean().item() / 4  # 0..1, as of images
    assert 10 * math.log10(1.0 / error) >= (60 if dtype == "fp32" else 45)


def test_both_syntheses_are_made_fast() -> None:
    model = freeze_for_inference(comodgan(), torch.device("cpu"), "fp32")
    for network in model.synthesis_networks():
        assert not any(isinstance(layer, SynthesisLayer) for layer in network.modules())


@pytest.mark.slow
def test_it_trains_with_the_adversary_alone(tmp_path: Path) -> None:
    """As in its paper: no loss but the adversary's has a weight, and every part learns."""
    model, (_, D) = comodgan(), tiny_networks()
    before = {name: x.clone() for name, x in model.state_dict().items()}
    names = ("rg", "rr", "coarse", "whole", "codes", "edit")
    off: dict[str, Any] = {f"lambda_{name}": 0.0 for name in names}
    options = replace(FILL, **off)
    run = RunFolder(tmp_path / "run")
    train_inpainter(options, model, D, PerceptualLoss(discriminator_features(D)), run)
    changed = {name for name, x in model.state_dict().items() if not torch.equal(x, before[name])}
    for part in ("mapping", "encoder", "to_global", "synthesis"):
        assert any(name.startswith(f"{part}.") for name in changed), part
    assert not any(name.startswith("generator.") for name in changed)
    last = records_of(run)[-1]
    assert all(math.isfinite(last[name]) for name in ("loss_rg", "loss_rr", "diversity"))
    assert "sensitivity_encoder" not in last  # of the generator's codes, which it does not mix
