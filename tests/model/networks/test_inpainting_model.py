"""The generator's parts, the mixing, and the five archs."""

from __future__ import annotations

import pytest
import torch
from generator_runs import GeneratorRuns
from inpaint_model.inference.tiny import tiny_model
from inpaint_model.networks.config import TABLE_2, Ablation, Context, MixerConfig, resolutions
from inpaint_model.networks.discriminator import Discriminator, minibatch_stddev
from inpaint_model.networks.generator import Generator
from inpaint_model.networks.mixer import Mixer, StyleMLP
from inpaint_model.networks.presets import preset
from torch import Tensor


def rand(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.fixture(scope="module")
def generator() -> Generator:
    return tiny_model(resolution=64).generator


def test_head_and_tail_make_the_whole(generator: Generator) -> None:
    ws = generator.mapping(rand(2, generator.config.z_dim))
    whole = generator.synthesis(ws)
    for stop in resolutions(64)[1:]:
        x, image = generator.synthesis.head(ws, stop)
        assert x.shape[-1] == stop
        assert image.shape[-1] == stop // 2
        torch.testing.assert_close(generator.synthesis.tail(x, image, ws), whole)


def test_truncation_draws_towards_the_mean(generator: Generator) -> None:
    z = rand(3, generator.config.z_dim)
    w, w_avg = generator.mapping(z), generator.mapping.w_avg
    torch.testing.assert_close(generator.mapping(z, truncation_psi=0.3), w_avg + 0.3 * (w - w_avg))
    assert torch.equal(generator.mapping(z, truncation_psi=0.0)[0, 0], w_avg)


def test_noise_modes(generator: Generator) -> None:
    ws = generator.mapping(rand(1, generator.config.z_dim))
    synthesis = generator.synthesis
    assert torch.equal(synthesis(ws, "const"), synthesis(ws, "const"))
    assert not torch.equal(synthesis(ws, "const"), synthesis(ws, "none"))
    drawn = [synthesis(ws, "random", lambda n, r, s=s: rand(n, 1, r, r, seed=s)) for s in (0, 0, 1)]
    assert torch.equal(drawn[0], drawn[1])
    assert not torch.equal(drawn[0], drawn[2])


def test_styles_affect_only_their_resolution(generator: Generator) -> None:
    """Style 7 and up act at 64 px: features before them do not change."""
    ws = generator.mapping(rand(1, generator.config.z_dim)).clone()
    other = ws.clone()
    other[:, 8:] += 1.0
    before, after = (generator.synthesis.head(w, 64)[0] for w in (ws, other))
    assert torch.equal(before, after)
    assert not torch.equal(generator.synthesis(ws), generator.synthesis(other))


def test_wrong_number_of_styles_is_explained(generator: Generator) -> None:
    with pytest.raises(ValueError, match=r"this generator takes \[N, 10, 16\]"):
        generator.synthesis(torch.zeros(1, 14, 16))


def test_minibatch_stddev_against_its_definition() -> None:
    x = rand(8, 3, 2, 2)
    result = minibatch_stddev(x, group_size=4)
    assert torch.equal(result[:, :3], x)
    for i in range(8):
        group = x[i % 2 :: 2]  # 8 samples, groups of 4: every second one
        deviation = ((group - group.mean(dim=0)).square().mean(dim=0) + 1e-8).sqrt().mean()
        torch.testing.assert_close(result[i, 3], deviation.expand(2, 2))


def test_discriminator_checks_its_input() -> None:
    D = Discriminator(preset("tiny").discriminator)
    assert D(torch.zeros(2, 3, 32, 32)).shape == (2, 1)
    with pytest.raises(ValueError, match=r"expected \[N, 3, 32, 32\]"):
        D(torch.zeros(2, 3, 64, 64))


def mixing_reference(mixer: Mixer, w_rand: Tensor, w_enc: Tensor) -> Tensor:
    """Section 3.1, sentence by sentence, one sample and one style at a time."""
    results = []
    for n in range(len(w_rand)):
        outs: list[Tensor] = []
        for i in range(mixer.num_ws):
            rand_i = (w_rand[n, i] - mixer.w_avg) / mixer.w_std
            t = mixer.config.tokens_per_style
            enc = [w_enc[n, t * i + j] for j in range(t)]  # W_{2i-1:2i} in the paper's counting
            given = rand_i + outs[-1] if mixer.config.context == "sum" and i else rand_i
            inputs = [given, *enc]
            if mixer.config.context == "prev" and i:
                inputs.append(outs[-1])
            if mixer.config.context == "all":
                inputs += outs
            mlp = mixer.mlps[i]
            assert isinstance(mlp, StyleMLP)
            x = torch.cat(inputs)
            y = mlp.fc1(torch.relu(mlp.fc0(x)))
            if mlp.gate is not None:
                g = torch.sigmoid(mlp.gate(x))
                y = g * y + (1 - g) * rand_i
            outs.append(y)
        results.append(torch.stack([mixer.w_avg + mixer.w_std * out for out in outs]))
    return torch.stack(results)


@pytest.mark.parametrize("context", ["prev", "all", "sum", "none"])
@pytest.mark.parametrize("gated", [False, True])
def test_mixing_follows_the_paper(context: Context, gated: bool) -> None:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        mixer = Mixer(MixerConfig(context, gated), num_ws=5, w_dim=8)
    mixer.w_avg, mixer.w_std = rand(8, seed=1), rand(8, seed=2).abs() + 0.5
    w_rand, w_enc = rand(3, 5, 8, seed=3), rand(3, 10, 8, seed=4)
    torch.testing.assert_close(mixer(w_rand, w_enc), mixing_reference(mixer, w_rand, w_enc))


def test_gradients_of_the_mixing() -> None:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        mixer = Mixer(MixerConfig(), num_ws=3, w_dim=4).double()
    inputs = (rand(2, 3, 4, seed=1).double(), rand(2, 6, 4, seed=2).double())
    for tensor in inputs:
        tensor.requires_grad_(True)
    assert torch.autograd.gradcheck(mixer, inputs)


def test_a_style_knows_only_earlier_ones() -> None:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        mixer = Mixer(MixerConfig("prev"), num_ws=5, w_dim=8)
    w_rand, w_enc = rand(1, 5, 8), rand(1, 10, 8, seed=1)
    before = mixer(w_rand, w_enc)
    w_enc[:, 4] += 1.0  # a token of style 2
    after = mixer(w_rand, w_enc)
    assert torch.equal(before[:, :2], after[:, :2])
    assert (before[:, 2:] != after[:, 2:]).any(dim=2).all()


def test_untrained_codes_are_plausible() -> None:
    """They lie within one standard deviation of the mean of the generator's codes."""
    model = tiny_model()
    hole = torch.ones(4, 1, 32, 32)
    hole[..., :16] = 0
    encoding = model.encode(rand(4, 3, 32, 32).clamp(-1, 1), hole)
    w = model.generator.mapping(rand(4, model.config.generator.z_dim))
    away = (model.mix(encoding, w) - model.mixer.w_avg) / model.mixer.w_std
    assert away.square().mean().sqrt() < 1.0


@pytest.mark.slow
@pytest.mark.parametrize("arch", TABLE_2)
def test_without_known_pixels_the_sampled_code_is_returned(arch: Ablation) -> None:
    """With one known pixel it is mixed, separately for each image of a batch."""
    model = tiny_model(arch=arch)
    hole = torch.ones(2, 1, 32, 32)
    hole[1, :, 5, 5] = 0
    encoding = model.encode(rand(2, 3, 32, 32).clamp(-1, 1), hole)
    w = model.generator.mapping(rand(2, model.config.generator.z_dim))
    ws = model.mix(encoding, w)
    assert torch.equal(ws[0], w[0])
    assert torch.equal(ws, torch.stack([w[0], model.mixer(w, encoding["tokens"])[1]]))
    assert not torch.equal(ws[1], w[1])


@pytest.mark.parametrize("arch", TABLE_2)
def test_an_untrained_skip_encoder_changes_nothing(arch: Ablation) -> None:
    model = tiny_model(arch=arch)
    assert model.config.arch == arch
    encoding = model.encode(torch.zeros(1, 3, 32, 32), torch.ones(1, 1, 32, 32))
    ws = model.generator.mapping(rand(1, model.config.generator.z_dim))
    torch.testing.assert_close(model.render(encoding, ws), model.generator.synthesis(ws))


@pytest.mark.parametrize(("arch", "calls"), [(a, 2 if "two-stage" in a else 1) for a in TABLE_2])
def test_how_often_the_generator_runs(arch: Ablation, calls: int) -> None:
    model = tiny_model(arch=arch)
    runs = GeneratorRuns(model)
    encoding = model.encode(torch.zeros(1, 3, 32, 32), torch.ones(1, 1, 32, 32))
    model.render(encoding, model.generator.mapping(rand(1, model.config.generator.z_dim)))
    assert runs.count == calls


def test_erased_pixels_are_never_seen() -> None:
    model = tiny_model()
    hole = torch.zeros(1, 1, 32, 32)
    hole[..., 5:20, 8:30] = 1
    image = rand(1, 3, 32, 32)
    changed = torch.where(hole > 0, rand(1, 3, 32, 32, seed=1), image)
    first, second = model.encode(image, hole), model.encode(changed, hole)
    for name in first:
        assert torch.equal(first[name], second[name])


def test_paper_sizes() -> None:
    """The counts that the paper and its sources give for 256 px."""
    sizes = preset("paper-256")
    assert sizes.generator.num_ws == 14
    assert sizes.generator.channels_at(64) == 512
    with torch.device("meta"):
        mixer = Mixer(MixerConfig(), 14, 512)
        generator = Generator(sizes.generator)
    assert sum(p.numel() for p in mixer.parameters()) == pytest.approx(18.1e6, rel=0.001)
    assert sum(p.numel() for p in generator.parameters()) == pytest.approx(30.03e6, rel=0.001)
