"""A slow and simple StyleGAN2 in two published layouts, for parity tests.

It computes one sample at a time in float64, from flat dictionaries of tensors, named as in files.
`nvidia_*` follow stylegan2-ada-pytorch: weights unscaled, the low-pass applied before a flipped
convolution. `rosinality_*` follow stylegan2-pytorch: weights scaled by 1 / sqrt(fan in), transposed
convolutions followed by the low-pass.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

Tensors = dict[str, Tensor]
_FIR = torch.outer(torch.tensor([1.0, 3, 3, 1]), torch.tensor([1.0, 3, 3, 1])).double() / 64


def nvidia_map(t: Tensors, z: Tensor | None, c: Tensor | None, lr_multiplier: float) -> Tensor:
    """Map z [z_dim] and label c [c_dim], of which either may be None, to w [w_dim]."""
    parts = [] if z is None else [_unit(z.double())]
    if c is not None:
        parts.append(_unit(_dense(t, "mapping.embed", c.double())))
    x = torch.cat(parts)
    i = 0
    while f"mapping.fc{i}.weight" in t:
        x = _lrelu(_dense(t, f"mapping.fc{i}", x, lr_multiplier))
        i += 1
    return x


def nvidia_synthesize(
    t: Tensors, ws: Tensor, resolution: int, noise: bool = True, clamp: float | None = None
) -> Tensor:
    """ws [num_ws, w_dim] -> image [3, R, R]."""
    x, image, index = t["synthesis.b4.const"].double(), None, 0
    r = 4
    while r <= resolution:
        block = f"synthesis.b{r}"
        if r > 4:
            x = _nvidia_layer(t, f"{block}.conv0", x, ws[index], True, noise, clamp)
            index += 1
        x = _nvidia_layer(t, f"{block}.conv1", x, ws[index], False, noise, clamp)
        rgb = _nvidia_to_rgb(t, f"{block}.torgb", x, ws[index + 1], clamp)
        image = rgb if image is None else _upfirdn(image, 2, 1, (2, 1), 4) + rgb
        index += 1
        r *= 2
    assert image is not None
    return image


def nvidia_discriminate(
    t: Tensors,
    images: Tensor,
    c: Tensor | None = None,
    clamp: float | None = None,
    group_size: int = 4,
    lr_multiplier: float = 0.01,
) -> Tensor:
    """images [N, 3, R, R] and labels [N, c_dim] -> logits [N, 1]."""
    features = []
    for image in images.double():
        x, r = image, image.shape[-1]
        x = _nvidia_conv(t, f"b{r}.fromrgb", x, clamp=clamp)
        while r > 4:
            y = _nvidia_conv(t, f"b{r}.skip", x, down=True, act=False, gain=0.5**0.5)
            x = _nvidia_conv(t, f"b{r}.conv0", x, clamp=clamp)
            x = _nvidia_conv(t, f"b{r}.conv1", x, down=True, gain=0.5**0.5, clamp=clamp)
            x, r = x + y, r // 2
        features.append(x)
    logits = []
    channels = t["b4.conv.weight"].shape[1] - features[0].shape[0]
    for n, x in enumerate(_append_stddev(features, group_size, channels)):
        x = _nvidia_conv(t, "b4.conv", x, clamp=clamp)
        x = _dense(t, "b4.out", _lrelu(_dense(t, "b4.fc", x.flatten())))
        if c is not None:
            cmap = nvidia_map(t, None, c[n], lr_multiplier)
            x = ((x * cmap).sum() / math.sqrt(len(cmap)))[None]
        logits.append(x)
    return torch.stack(logits)


def rosinality_map(t: Tensors, z: Tensor) -> Tensor:
    """z [style_dim] -> w [style_dim]."""
    x, i = _unit(z.double()), 1
    while f"style.{i}.weight" in t:
        x = _lrelu(_dense(t, f"style.{i}", x, 0.01))
        i += 1
    return x


def rosinality_synthesize(t: Tensors, ws: Tensor, resolution: int) -> Tensor:
    """ws [num_ws, style_dim] -> image [3, R, R], with the stored noises."""
    x = _rosinality_layer(t, "conv1", t["input.input"][0].double(), ws[0], 0)
    image = _rosinality_to_rgb(t, "to_rgb1", x, ws[1])
    for k in range(resolution.bit_length() - 3):
        x = _rosinality_layer(t, f"convs.{2 * k}", x, ws[2 * k + 1], 2 * k + 1, up=True)
        x = _rosinality_layer(t, f"convs.{2 * k + 1}", x, ws[2 * k + 2], 2 * k + 2)
        image = _upfirdn(image, 2, 1, (2, 1), 4)
        image = image + _rosinality_to_rgb(t, f"to_rgbs.{k}", x, ws[2 * k + 3])
    return image


def rosinality_discriminate(t: Tensors, images: Tensor) -> Tensor:
    """images [N, 3, R, R] -> logits [N, 1]."""
    features = []
    for image in images.double():
        x = _lrelu(_equal_conv(t, "convs.0.0", image) + _bias(t, "convs.0.1.bias"))
        for k in range(1, image.shape[-1].bit_length() - 2):
            y = _equal_conv(t, f"convs.{k}.skip.1", _upfirdn(x, 1, 1, (1, 1), 1), stride=2)
            x = _equal_conv(t, f"convs.{k}.conv1.0", x, padding=1)
            x = _lrelu(x + _bias(t, f"convs.{k}.conv1.1.bias"))
            x = _equal_conv(t, f"convs.{k}.conv2.1", _upfirdn(x, 1, 1, (2, 2), 1), stride=2)
            x = _lrelu(x + _bias(t, f"convs.{k}.conv2.2.bias"))
            x = (x + y) / math.sqrt(2)
        features.append(x)
    logits = []
    for x in _append_stddev(features, 4, 1):
        x = _lrelu(_equal_conv(t, "final_conv.0", x, padding=1) + _bias(t, "final_conv.1.bias"))
        x = _lrelu(_dense(t, "final_linear.0", x.flatten()))
        logits.append(_dense(t, "final_linear.1", x))
    return torch.stack(logits)


# --- shared by both layouts ---


def _unit(x: Tensor) -> Tensor:
    return x / math.sqrt(float((x * x).mean()) + 1e-8)


def _lrelu(x: Tensor) -> Tensor:
    return torch.where(x < 0, 0.2 * x, x) * math.sqrt(2)


def _dense(t: Tensors, name: str, x: Tensor, lr_multiplier: float = 1.0) -> Tensor:
    weight, bias = t[f"{name}.weight"].double(), t[f"{name}.bias"].double()
    return weight @ x * lr_multiplier / math.sqrt(weight.shape[1]) + bias * lr_multiplier


def _upfirdn(x: Tensor, up: int, down: int, pad: tuple[int, int], gain: float) -> Tensor:
    """Insert zeros, pad, low-pass, decimate: [C, H, W]."""
    C, H, W = x.shape
    spread = x.new_zeros(C, H * up, W * up)
    spread[:, ::up, ::up] = x
    padded = F.pad(spread, (*pad, *pad))
    kernel = (_FIR * gain)[None, None]
    filtered = torch.stack([F.conv2d(channel[None, None], kernel)[0, 0] for channel in padded])
    return filtered[:, ::down, ::down]


def _append_stddev(features: list[Tensor], group_size: int, channels: int) -> list[Tensor]:
    """Append the minibatch standard deviation of each sample's group as channels."""
    N = len(features)
    if channels == 0:
        return features
    G = min(group_size, N)
    M = N // G  # groups; sample n belongs to group n % M
    out = []
    for n, x in enumerate(features):
        group = torch.stack(features[n % M :: M])
        deviation = ((group - group.mean(0)).square().mean(0) + 1e-8).sqrt()
        C = x.shape[0] // channels
        maps = [
            torch.full_like(x[:1], float(deviation[i * C : (i + 1) * C].mean()))
            for i in range(channels)
        ]
        out.append(torch.cat([x, *maps]))
    return out


