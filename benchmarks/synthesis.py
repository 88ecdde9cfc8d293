"""Time synthesis and fills of `paper-256`, and fills of the five archs.

The baseline is the plain formulation: per-sample weights, grouped convolutions, fp32. Both are
timed alternately in the same run, so that other work on the machine affects both equally.

    python -m benchmarks.synthesis [--preset paper-256] [--repeats 5] [--quick]
"""

from __future__ import annotations

import argparse
import math
import statistics
import time
from collections.abc import Callable
from functools import partial

import numpy as np
import torch
import torch.nn.functional as F
from inpaint_model.baselines.archs import make_model
from inpaint_model.bundle.manifest import BundleInfo, Card
from inpaint_model.inference.freeze import best_dtype
from inpaint_model.inference.inpainter import Inpainter
from inpaint_model.networks.config import ARCHS, Arch, resolutions
from inpaint_model.networks.generator import SynthesisLayer, SynthesisNetwork, ToRGBLayer
from inpaint_model.networks.ops import SQRT2, filter2d, upsample2d
from inpaint_model.networks.presets import Preset, inpainting_config, preset
from torch import Tensor


def grouped_layer(layer: SynthesisLayer, x: Tensor, w: Tensor) -> Tensor:
    """Apply a layer as a grouped convolution with one demodulated weight tensor per sample."""
    N, I, H, W = x.shape  # noqa: E741
    weight = layer.weight[None] * layer.affine(w)[:, None, :, None, None]  # [N, O, I, k, k]
    weight = weight * (weight.square().sum(dim=(2, 3, 4), keepdim=True) + 1e-8).rsqrt()
    O = weight.shape[1]  # noqa: E741
    if layer.up:
        kernel = weight.transpose(1, 2).reshape(N * I, O, 3, 3)
        y = F.conv_transpose2d(x.reshape(1, N * I, H, W), kernel, stride=2, groups=N)
        y = filter2d(y.reshape(N, O, 2 * H + 1, 2 * W + 1), padding=1, gain=4.0)
    else:
        y = F.conv2d(x.reshape(1, N * I, H, W), weight.reshape(N * O, I, 3, 3), padding=1, groups=N)
        y = y.reshape(N, O, H, W)
    y = y + layer.noise_const * layer.noise_strength + layer.bias[:, None, None]
    return F.leaky_relu(y, 0.2) * SQRT2


def grouped_rgb(layer: ToRGBLayer, x: Tensor, w: Tensor) -> Tensor:
    """Return [N, 3, H, W] of features [N, I, H, W], with a grouped convolution."""
    N, I, H, W = x.shape  # noqa: E741
    styles = layer.affine(w) / math.sqrt(I)
    weight = (layer.weight[None] * styles[:, None, :, None, None]).reshape(N * 3, I, 1, 1)
    y = F.conv2d(x.reshape(1, N * I, H, W), weight, groups=N).reshape(N, 3, H, W)
    return y + layer.bias[:, None, None]


def grouped_synthesis(network: SynthesisNetwork, ws: Tensor) -> Tensor:
    """Synthesize images with grouped convolutions: [N, num_ws, w_dim] -> [N, 3, R, R]."""
    x = network.block(4).const[None].expand(len(ws), -1, -1, -1)
    image = None
    for k, resolution in enumerate(resolutions(network.config.resolution)):
        block = network.block(resolution)
        if k:
            x = grouped_layer(block.conv0, x, ws[:, 2 * k - 1])
        x = grouped_layer(block.conv1, x, ws[:, 2 * k])
        rgb = grouped_rgb(block.to_rgb, x, ws[:, 2 * k + 1])
        image = rgb if image is None else upsample2d(image) + rgb
    assert image is not None
    return image


def milliseconds(calls: dict[str, Callable[[], object]], repeats: int) -> dict[str, float]:
    """Return the median time of each call; the calls are interleaved."""
    times: dict[str, list[float]] = {name: [] for name in calls}
    for turn in range(repeats + 1):  # the first turn warms up
        for name, call in calls.items():
            if torch.cuda.is_available():
                torch.cuda.synchronize()
            start = time.perf_counter()
            call()
            if torch.cuda.is_available():
                torch.cuda.synchronize()
            if turn:
                times[name].append((time.perf_counter() - start) * 1000)
    return {name: statistics.median(values) for name, values in times.items()}


