"""Each operation against a slow, obvious reference written from its definition."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from inpaint_model.networks import ops
from torch import Tensor

TAPS = [1 / 8, 3 / 8, 3 / 8, 1 / 8]


def upfirdn_reference(x: Tensor, up: int, down: int, padding: int, gain: float) -> Tensor:
    """Insert zeros, pad, correlate with the 4 x 4 kernel sample by sample, keep every down-th."""
    N, C, H, W = x.shape
    stuffed = torch.zeros(N, C, H * up, W * up, dtype=x.dtype)
    stuffed[:, :, ::up, ::up] = x
    stuffed = F.pad(stuffed, [padding] * 4)
    rows = (stuffed.shape[2] - 4) // down + 1
    columns = (stuffed.shape[3] - 4) // down + 1
    y = torch.zeros(N, C, rows, columns, dtype=x.dtype)
    for i in range(rows):
        for j in range(columns):
            for a in range(4):
                for b in range(4):
                    tap = TAPS[a] * TAPS[b] * gain
                    y[:, :, i, j] += tap * stuffed[:, :, i * down + a, j * down + b]
    return y


def modulated_reference(
    x: Tensor, weight: Tensor, styles: Tensor, demodulate: bool, up: bool
) -> Tensor:
    """StyleGAN2, equations 1 and 3: scale the weights, normalize them, one sample at a time."""
    outputs = []
    for sample, style in zip(x, styles, strict=True):
        w = weight * style[None, :, None, None]
        if demodulate:
            w = w / (w.square().sum(dim=(1, 2, 3), keepdim=True) + 1e-8).sqrt()
        if up:
            wide = F.conv_transpose2d(sample[None], w.transpose(0, 1), stride=2)
            outputs.append(upfirdn_reference(wide, 1, 1, 1, 4.0))
        else:
            outputs.append(F.conv2d(sample[None], w, padding=w.shape[-1] // 2))
    return torch.cat(outputs)


def rand(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.mark.parametrize("size", [4, 7, 8])
def test_upsample_inserts_zeros_and_filters(size: int) -> None:
    x = rand(2, 3, size, size)
    # padding (2, 1) on each axis: the filter's center lies between two samples
    expected = upfirdn_reference(F.pad(x, [0, 0, 0, 0]), 2, 1, 2, 4.0)[..., :-1, :-1]
    torch.testing.assert_close(ops.upsample2d(x), expected)


def test_downsample_filters_and_decimates() -> None:
    x = rand(2, 3, 8, 8)
    torch.testing.assert_close(ops.downsample2d(x), upfirdn_reference(x, 1, 2, 1, 1.0))


@pytest.mark.parametrize("k", [1, 3])
def test_strided_convolution_filters_first(k: int) -> None:
    x, weight = rand(2, 3, 8, 8), rand(5, 3, k, k, seed=1)
    filtered = upfirdn_reference(x, 1, 1, 1 + k // 2, 1.0)
    expected = F.conv2d(filtered, weight, stride=2)
    torch.testing.assert_close(ops.conv2d(x, weight, down=True), expected)


@pytest.mark.parametrize(
    ("k", "demodulate", "up"),
    [(1, False, False), (3, False, False), (3, True, False), (3, False, True), (3, True, True)],
)
def test_modulated_convolution(k: int, demodulate: bool, up: bool) -> None:
    x, weight, styles = rand(3, 4, 5, 5), rand(6, 4, k, k, seed=1), rand(3, 4, seed=2)
    expected = modulated_reference(x, weight, styles, demodulate, up)
    result = ops.modulated_conv2d(x, weight, styles, demodulate=demodulate, up=up)
    torch.testing.assert_close(result, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("up", [False, True])
def test_gradients_of_the_modulated_convolution(up: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    # demodulation is computed in float32 for stability; the check needs double throughout
    monkeypatch.setattr(Tensor, "float", Tensor.double)
    inputs = (rand(2, 3, 4, 4), rand(2, 3, 3, 3, seed=1), rand(2, 3, seed=2))
    for tensor in inputs:
        tensor.requires_grad_(True)

    def call(x: Tensor, weight: Tensor, styles: Tensor) -> Tensor:
        return ops.modulated_conv2d(x, weight, styles, up=up)

    assert torch.autograd.gradcheck(call, inputs)
    assert torch.autograd.gradgradcheck(call, inputs)


def test_bias_act() -> None:
    x, bias = rand(2, 3, 4, 4), rand(3, seed=1)
    y = x + bias[None, :, None, None]
    expected = torch.where(y > 0, y, 0.2 * y) * math.sqrt(2) * 0.5
    torch.testing.assert_close(ops.bias_act(x, bias, gain=0.5), expected)
    torch.testing.assert_close(
        ops.bias_act(x, bias, gain=0.5, clamp=0.25), expected.clamp(-0.125, 0.125)
    )
    torch.testing.assert_close(ops.bias_act(x, bias, linear=True), y)


def test_equalized_learning_rate_keeps_unit_variance() -> None:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        layer = ops.FullyConnectedLayer(256, 256, lr_multiplier=0.01)
    x = rand(64, 256).float()
    assert layer(x).std().item() == pytest.approx(1.0, abs=0.1)
    assert layer.weight.std().item() == pytest.approx(100, rel=0.1)


def test_normalized_latents_have_unit_mean_square() -> None:
    x = ops.normalize_2nd_moment(rand(5, 16) * 7)
    torch.testing.assert_close(x.square().mean(dim=1), torch.ones(5, dtype=torch.float64))
