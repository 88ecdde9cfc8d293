"""HFGI: the residual of the first pass, its alignment, and the consultation of features."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from generator_runs import GeneratorRuns
from inpaint_model.baselines.hfgi import HFGI, AlignmentNetwork, ConsultationEncoder
from inpaint_model.inference.tiny import tiny_model
from inpaint_model.networks.inpainting_model import encoder_input
from slow_networks import as_if_trained, slow_residual_block, slow_unet
from torch import Tensor


def rand(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def hfgi(resolution: int = 32, trained: bool = True) -> HFGI:
    model = tiny_model(resolution=resolution, arch="hfgi")
    assert isinstance(model, HFGI)
    if trained:
        as_if_trained(model.align, model.consult)
    return model


def scene(N: int = 2, R: int = 32, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Images and holes."""
    hole = (rand(N, 1, R, R, seed=seed + 1) > 0.3).float()
    return rand(N, 3, R, R, seed=seed).clamp(-1, 1), hole


def test_the_residual_is_what_the_first_image_lacks_at_known_pixels() -> None:
    model, (image, hole) = hfgi(), scene()
    encoding = model.encode(image, hole)
    residual = encoding["residual"]
    assert torch.equal(encoding["codes"], model.predicted(encoder_input(image, hole)))
    for n in range(2):
        first = model.generator.synthesis(encoding["codes"][n : n + 1])[0]
        for y, x in torch.cartesian_prod(torch.arange(32), torch.arange(32)).tolist():
            known = hole[n, 0, y, x] == 0
            lacking = image[n, :, y, x] - first[:, y, x] if known else torch.zeros(3)
            torch.testing.assert_close(residual[n, :3, y, x], lacking)
            assert residual[n, 3, y, x] == float(known)


@pytest.mark.slow
def test_the_residual_of_a_large_image_is_known_in_part_of_a_cell() -> None:
    """From 512 px on the encoder sees cells of several pixels, some of them erased."""
    model, (image, hole) = hfgi(512), scene(1, 512)
    encoding = model.encode(image, hole)
    first, known = model.generator.synthesis(encoding["codes"]), 1 - hole
    for y, x in ((0, 0), (3, 200), (120, 77), (255, 255)):
        cell = (0, slice(None), slice(2 * y, 2 * y + 2), slice(2 * x, 2 * x + 2))
        share = known[cell].mean()
        lacking = (image * known)[cell].mean(dim=(1, 2)) - share * first[cell].mean(dim=(1, 2))
        torch.testing.assert_close(encoding["residual"][0, :3, y, x], lacking)
        assert encoding["residual"][0, 3, y, x] == share


def test_alignment_adds_a_unet_of_residual_and_image() -> None:
    net = AlignmentNetwork((32, 40, 48)).double()
    as_if_trained(net)
    residual, image = rand(2, 4, 16, 16).double(), rand(2, 3, 16, 16, seed=1).double()
    expected = [residual[n] + slow_unet(net, torch.cat([residual[n], image[n]])) for n in range(2)]
    torch.testing.assert_close(net(residual, image), torch.stack(expected))


@pytest.mark.parametrize("side", [4, 8])
def test_the_consultation_encoder_one_layer_at_a_time(side: int) -> None:
    net = ConsultationEncoder(width=6, side=side, channels=5).double()
    as_if_trained(net)
    residual = rand(2, 4, 32, 32).double()
    gate, shift = net(residual)
    for n in range(2):
        x = residual[n]
        for block in (*net.down, None, net.refine):
            if block is None:
                x = F.avg_pool2d(x, x.shape[-1] // side)
            else:
                x = slow_residual_block(block, x)
        x = F.conv2d(x[None], net.leave.weight, net.leave.bias, padding=1)[0]
        torch.testing.assert_close(gate[n], x[:5])
        torch.testing.assert_close(shift[n], x[5:])


def slow_render(model: HFGI, residual: Tensor, ws: Tensor) -> Tensor:
    """One sample, one channel at a time: the image of `ws` is made as if it were the only one."""
    G, s = model.generator.synthesis, model.config.skip_resolution
    image = G(ws[None])
    gate, shift = model.consult(model.align(residual[None], image))
    x, rgb = G.head(ws[None], s)
    channels = [x[0, c] * (1 + gate[0, c]) + shift[0, c] for c in range(x.shape[1])]
    return G.tail(torch.stack(channels)[None], rgb, ws[None])[0]


def test_features_are_scaled_and_shifted_for_the_codes_that_are_rendered() -> None:
    """After an edit the same residual is aligned with the image of the edited codes."""
    model = hfgi()
    encoding = model.encode(*scene())
    residual, ws = encoding["residual"], model.mix(encoding, rand(2, 8, 16))
    for move in (torch.zeros(1), 2 * rand(2, 8, 16, seed=7)):
        images = model.render(encoding, ws + move)
        expected = [slow_render(model, residual[n], (ws + move)[n]) for n in range(2)]
        torch.testing.assert_close(images, torch.stack(expected), atol=1e-3, rtol=1e-3)
    before, after = (model.generator.synthesis(each) for each in (ws, ws + move))
    moved = model.align(residual, after) - model.align(residual, before)
    assert moved.abs().mean() > 0.1


def test_untrained_it_is_the_generators_image_of_any_codes() -> None:
    model = hfgi(trained=False)
    encoding = model.encode(*scene())
    ws = encoding["codes"] + rand(2, 8, 16)
    torch.testing.assert_close(model.render(encoding, ws), model.generator.synthesis(ws))


def test_content_of_the_hole_is_never_seen() -> None:
    model, (image, hole) = hfgi(), scene()
    other = torch.where(hole > 0, rand(*image.shape, seed=9), image)
    first, second = model.encode(image, hole), model.encode(other, hole)
    assert all(torch.equal(first[name], second[name]) for name in first)
    known = torch.where(hole > 0, image, image + 0.1)
    assert not torch.equal(model.encode(known, hole)["residual"], first["residual"])


def test_the_generators_head_runs_once_per_image_and_once_per_candidate() -> None:
    model = hfgi()
    runs = GeneratorRuns(model)
    encoding = model.encode(*scene(1))
    assert runs.count == 1
    model.render(encoding.expand(3), encoding["codes"].expand(3, -1, -1))
    assert runs.count == 2


def test_the_first_pass_learns_nothing_from_its_images() -> None:
    """The codes get gradients as codes of the result only, as if the residual were data."""
    model = hfgi().requires_grad_(True)
    encoding = model.encode(*scene())
    assert encoding["codes"].requires_grad
    assert not encoding["residual"].requires_grad
    aligned = []
    model.align.register_forward_pre_hook(lambda _, given: aligned.append(given[1]))
    model.render(encoding, encoding["codes"]).sum().backward()
    assert [image.requires_grad for image in aligned] == [False]
    assert all(p.grad is not None for p in (*model.align.parameters(), *model.codes.parameters()))
