"""Convert networks to a faster form for inference that computes the same.

What depends only on weights, such as the energies for demodulation, is computed once.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from inpaint_model.networks.generator import NoiseMode, NoiseSource, SynthesisLayer, ToRGBLayer
from inpaint_model.networks.inpainting_model import InpaintingModel
from inpaint_model.networks.ops import EPSILON, SQRT2, channels_last, up_conv2d
from inpaint_model.networks.precision import DTYPES


def best_dtype(device: torch.device) -> str:
    """Return a device's fastest precision with at least 45 dB PSNR to fp32."""
    if device.type == "cuda":
        return "bf16" if torch.cuda.is_bf16_supported() else "fp16"
    capabilities = torch.backends.cpu.get_cpu_capability() if device.type == "cpu" else ""
    has_bf16 = capabilities.startswith("AVX512") and torch.cpu._is_avx512_bf16_supported()
    return "bf16" if has_bf16 else "fp32"


class FrozenSynthesisLayer(nn.Module):
    """A `SynthesisLayer` for inference, with constant noise or none."""

    energy: Tensor
    weight: Tensor
    noise: Tensor
    bias: Tensor

    def __init__(self, layer: SynthesisLayer, dtype: torch.dtype) -> None:
        super().__init__()
        self.affine, self.up, self.conv_clamp = layer.affine, layer.up, layer.conv_clamp
        self.half_range = dtype == torch.float16
        weight = layer.weight.detach().float()
        if self.half_range:
            # Demodulation cancels any scale of weights and styles; keep sums below 65504.
            fan_in = weight[0].numel()
            largest = weight.abs().amax(dim=(1, 2, 3), keepdim=True).clamp_min(1e-12)
            weight = weight / (largest * fan_in**0.5)
        self.register_buffer("energy", weight.square().sum(dim=(2, 3)).T.contiguous())  # [I, O]
        self.register_buffer(
            "weight", weight.to(dtype).contiguous(memory_format=torch.channels_last)
        )
        self.register_buffer(
            "noise", (layer.noise_const * layer.noise_strength * SQRT2).detach().to(dtype)
        )
        self.register_buffer("bias", (layer.bias * SQRT2).detach().to(dtype))

    def forward(
        self, x: Tensor, w: Tensor, noise_mode: NoiseMode, noise: NoiseSource | None = None
    ) -> Tensor:
        """Apply the layer; `noise` is not used.

        Raises:
            ValueError: The noise mode is "random".
        """
        if noise_mode == "random":
            raise ValueError("a model frozen for inference has constant noise only")
        styles = self.affine(w)
        if self.half_range:
            styles = styles / styles.abs().amax(dim=1, keepdim=True).clamp_min(1e-12)
        dcoefs = (styles.square() @ self.energy + EPSILON).rsqrt()  # [N, O]
        x = x * styles.to(x.dtype)[:, :, None, None]
        if self.up:
            x = up_conv2d(x, self.weight)
        else:
            x = torch.nn.functional.conv2d(x, self.weight, padding=1)
        dcoefs = (dcoefs * SQRT2).to(x.dtype)[:, :, None, None]  # includes the activation's gain
        # Scale and add noise with one rounding.
        x = torch.addcmul(self.noise, x, dcoefs) if noise_mode == "const" else x * dcoefs
        x = torch.nn.functional.leaky_relu_(x.add_(self.bias[:, None, None]), 0.2)
        return x if self.conv_clamp is None else x.clamp_(-self.conv_clamp, self.conv_clamp)


def freeze_for_inference(
    model: InpaintingModel, device: torch.device, dtype: str
) -> InpaintingModel:
    """Convert `model` in place to its fast form on `device`; it can no longer be trained.

    Convolutions run in `dtype`, a name in `DTYPES`; mapping, styles, demodulation, mixing and RGB
    stay in float32.
    """
    precision = DTYPES[dtype]
    model.eval().requires_grad_(False)
    model.precision = precision
    for block in (block for network in model.synthesis_networks() for block in network.children()):
        for name, layer in list(block.named_children()):
            if isinstance(layer, SynthesisLayer):
                setattr(block, name, FrozenSynthesisLayer(layer, precision))
            elif isinstance(layer, ToRGBLayer):
                layer.weight.data = layer.weight.data.to(precision)
    for convolutional in model.convolutional_parts():
        convolutional.to(precision)
    return channels_last(model.to(device))