# --- stylegan2-ada-pytorch ---


def _nvidia_layer(
    t: Tensors, name: str, x: Tensor, w: Tensor, up: bool, noise: bool, clamp: float | None
) -> Tensor:
    style = _dense(t, f"{name}.affine", w.double())
    weight = t[f"{name}.weight"].double() * style[None, :, None, None]
    weight = weight / (weight.square().sum(dim=(1, 2, 3), keepdim=True) + 1e-8).sqrt()
    if up:
        x = F.conv2d(_upfirdn(x, 2, 1, (3, 2), 4)[None], weight.flip(2, 3))[0]
    else:
        x = F.conv2d(x[None], weight, padding=1)[0]
    if noise and f"{name}.noise_const" in t:
        x = x + t[f"{name}.noise_const"].double() * float(t[f"{name}.noise_strength"])
    return _clamp(_lrelu(x + _bias(t, f"{name}.bias")), clamp)


def _nvidia_to_rgb(t: Tensors, name: str, x: Tensor, w: Tensor, clamp: float | None) -> Tensor:
    style = _dense(t, f"{name}.affine", w.double()) / math.sqrt(x.shape[0])
    weight = t[f"{name}.weight"].double() * style[None, :, None, None]
    return _clamp(F.conv2d(x[None], weight)[0] + _bias(t, f"{name}.bias"), clamp)


