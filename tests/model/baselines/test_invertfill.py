"""InvertFill: pre-modulation, the mean latent that follows the image, and the features F."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from generator_runs import GeneratorRuns
from inpaint_model.baselines.invertfill import (
    SAMPLED,
    FeatureEncoder,
    InvertFill,
    PreModulation,
    SoftUpdateMeanLatent,
    structures_of,
)
from inpaint_model.inference.tiny import tiny_model
from inpaint_model.networks.inpainting_model import encoder_input
from slow_networks import as_if_trained, slow_unet
from torch import Tensor


def rand(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def invertfill(trained: bool = True) -> InvertFill:
    model = tiny_model(arch="invertfill")
    assert isinstance(model, InvertFill)
    if trained:
        as_if_trained(model.pre_modulation, model.mean_latent, model.features)
    return model


def scene(N: int = 2, R: int = 32) -> tuple[Tensor, Tensor]:
    """Images and holes."""
    return rand(N, 3, R, R).clamp(-1, 1), (rand(N, 1, R, R, seed=1) > 0.3).float()


def test_structures_are_the_means_of_all_channels_at_all_scales() -> None:
    levels = rand(2, 5, 2, 2), rand(2, 5, 4, 4, seed=1), rand(2, 5, 8, 8, seed=2)
    structures = structures_of(levels)
    for n in range(2):
        expected = [levels[k][n, c].mean() for k in range(3) for c in range(5)]
        torch.testing.assert_close(structures[n], torch.stack(expected))


def test_vectors_are_scaled_and_shifted_by_structures() -> None:
    module = PreModulation(channels=5, num_ws=4)
    vectors, structures = rand(2, 4, 5), rand(2, 15, seed=1)
    assert torch.equal(module(vectors, structures), vectors), "untrained"
    as_if_trained(module)
    modulated = module(vectors, structures)
    for n in range(2):
        numbers = module.modulation.weight @ structures[n] + module.modulation.bias
        for i in range(4):
            scale, shift = numbers[10 * i :][:5], numbers[10 * i + 5 :][:5]
            expected = vectors[n, i] * (1 + scale) + shift
            torch.testing.assert_close(modulated[n, i], expected)


def test_the_mean_latent_moves_toward_sampled_codes_that_the_image_asks_for() -> None:
    module = SoftUpdateMeanLatent(channels=5, w_dim=6)
    module.sampled.copy_(rand(SAMPLED, 6, seed=2))
    w_avg, w_std, structures = rand(6, seed=3), rand(6, seed=4).abs() + 0.1, rand(2, 15)
    assert torch.equal(module(structures, w_avg, w_std), w_avg.expand(2, -1)), "untrained"
    as_if_trained(module, std=1.0)
    means = module(structures, w_avg, w_std)
    for n in range(2):
        query = module.query.weight @ structures[n] + module.query.bias
        likes = [torch.dot(query, (code - w_avg) / w_std) / 6**0.5 for code in module.sampled]
        weights = torch.stack(likes).exp() / torch.stack(likes).exp().sum()
        toward = sum(weights[k] * module.sampled[k] for k in range(SAMPLED))
        expected = (1 - module.rate) * w_avg + module.rate * toward
        torch.testing.assert_close(means[n], expected, atol=1e-4, rtol=1e-4)
    assert not torch.allclose(means[0], means[1], atol=1e-2)


def test_the_mean_latent_is_made_of_the_generators_codes() -> None:
    model = invertfill()
    w = model.generator.mapping.map(rand(SAMPLED, model.config.generator.z_dim))
    torch.testing.assert_close(model.mean_latent.sampled, w)
    assert "mean_latent.sampled" in model.state_dict()


def test_features_and_gate_are_a_unet_of_map_and_hole() -> None:
    net = FeatureEncoder((6, 8, 10), 5 + 1, 2 * 3).double()
    as_if_trained(net)
    level, hole = rand(2, 5, 8, 8).double(), rand(2, 1, 8, 8, seed=1).double()
    features, gate = net(level, hole)
    for n in range(2):
        y = slow_unet(net, torch.cat([level[n], hole[n]]))
        torch.testing.assert_close(features[n], y[:3])
        torch.testing.assert_close(gate[n], torch.tanh(y[3:]))


def test_the_encoding_one_sample_and_style_at_a_time() -> None:
    model, (image, hole) = invertfill(), scene()
    encoder, encoding = model.codes.encoder, model.encode(image, hole)
    for n in range(2):
        _, levels = encoder.maps(encoder_input(image, hole)[n : n + 1])
        structures = structures_of(levels)
        mean = model.mean_latent(structures, model.w_avg, model.w_std)[0]
        vectors = model.pre_modulation(encoder.style_vectors(levels), structures)[0]
        for i, vector in enumerate(vectors):
            code = mean + model.w_std * encoder.to_tokens[i](vector[None])[0]
            torch.testing.assert_close(encoding["codes"][n, i], code, atol=1e-4, rtol=1e-4)
        share = F.avg_pool2d(hole[n : n + 1], 4)
        features, gate = model.features(levels[2], share)
        torch.testing.assert_close(encoding["features"][n], features[0], atol=1e-4, rtol=1e-4)
        torch.testing.assert_close(encoding["gate"][n], gate[0], atol=1e-4, rtol=1e-4)


def test_the_parts_of_the_encoder_make_the_whole() -> None:
    encoder, seen = invertfill().codes.encoder, rand(2, 4, 32, 32)
    features, levels = encoder.maps(seen)
    assert [level.shape[-1] for level in levels] == [2, 4, 8]
    whole = encoder(seen)
    assert torch.equal(whole.features, features)
    assert torch.equal(whole.tokens, encoder.tokens(encoder.style_vectors(levels)))


def test_f_takes_the_place_of_features_as_far_as_the_gate_is_open() -> None:
    model = invertfill()
    G, s = model.generator.synthesis, model.config.skip_resolution
    encoding = model.encode(*scene())
    ws = model.mix(encoding, rand(2, 8, 16))
    images = model.render(encoding, ws)
    for n in range(2):
        x, rgb = G.head(ws[n : n + 1], s)
        replaced = torch.stack(
            [
                (1 - gate) * channel + gate * new
                for channel, gate, new in zip(
                    x[0], encoding["gate"][n], encoding["features"][n], strict=True
                )
            ]
        )
        expected = G.tail(replaced[None], rgb, ws[n : n + 1])[0]
        torch.testing.assert_close(images[n], expected, atol=1e-3, rtol=1e-3)


def test_where_f_replaces_features_an_edit_of_their_codes_changes_only_the_rgb_below() -> None:
    """An open gate hides edits of the layers before it, a closed one leaves them as they are."""
    model = invertfill()
    G, s = model.generator.synthesis, model.config.skip_resolution
    encoding = model.encode(*scene())
    ws = model.mix(encoding, rand(2, 8, 16))
    edited = ws.clone()
    edited[:, :2] += 1  # acts on features below and at s only
    assert not torch.equal(G.head(ws, s)[0], G.head(edited, s)[0])

    encoding["gate"] = torch.zeros_like(encoding["gate"])
    for each in (ws, edited):
        torch.testing.assert_close(model.render(encoding, each), G(each))
    encoding["gate"] = torch.ones_like(encoding["gate"])
    for each in (ws, edited):
        expected = G.tail(encoding["features"], G.head(each, s)[1], each)
        torch.testing.assert_close(model.render(encoding, each), expected, atol=1e-4, rtol=1e-4)


def test_untrained_it_is_psp() -> None:
    """The codes are those of pSp's encoder, and an image is the generator's of any codes."""
    model, (image, hole) = invertfill(trained=False), scene()
    encoding = model.encode(image, hole)
    expected = model.codes(encoder_input(image, hole))
    torch.testing.assert_close(encoding["codes"], expected)
    ws = encoding["codes"] + rand(2, 8, 16)
    torch.testing.assert_close(model.render(encoding, ws), model.generator.synthesis(ws))


def test_content_of_the_hole_is_never_seen() -> None:
    model, (image, hole) = invertfill(), scene()
    other = torch.where(hole > 0, rand(*image.shape, seed=9), image)
    first, second = model.encode(image, hole), model.encode(other, hole)
    assert all(torch.equal(first[name], second[name]) for name in first)
    known = model.encode(torch.where(hole > 0, image, image + 0.1), hole)
    assert not any(torch.equal(first[name], known[name]) for name in first)


def test_the_generators_head_runs_once_per_candidate_only() -> None:
    model = invertfill()
    runs = GeneratorRuns(model)
    encoding = model.encode(*scene(1))
    assert runs.count == 0
    model.render(encoding.expand(3), encoding["codes"].expand(3, -1, -1))
    assert runs.count == 1
