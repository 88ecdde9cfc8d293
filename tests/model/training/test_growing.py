"""Growing: a network starts from one of a lower resolution."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from inpaint_model.baselines.archs import make_model
from inpaint_model.networks.config import Arch, EncoderConfig
from inpaint_model.networks.discriminator import Discriminator
from inpaint_model.networks.generator import Generator
from inpaint_model.networks.hierarchical_model import HierarchicalModel
from inpaint_model.networks.inpainting_model import InpaintingModel
from inpaint_model.networks.presets import Preset, inpainting_config, preset
from inpaint_model.training.growing import grow_discriminator, grow_generator, grow_inpainter
from short_trainings import rand
from tiny_networks import tiny_networks
from torch import nn


def sizes_at(resolution: int) -> Preset:
    """Return sizes whose encoder sees 256 px: a quarter or more is 64 px."""
    tiny = preset("tiny")
    channels = (8,) * (resolution.bit_length() - 2)
    return replace(
        tiny,
        generator=replace(tiny.generator, resolution=resolution, channels=channels),
        encoder=EncoderConfig((4, 8, 8, 8), (1, 1, 1, 1), 8, "separate", "group"),
    )


def test_a_generator_starts_from_the_old_images_enlarged() -> None:
    small, small_D = tiny_networks()
    sizes = preset("tiny")
    large = Generator(
        replace(sizes.generator, resolution=64, channels=(*sizes.generator.channels, 4))
    )
    grow_generator(large, small)
    z = rand(2, small.config.z_dim)
    images = large(z, noise_mode="none")
    reduced = nn.functional.avg_pool2d(images, 2)
    original = small(z, noise_mode="none")
    assert nn.functional.mse_loss(reduced, original) < 0.1 * original.var()
    large_D = Discriminator(
        replace(sizes.discriminator, resolution=64, channels=large.config.channels)
    )
    grow_discriminator(large_D, small_D)
    assert torch.equal(large_D.b4.out.weight, small_D.b4.out.weight)
    with pytest.raises(ValueError, match="cannot grow into"):
        grow_generator(small, large)


@pytest.mark.slow
@pytest.mark.parametrize("resolution", [512, 1024])
@pytest.mark.parametrize(
    "arch", ["hierarchical", "hierarchical-w", "divinversion-two-stage", "psp"]
)
@torch.inference_mode()
def test_an_inpainter_starts_from_the_old_fills_enlarged(arch: Arch, resolution: int) -> None:
    """Its encoder sees 256 px at each of these resolutions, and the same image."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        small = make_model(inpainting_config(sizes_at(256), arch)).eval()
        image, hole = torch.rand(1, 3, 256, 256) * 2 - 1, torch.zeros(1, 1, 256, 256)
        z = torch.randn(1, small.config.generator.z_dim)
        generator = small.generator
        while generator.config.resolution < resolution:
            larger = Generator(sizes_at(2 * generator.config.resolution).generator)
            grow_generator(larger, generator)
            generator = larger
        large = make_model(inpainting_config(sizes_at(resolution), arch), generator).eval()
    small.estimate_w_statistics(64)
    large.estimate_w_statistics(64)
    assert grow_inpainter(large, small) == []
    hole[..., 60:190, 100:200] = 1

    def fill(model: InpaintingModel, image: torch.Tensor, hole: torch.Tensor) -> torch.Tensor:
        encoding = model.encode(image, hole)
        return model.render(encoding, model.mix(encoding, model.generator.mapping(z)))

    factor = resolution // 256
    original = fill(small, image, hole)
    enlarged = [x.repeat_interleave(factor, 2).repeat_interleave(factor, 3) for x in (image, hole)]
    reduced = nn.functional.avg_pool2d(fill(large, *enlarged), factor)
    assert nn.functional.mse_loss(reduced, original) < 0.1 * original.var()


def test_new_styles_start_as_the_last_one() -> None:
    models = []
    for resolution in (256, 1024):
        config = inpainting_config(sizes_at(resolution))
        models.append(HierarchicalModel(config))
    small, large = models
    assert grow_inpainter(large, small) == []
    for k in range(18):
        last = min(k, 13)
        for ours, theirs in (
            (large.mixer.mlps[k], small.mixer.mlps[last]),
            (large.encoder.to_tokens[k], small.encoder.to_tokens[last]),
            (large.encoder.trunks[k], small.encoder.trunks[last]),
        ):
            given = theirs.state_dict()
            assert given
            assert all(torch.equal(value, given[name]) for name, value in ours.state_dict().items())


def test_what_does_not_fit_keeps_its_own_values() -> None:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        small = make_model(inpainting_config(preset("tiny")))
        large = make_model(inpainting_config(preset("compact-64")))
    before = {name: value.clone() for name, value in large.state_dict().items()}
    left = grow_inpainter(large, small)
    after = large.state_dict()
    kept = {name for name, value in before.items() if torch.equal(value, after[name])}
    assert "mixer.mlps.0.fc0.weight" in left
    assert set(left) <= kept
    assert any(name.startswith("generator.") for name in kept - set(left))
