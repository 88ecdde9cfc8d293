"""The noise of a generator's layers in training: where it is drawn afresh, and where it stays."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from inpaint_model.data.sampler import Sampler
from inpaint_model.networks.generator import Generator
from inpaint_model.training.compiling import compiled
from inpaint_model.training.distributed import DistributedContext
from inpaint_model.training.generator_loop import train_generator
from inpaint_model.training.generator_phases import GeneratorDraws, layer_noise, synthesize
from inpaint_model.training.run_folder import RunFolder
from short_trainings import SHORT, images
from tiny_networks import tiny_networks

SIDES = [4, 8, 8, 16, 16, 32, 32]


@pytest.fixture(name="G")
def noisy_generator() -> Generator:
    """A generator of 32 px whose noise is strong."""
    generator, _ = tiny_networks()
    for name, strength in generator.named_parameters():
        if name.endswith("noise_strength"):
            strength.data.fill_(0.5)
    return generator


def draws_of(G: Generator, random: bool = True, side: int = 4) -> GeneratorDraws:
    options = replace(SHORT, random_noise=random, random_noise_side=side)
    sampler = Sampler(8, 0, None)
    cpu = torch.device("cpu")
    return GeneratorDraws(options, G, images(), sampler, 0.0, None, DistributedContext(), cpu)


def test_noise_is_drawn_from_a_side_on_and_constant_below(G: Generator) -> None:
    constant = G.synthesis.constant_noise
    assert [len(own) for own in constant] == SIDES
    draws = draws_of(G, side=16)
    one, other = (layer_noise(G, draws.fakes(nimg, "G")) for nimg in (0, 8))
    for side, own, first, second in zip(SIDES, constant, one, other, strict=True):
        if side < 16:
            assert first is second is own
        else:
            assert first.shape == (SHORT.batch_size, 1, side, side)
            assert not torch.equal(first, second)
            assert not torch.equal(first[0], first[1])


def test_without_random_noise_images_are_those_of_filling(G: Generator) -> None:
    assert layer_noise(G, draws_of(G, random=False).fakes(0, "G")) == []
    ws = torch.randn(2, G.config.num_ws, G.config.w_dim)
    filled = G.synthesis(ws, "const")
    assert torch.equal(synthesize(G, ws, [], torch.float32), filled)
    as_noise = synthesize(G, ws, G.synthesis.constant_noise, torch.float32)
    assert torch.equal(as_noise, filled)


def test_all_noise_is_that_of_the_same_stream(G: Generator) -> None:
    """A run with the default goes on as before: nothing is drawn in another order."""
    inputs = draws_of(G).fakes(16, "G")
    drawn = [inputs[f"noise {i}"] for i in range(len(SIDES))]
    assert layer_noise(G, inputs) == drawn
    ws = torch.randn(SHORT.batch_size, G.config.num_ws, G.config.w_dim)
    layers = iter(drawn)
    expected = G.synthesis(ws, "random", lambda N, resolution: next(layers))
    assert torch.equal(synthesize(G, ws, drawn, torch.float32), expected)


def test_a_side_beyond_the_largest_layer_is_refused(tmp_path: Path) -> None:
    run = RunFolder(tmp_path / "run")
    with pytest.raises(ValueError, match=r"random_noise_side is 64, .* 32 px: give at most that"):
        train_generator(replace(SHORT, random_noise_side=64), *tiny_networks(), images(), run)


def test_the_last_layers_strength_stays_where_it_was_put(tmp_path: Path) -> None:
    G, D = tiny_networks()
    average = train_generator(
        replace(SHORT, last_noise_strength=0.25), G, D, images(), RunFolder(tmp_path / "run")
    )
    for network in (G, average):
        strengths = [p for n, p in network.named_parameters() if n.endswith("noise_strength")]
        *others, last = (strength.item() for strength in strengths)
        assert last == 0.25
        assert all(strength not in (0.0, 0.25) for strength in others)


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("g++") is None, reason="torch.compile needs a C++ compiler")
def test_compiled_images_take_the_noise_of_each_call(G: Generator) -> None:
    draws = draws_of(G, side=16)
    ws = torch.randn(SHORT.batch_size, G.config.num_ws, G.config.w_dim)
    fast = compiled(synthesize, G, ws, layer_noise(G, draws.fakes(0, "G")), torch.float32)
    assert fast is not synthesize
    for nimg in (8, 16):
        noise = layer_noise(G, draws.fakes(nimg, "G"))
        expected = synthesize(G, ws, noise, torch.float32)
        torch.testing.assert_close(fast(G, ws, noise, torch.float32), expected)
