"""HyperStyle: the generator with changed weights, the hypernetwork, and its refinement steps."""

from __future__ import annotations

import copy
import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from inpaint_model.baselines.hypernetwork import HyperNetwork, SharedOffsets
from inpaint_model.baselines.hyperstyle import STEPS, HyperStyle
from inpaint_model.baselines.weight_offsets import offset_shapes, synthesize
from inpaint_model.inference.inpainter import Inpainter
from inpaint_model.inference.memory_footprint import META
from inpaint_model.inference.tiny import tiny_inpainter, tiny_model
from inpaint_model.networks.generator import SynthesisLayer, SynthesisNetwork, ToRGBLayer
from inpaint_model.networks.presets import inpainting_config, preset
from torch import Tensor, nn


def rand(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def hyperstyle(resolution: int = 32, offsets: float = 0.0) -> HyperStyle:
    """Return an untrained model, whose offsets get about this size."""
    model = tiny_model(resolution=resolution, arch="hyperstyle")
    assert isinstance(model, HyperStyle)
    if offsets:
        rng = torch.Generator().manual_seed(1)
        for layer in last_layers(model.hypernetwork):
            with torch.no_grad():
                layer.weight.normal_(std=offsets, generator=rng)
                layer.bias.normal_(std=offsets, generator=rng)
    return model


def last_layers(hypernetwork: HyperNetwork) -> list[nn.Linear]:
    own = [last for _, last in blocks_of(hypernetwork) if isinstance(last, nn.Linear)]
    return [hypernetwork.shared.columns, *own]


def blocks_of(hypernetwork: HyperNetwork) -> list[tuple[nn.Sequential, nn.Module]]:
    """Convolutions and linear layer of every refinement block."""
    blocks = []
    for block in hypernetwork.blocks:
        assert isinstance(block, nn.Sequential)
        convolutions, last = block
        assert isinstance(convolutions, nn.Sequential)
        blocks.append((convolutions, last))
    return blocks


def image_and_hole(N: int, R: int = 32, seed: int = 0) -> tuple[Tensor, Tensor]:
    hole = torch.zeros(N, 1, R, R)
    hole[:, :, R // 4 : R // 2, R // 8 :] = 1
    return rand(N, 3, R, R, seed=seed).clamp(-1, 1), hole


def layers_of(synthesis: SynthesisNetwork) -> list[SynthesisLayer]:
    """Every convolution, in the order in which they run."""
    layers = [layer for block in synthesis.children() for layer in block.children()]
    return [layer for layer in layers if isinstance(layer, SynthesisLayer)]


def changed(synthesis: SynthesisNetwork, offsets: Tensor) -> SynthesisNetwork:
    """Return a copy with one image's offsets [D] in its weights, kernel by kernel."""
    own, start = copy.deepcopy(synthesis), 0
    for layer in layers_of(own):
        weight = layer.weight.data
        for o in range(weight.shape[0]):
            for i in range(weight.shape[1]):
                weight[o, i] *= 1 + offsets[start]
                start += 1
    assert start == len(offsets)
    return own


def count(model: HyperStyle) -> int:
    return sum(math.prod(shape) for shape in offset_shapes(model.config.generator))


def test_shapes_are_those_of_the_convolutions() -> None:
    for resolution in (32, 128):
        G = tiny_model(resolution=resolution, arch="psp").generator
        shapes = [tuple(layer.weight.shape[:2]) for layer in layers_of(G.synthesis)]
        assert offset_shapes(G.config) == shapes


def test_each_image_is_that_of_a_generator_with_its_weights() -> None:
    model = hyperstyle(resolution=64)
    synthesis, ws = model.generator.synthesis, rand(3, model.config.generator.num_ws, 16)
    offsets = 0.5 * rand(3, count(model), seed=1)
    images = synthesize(synthesis, ws, offsets, torch.float32)
    for n in range(3):
        alone = changed(synthesis, offsets[n])(ws[n : n + 1])
        torch.testing.assert_close(images[n : n + 1], alone, rtol=1e-3, atol=1e-4)
        assert not torch.allclose(alone, synthesis(ws[n : n + 1]), atol=0.05)


def test_the_same_offsets_for_all_codes() -> None:
    """A batch with one image's offsets is what each code with them is."""
    model = hyperstyle()
    ws, offsets = rand(3, model.config.generator.num_ws, 16), 0.5 * rand(1, count(model), seed=1)
    once, each = (
        synthesize(model.generator.synthesis, ws, part, torch.float32)
        for part in (offsets, offsets.repeat(3, 1))
    )
    torch.testing.assert_close(once, each, rtol=1e-3, atol=1e-4)


def test_clamps_are_kept() -> None:
    model = hyperstyle()
    synthesis, ws = model.generator.synthesis, rand(2, model.config.generator.num_ws, 16)
    for module in synthesis.modules():
        if isinstance(module, SynthesisLayer | ToRGBLayer):
            module.conv_clamp = 0.5
    offsets = torch.zeros(2, count(model))
    torch.testing.assert_close(
        synthesize(synthesis, ws, offsets, torch.float32), synthesis(ws), rtol=1e-3, atol=1e-4
    )


def test_gradients_of_codes_and_offsets() -> None:
    """As those of the generator whose weights are changed."""
    model = hyperstyle()
    synthesis = model.generator.synthesis
    offsets = (0.1 * rand(2, count(model))).requires_grad_()
    ws = rand(2, model.config.generator.num_ws, 16, seed=1).requires_grad_()
    loss = synthesize(synthesis, ws, offsets, torch.float32).square().sum()
    found = torch.autograd.grad(loss, (ws, offsets))

    def alone(n: int) -> Tensor:
        parts = offsets[n].split([math.prod(s) for s in offset_shapes(synthesis.config)])
        weights = {
            f"{name}.weight": layer.weight * (1 + part.reshape(layer.weight.shape[:2] + (1, 1)))
            for (name, layer), part in zip(named, parts, strict=True)
        }
        image: Tensor = torch.func.functional_call(synthesis, weights, (ws[n : n + 1],))
        return image

    named = [(n, m) for n, m in synthesis.named_modules() if isinstance(m, SynthesisLayer)]
    expected = torch.autograd.grad(torch.stack([alone(0), alone(1)]).square().sum(), (ws, offsets))
    for have, want in zip(found, expected, strict=True):
        torch.testing.assert_close(have, want, rtol=1e-2, atol=1e-3 * want.abs().max().item())


def test_shared_layers_against_their_definition() -> None:
    """Code -> a code for each output channel -> its offsets, all by two matrices."""
    shared = SharedOffsets(code=3, channels=4)
    nn.init.normal_(shared.columns.weight)
    code = rand(2, 3)
    offsets = shared(code).reshape(2, 4, 4)
    for n in range(2):
        for o in range(4):
            rows = slice(3 * o, 3 * o + 3)
            own = shared.rows.weight[rows] @ code[n] + shared.rows.bias[rows]
            for i in range(4):
                want = shared.columns.weight[i] @ own + shared.columns.bias[i]
                torch.testing.assert_close(offsets[n, o, i], want)


def test_the_hypernetwork_block_by_block() -> None:
    model = hyperstyle(resolution=128, offsets=0.1)
    hyper, seen = model.hypernetwork, rand(2, 7, 128, 128)
    offsets = hyper(seen)
    features = hyper.body(seen)[-1]
    start = 0
    shapes = offset_shapes(model.config.generator)
    for (convolutions, last), shape in zip(blocks_of(hyper), shapes, strict=True):
        part = offsets[:, start : start + math.prod(shape)]
        start += math.prod(shape)
        code = features
        for conv in (layer for layer in convolutions if isinstance(layer, nn.Conv2d)):
            code = F.leaky_relu(conv(code), 0.01)
        code = last(code.mean(dim=(2, 3)))
        torch.testing.assert_close(part, hyper.shared(code) if shape == (16, 16) else code)
    assert start == offsets.shape[1]


def test_the_widest_convolutions_share_their_layers() -> None:
    hyper = hyperstyle(resolution=64).hypernetwork
    channels = hyperstyle(resolution=64).config.generator.channels
    assert channels == (16, 16, 16, 16, 8)
    assert hyper.sharing == [True] * 7 + [False] * 2
    before = hyper(rand(1, 7, 64, 64))
    with torch.no_grad():
        hyper.shared.columns.bias.fill_(1.0)
    after = hyper(rand(1, 7, 64, 64)) - before
    assert torch.equal(after[0], torch.cat([torch.ones(7 * 256), torch.zeros(16 * 8 + 64)]))


def test_untrained_offsets_change_nothing() -> None:
    model = hyperstyle()
    encoding = model.encode(*image_and_hole(2))
    assert torch.equal(encoding["offsets"], torch.zeros(2, count(model)))
    ws = model.mix(encoding, encoding["codes"])
    torch.testing.assert_close(
        model.render(encoding, ws), model.generator.synthesis(ws), rtol=1e-3, atol=1e-4
    )


def test_every_step_sees_what_the_offsets_so_far_give() -> None:
    model = hyperstyle(offsets=0.2)
    image, hole = image_and_hole(2)
    encoding = model.encode(image, hole)
    known = torch.cat([image * (1 - hole), 1 - hole], dim=1)
    for n in range(2):
        total = torch.zeros(count(model))
        for _ in range(STEPS):
            own = changed(model.generator.synthesis, total)(encoding["codes"][n : n + 1])
            total = total + model.hypernetwork(torch.cat([known[n : n + 1], own], dim=1))[0]
        torch.testing.assert_close(encoding["offsets"][n], total, rtol=1e-3, atol=1e-3)
        assert total.std() > 0.05


def test_the_fill_has_the_weights_and_an_edit_keeps_them() -> None:
    model = hyperstyle(offsets=0.2)
    encoding = model.encode(*image_and_hole(1))
    own = changed(model.generator.synthesis, encoding["offsets"][0])
    ws = model.mix(encoding, encoding["codes"])
    assert torch.equal(ws, encoding["codes"])
    edited = ws + rand(2, 1, 16)  # two edits of one image
    for codes in (ws, edited):
        images = model.render(encoding.expand(len(codes)), codes)
        torch.testing.assert_close(images, own(codes), rtol=1e-3, atol=1e-3)
    each = model.render(encoding.map(lambda part: part.repeat(2, *[1] * (part.ndim - 1))), edited)
    torch.testing.assert_close(each, own(edited), rtol=1e-3, atol=1e-3)


def test_content_of_the_hole_is_never_seen() -> None:
    model = hyperstyle(offsets=0.2)
    image, hole = image_and_hole(2)
    other = torch.where(hole > 0, rand(2, 3, 32, 32, seed=5), image)
    first, second = (model.encode(x, hole) for x in (image, other))
    assert all(torch.equal(first[name], second[name]) for name in first)
    third = model.encode(image.neg(), hole)
    assert all(not torch.equal(first[name], third[name]) for name in first)


def test_both_parts_learn_from_the_fill() -> None:
    """The last linear layers first, since they start at zero; then everything before them."""
    model = hyperstyle(offsets=0.1).train().requires_grad_(True)
    encoding = model.encode(*image_and_hole(2))
    model.render(encoding, model.mix(encoding, encoding["codes"])).square().sum().backward()
    for name, parameter in model.named_parameters():
        if name.startswith(("codes.encoder.body.stem", "hypernetwork.")):
            assert parameter.grad is not None, name
            assert parameter.grad.abs().max() > 0, name


@pytest.mark.parametrize("dtype", ["bf16", "fp16"])
def test_reduced_precision_is_close_to_fp32(dtype: str) -> None:
    """At least 45 dB, also where fp16 would overflow with weights and offsets as they stand."""
    image = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    hole = np.zeros((64, 64), np.uint8)
    hole[20:50, 10:40] = 255
    outputs = []
    for precision in ("fp32", dtype):
        model = hyperstyle(resolution=64, offsets=0.2)
        for layer in layers_of(model.generator.synthesis):
            layer.weight.data.mul_(3000.0)  # demodulation cancels it
        with torch.no_grad():
            model.hypernetwork.shared.columns.bias.add_(40.0)
        inpainter = Inpainter(model, tiny_inpainter(arch="hyperstyle").info, dtype=precision)
        encoding = inpainter.encode(image, hole)
        outputs.append(inpainter.render(encoding, inpainter.sample(encoding, [0])))
    error = float(np.square(outputs[0] - outputs[1]).mean())
    assert outputs[0].std() > 0.05
    assert 10 * np.log10(1.0 / error) >= 45


def test_sizes_of_the_paper() -> None:
    config = inpainting_config(preset("paper-256"), "hyperstyle")
    with META:
        model = HyperStyle(config)  # type: ignore[arg-type]
    assert model.hypernetwork.sharing == [True] * 9 + [False] * 4
    assert 4 * count(model) == 10_420_224  # bytes of an encoding's offsets