def _nvidia_conv(
    t: Tensors,
    name: str,
    x: Tensor,
    *,
    down: bool = False,
    act: bool = True,
    gain: float = 1.0,
    clamp: float | None = None,
) -> Tensor:
    weight = t[f"{name}.weight"].double()
    weight = weight / math.sqrt(weight[0].numel())
    k = weight.shape[-1]
    if down:
        pad = k // 2 + 1
        x = F.conv2d(_upfirdn(x, 1, 1, (pad, pad), 1)[None], weight, stride=2)[0]
    else:
        x = F.conv2d(x[None], weight, padding=k // 2)[0]
    if f"{name}.bias" in t:
        x = x + _bias(t, f"{name}.bias")
    return _clamp((_lrelu(x) if act else x) * gain, None if clamp is None else clamp * gain)


def _bias(t: Tensors, name: str) -> Tensor:
    return t[name].double().reshape(-1, 1, 1)


def _clamp(x: Tensor, bound: float | None) -> Tensor:
    return x if bound is None else x.clamp(-bound, bound)


# --- rosinality's stylegan2-pytorch ---


def _modulated(t: Tensors, name: str, w: Tensor, demodulate: bool) -> Tensor:
    weight = t[f"{name}.conv.weight"][0].double()
    style = _dense(t, f"{name}.conv.modulation", w.double())
    weight = weight * style[None, :, None, None] / math.sqrt(weight[0].numel())
    if demodulate:
        weight = weight / (weight.square().sum(dim=(1, 2, 3), keepdim=True) + 1e-8).sqrt()
    return weight


def _rosinality_layer(
    t: Tensors, name: str, x: Tensor, w: Tensor, noise: int, up: bool = False
) -> Tensor:
    weight = _modulated(t, name, w, demodulate=True)
    if up:
        x = F.conv_transpose2d(x[None], weight.transpose(0, 1), stride=2)[0]
        x = _upfirdn(x, 1, 1, (1, 1), 4)
    else:
        x = F.conv2d(x[None], weight, padding=1)[0]
    if f"noises.noise_{noise}" in t:
        x = x + t[f"noises.noise_{noise}"][0].double() * float(t[f"{name}.noise.weight"])
    return _lrelu(x + _bias(t, f"{name}.activate.bias"))


def _rosinality_to_rgb(t: Tensors, name: str, x: Tensor, w: Tensor) -> Tensor:
    weight = _modulated(t, name, w, demodulate=False)
    return F.conv2d(x[None], weight)[0] + _bias(t, f"{name}.bias")


def _equal_conv(t: Tensors, name: str, x: Tensor, *, stride: int = 1, padding: int = 0) -> Tensor:
    weight = t[f"{name}.weight"].double()
    weight = weight / math.sqrt(weight[0].numel())
    return F.conv2d(x[None], weight, stride=stride, padding=padding)[0]
