"""The StyleGAN2 generator, split so that features can be read and replaced midway."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor, nn

from inpaint_model.networks.config import GeneratorConfig, resolutions
from inpaint_model.networks.ops import (
    FullyConnectedLayer,
    bias_act,
    modulated_conv2d,
    normalize_2nd_moment,
    upsample2d,
)

NoiseMode = Literal["const", "none", "random"]
NoiseSource = Callable[[int, int], Tensor]  # (N, resolution) -> [N, 1, resolution, resolution]


class MappingNetwork(nn.Module):
    """Map z and labels c to w."""

    w_avg: Tensor

    def __init__(
        self,
        z_dim: int,
        c_dim: int,
        w_dim: int,
        num_ws: int | None,
        num_layers: int = 8,
        lr_multiplier: float = 0.01,
    ) -> None:
        super().__init__()
        self.z_dim, self.c_dim, self.num_ws, self.num_layers = z_dim, c_dim, num_ws, num_layers
        if c_dim:
            self.embed = FullyConnectedLayer(c_dim, w_dim)
        in_features = z_dim + (w_dim if c_dim else 0)
        for i in range(num_layers):
            layer = FullyConnectedLayer(
                in_features, w_dim, linear=False, lr_multiplier=lr_multiplier
            )
            self.add_module(f"fc{i}", layer)
            in_features = w_dim
        if num_ws is not None:
            self.register_buffer("w_avg", torch.zeros(w_dim))

    def map(self, z: Tensor | None, c: Tensor | None = None) -> Tensor:
        """Map z [N, z_dim], labels c [N, c_dim], or both, to w [N, w_dim], without truncation.

        Raises:
            ValueError: Labels are missing or have the wrong width.
        """
        parts = [normalize_2nd_moment(z)] if z is not None and self.z_dim else []
        if self.c_dim:
            if c is None or c.shape[1] != self.c_dim:
                raise ValueError(f"this network is conditional: give labels c=[N, {self.c_dim}]")
            parts.append(normalize_2nd_moment(self.embed(c)))
        x = torch.cat(parts, dim=1)
        for i in range(self.num_layers):
            x = getattr(self, f"fc{i}")(x)
        return x

    def forward(
        self, z: Tensor, c: Tensor | None = None, truncation_psi: float | Tensor = 1.0
    ) -> Tensor:
        """Repeat w for every style, [N, num_ws, w_dim], truncated: psi 1 = off, 0 = the mean."""
        assert self.num_ws is not None
        w = self.map(z, c)
        if isinstance(truncation_psi, Tensor) or truncation_psi != 1.0:
            w = self.w_avg.lerp(w, truncation_psi)
        return w[:, None].expand(-1, self.num_ws, -1)

    @torch.no_grad()
    def track_w_avg(self, w: Tensor, beta: float = 0.998) -> None:
        """Move w_avg toward the mean of a batch w [N, w_dim]."""
        self.w_avg.copy_(w.detach().float().mean(dim=0).lerp(self.w_avg, beta))


class SynthesisLayer(nn.Module):
    """Modulated 3 x 3 convolution with noise: [N, I, h, w] -> [N, O, resolution, resolution]."""

    noise_const: Tensor

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        w_dim: int,
        resolution: int,
        *,
        up: bool = False,
        conv_clamp: float | None = None,
    ) -> None:
        super().__init__()
        self.resolution, self.up, self.conv_clamp = resolution, up, conv_clamp
        self.affine = FullyConnectedLayer(w_dim, in_channels, bias_init=1.0)
        self.weight = nn.Parameter(torch.randn(out_channels, in_channels, 3, 3))
        self.register_buffer("noise_const", torch.randn(resolution, resolution))
        self.noise_strength = nn.Parameter(torch.zeros(()))
        self.bias = nn.Parameter(torch.zeros(out_channels))

    def forward(
        self, x: Tensor, w: Tensor, noise_mode: NoiseMode, noise: NoiseSource | None = None
    ) -> Tensor:
        """Apply the layer with a style w [N, w_dim].

        "const" adds the layer's stored noise, "random" new noise from `noise` or torch's global
        generator.
        """
        x = modulated_conv2d(x, self.weight, self.affine(w), up=self.up)
        if noise_mode == "const":
            x = x + (self.noise_const * self.noise_strength).to(x.dtype)
        elif noise_mode == "random":
            drawn = (
                noise(x.shape[0], self.resolution)
                if noise is not None
                else torch.randn(x.shape[0], 1, self.resolution, self.resolution, device=x.device)
            )
            x = x + (drawn * self.noise_strength).to(x.dtype)
        return bias_act(x, self.bias, clamp=self.conv_clamp)


class ToRGBLayer(nn.Module):
    """Modulated 1 x 1 convolution to RGB, without demodulation."""

    def __init__(self, in_channels: int, w_dim: int, conv_clamp: float | None = None) -> None:
        super().__init__()
        self.conv_clamp = conv_clamp
        self.affine = FullyConnectedLayer(w_dim, in_channels, bias_init=1.0)
        self.weight = nn.Parameter(torch.randn(3, in_channels, 1, 1))
        self.bias = nn.Parameter(torch.zeros(3))
        self.weight_gain = 1.0 / math.sqrt(in_channels)

    def forward(self, x: Tensor, w: Tensor) -> Tensor:
        """Apply the layer with a style w [N, w_dim]."""
        styles = self.affine(w) * self.weight_gain
        x = modulated_conv2d(x, self.weight, styles, demodulate=False)
        return bias_act(x, self.bias, linear=True, clamp=self.conv_clamp)


class SynthesisBlock(nn.Module):
    """One resolution: `conv0` (at 4 px, a learned constant), then `conv1` and the RGB skip."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        w_dim: int,
        resolution: int,
        conv_clamp: float | None = None,
    ) -> None:
        super().__init__()
        self.resolution = resolution
        if in_channels == 0:
            self.const = nn.Parameter(torch.randn(out_channels, resolution, resolution))
        else:
            self.conv0 = SynthesisLayer(
                in_channels, out_channels, w_dim, resolution, up=True, conv_clamp=conv_clamp
            )
        self.conv1 = SynthesisLayer(
            out_channels, out_channels, w_dim, resolution, conv_clamp=conv_clamp
        )
        self.to_rgb = ToRGBLayer(out_channels, w_dim, conv_clamp)

    def start(self, N: int, dtype: torch.dtype) -> Tensor:
        """Return the learned constant for a batch, [N, C, 4, 4]."""
        x = self.const.to(dtype)[None].expand(N, -1, -1, -1)
        return x.contiguous(memory_format=torch.channels_last)

    def finish(
        self,
        x: Tensor,
        image: Tensor | None,
        w_conv1: Tensor,
        w_rgb: Tensor,
        noise_mode: NoiseMode,
        noise: NoiseSource | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Return features [N, C, r, r] and the accumulated RGB image [N, 3, r, r], float32.

        `image` is the previous block's, None at 4 px.
        """
        x = self.conv1(x, w_conv1, noise_mode, noise)
        rgb = self.to_rgb(x, w_rgb).float()
        return x, rgb if image is None else upsample2d(image) + rgb


class SynthesisNetwork(nn.Module):
    """ws [N, num_ws, w_dim] -> image [N, 3, R, R], nominally -1..1.

    The block at r px, with k = log2(r) - 2, uses the styles 2k - 1 (conv0), 2k (conv1) and 2k + 1
    (to_rgb).
    """

    def __init__(self, config: GeneratorConfig) -> None:
        super().__init__()
        self.config = config
        in_channels = 0
        for resolution, out_channels in zip(
            resolutions(config.resolution), config.channels, strict=True
        ):
            block = SynthesisBlock(
                in_channels, out_channels, config.w_dim, resolution, config.conv_clamp
            )
            self.add_module(f"b{resolution}", block)
            in_channels = out_channels

    def block(self, resolution: int) -> SynthesisBlock:
        """Return the block at `resolution` px."""
        block = getattr(self, f"b{resolution}")
        assert isinstance(block, SynthesisBlock)
        return block

    @property
    def constant_noise(self) -> list[Tensor]:
        """Each layer's constant noise [r, r], in execution order."""
        layers = [
            layer
            for side in resolutions(self.config.resolution)
            for block in [self.block(side)]
            for layer in ([block.conv1] if side == 4 else [block.conv0, block.conv1])
        ]
        return [layer.noise_const for layer in layers]

    def head(
        self,
        ws: Tensor,
        stop: int,
        noise_mode: NoiseMode = "const",
        noise: NoiseSource | None = None,
        dtype: torch.dtype = torch.float32,
    ) -> tuple[Tensor, Tensor]:
        """Run the layers through conv0 of the block at `stop` px, 8 or more.

        Returns:
            Features [N, C, stop, stop] and the RGB image [N, 3, stop/2, stop/2], float32.
        """
        b4 = self.block(4)
        x, image = b4.finish(
            b4.start(ws.shape[0], dtype), None, ws[:, 0], ws[:, 1], noise_mode, noise
        )
        for resolution in resolutions(stop)[1:]:
            block, k = self.block(resolution), resolution.bit_length() - 3
            x = block.conv0(x, ws[:, 2 * k - 1], noise_mode, noise)
            if resolution == stop:
                break
            x, image = block.finish(x, image, ws[:, 2 * k], ws[:, 2 * k + 1], noise_mode, noise)
        return x, image

    def tail(
        self,
        x: Tensor,
        image: Tensor,
        ws: Tensor,
        noise_mode: NoiseMode = "const",
        noise: NoiseSource | None = None,
    ) -> Tensor:
        """Run the remaining layers on the image and (possibly modified) features of `head`."""
        start = x.shape[-1]
        for resolution in resolutions(self.config.resolution):
            if resolution < start:
                continue
            block, k = self.block(resolution), resolution.bit_length() - 3
            if resolution > start:
                x = block.conv0(x, ws[:, 2 * k - 1], noise_mode, noise)
            x, image = block.finish(x, image, ws[:, 2 * k], ws[:, 2 * k + 1], noise_mode, noise)
        return image

    def forward(
        self,
        ws: Tensor,
        noise_mode: NoiseMode = "const",
        noise: NoiseSource | None = None,
        dtype: torch.dtype = torch.float32,
    ) -> Tensor:
        """Return images; the convolutions compute in `dtype`.

        Raises:
            ValueError: `ws` has the wrong shape.
        """
        if ws.ndim != 3 or ws.shape[1:] != (self.config.num_ws, self.config.w_dim):
            raise ValueError(
                f"ws has shape {list(ws.shape)}; this generator takes "
                f"[N, {self.config.num_ws}, {self.config.w_dim}]"
            )
        x, image = self.head(ws, 8, noise_mode, noise, dtype)
        return self.tail(x, image, ws, noise_mode, noise)


class Generator(nn.Module):
    """A StyleGAN2 generator: `mapping` maps z to w, `synthesis` renders w."""

    def __init__(self, config: GeneratorConfig) -> None:
        super().__init__()
        self.config = config
        self.mapping = MappingNetwork(
            config.z_dim,
            config.c_dim,
            config.w_dim,
            config.num_ws,
            config.num_mapping_layers,
            config.mapping_lr_multiplier,
        )
        self.synthesis = SynthesisNetwork(config)

    def forward(
        self,
        z: Tensor,
        c: Tensor | None = None,
        truncation_psi: float = 1.0,
        noise_mode: NoiseMode = "const",
    ) -> Tensor:
        """Return images [N, 3, R, R], nominally -1..1, for z [N, z_dim] and labels c [N, c_dim].

        `truncation_psi`: 1 = off, 0 = the mean image.

        Raises:
            ValueError: Labels are missing or have the wrong width.
        """
        image: Tensor = self.synthesis(self.mapping(z, c, truncation_psi), noise_mode)
        return image