def untrained(sizes: Preset, arch: Arch, device: torch.device, dtype: str) -> Inpainter:
    """Create an inpainter with random weights, whose images have the contrast of photos."""
    torch.manual_seed(0)
    model = make_model(inpainting_config(sizes, arch))
    with torch.no_grad():
        G = model.generator
        contrast = 0.5 / float(G(torch.randn(1, G.config.z_dim)).std())
        for resolution in resolutions(G.config.resolution):
            G.synthesis.block(resolution).to_rgb.weight.mul_(contrast)
    info = BundleInfo(
        *(None, "inpainter", Card("untrained"), model.config, "", "", "fp32"),  # type: ignore[arg-type]
    )
    return Inpainter(model, info, device, dtype)


def run(preset_name: str, device: torch.device, repeats: int, archs: bool) -> None:
    """Print the times of synthesis and fills on a device."""
    dtype = best_dtype(device)
    name = torch.cuda.get_device_name() if device.type == "cuda" else "CPU"
    print(f"\n{preset_name} on {name}, {dtype}, {torch.get_num_threads()} threads; medians in ms")
    torch.manual_seed(0)
    plain = make_model(inpainting_config(preset(preset_name))).generator.synthesis
    plain = plain.to(device).eval().requires_grad_(False)
    inpainter = untrained(preset(preset_name), "hierarchical", device, dtype)
    exact = untrained(preset(preset_name), "hierarchical", device, "fp32")
    R = inpainter.resolution
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (R, R, 3), dtype=np.uint8)
    hole = np.zeros((R, R), np.uint8)
    hole[R // 4 : -R // 4, R // 4 : -R // 4] = 255
    encoding, exact_encoding = inpainter.encode(image, hole), exact.encode(image, hole)
    print(f"{'candidates':>12}{'grouped fp32':>15}{'synthesis':>12}{'faster':>9}{'full fill':>12}")

    def whole_fill(seeds: list[int]) -> object:
        encoding = inpainter.encode(image, hole)
        return inpainter.render(encoding, inpainter.sample(encoding, seeds))

    with torch.inference_mode():
        for count in (1, 4, 8):
            seeds = list(range(count))
            codes = inpainter.sample(encoding, seeds)
            ws = torch.from_numpy(codes).to(device)
            medians = milliseconds(
                {
                    "grouped": partial(grouped_synthesis, plain, ws),
                    "synthesis": partial(inpainter.synthesis, ws),
                    "fill": partial(whole_fill, seeds),
                },
                repeats,
            )
            ratio = medians["grouped"] / medians["synthesis"]
            print(
                f"{count:>12}{medians['grouped']:>15.1f}{medians['synthesis']:>12.1f}"
                f"{ratio:>8.1f}x{medians['fill']:>12.1f}"
            )
    codes = exact.sample(exact_encoding, [0, 1])
    error = np.square(exact.render(exact_encoding, codes) - inpainter.render(encoding, codes))
    print(
        f"{dtype} compared with fp32: "
        f"{10 * math.log10(1 / max(float(error.mean()), 1e-20)):.1f} dB PSNR"
    )
    if archs:
        del plain, exact, inpainter
        print("one full fill with each arch:")
        for arch in ARCHS:
            model = untrained(preset(preset_name), arch, device, dtype)
            medians = milliseconds({arch: partial(model.fill, image, hole, [0])}, repeats)
            print(f"  {arch:<26}{medians[arch]:>10.1f}")


def main(arguments: list[str] | None = None) -> None:
    """Measure on the CPU, and on the GPU if there is one."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument(
        "--preset", default="paper-256", help="preset of network sizes (default: paper-256)"
    )
    parser.add_argument("--repeats", type=int, default=5, help="number of repeats (default: 5)")
    parser.add_argument("--quick", action="store_true", help="skip the five archs")
    args = parser.parse_args(arguments)
    run(args.preset, torch.device("cpu"), args.repeats, not args.quick)
    if torch.cuda.is_available():
        run(args.preset, torch.device("cuda"), args.repeats * 4, not args.quick)


if __name__ == "__main__":
    main()
