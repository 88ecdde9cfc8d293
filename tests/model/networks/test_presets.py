"""The presets: sizes that fit each other, and the networks that were trained at them."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
import torch
from inpaint_model.baselines.archs import make_model
from inpaint_model.data.image_files import open_images
from inpaint_model.data.sampler import weights_from_patterns
from inpaint_model.networks.generator import Generator
from inpaint_model.networks.presets import PRESETS, inpainting_config, preset, reduced
from shared_files import SHARED

ROOT = Path(__file__).resolve().parents[3]
TRAINED = "portrait/state.pt"
FACES = SHARED / "faces"


def test_portrait_256_is_wide_where_that_is_cheap() -> None:
    sizes = preset("portrait-256")
    assert sizes.generator.channels == (192, 192, 192, 128, 64, 32, 16)
    assert sizes.generator.z_dim == sizes.generator.w_dim == 192
    assert sizes.generator.num_mapping_layers == 4


@pytest.mark.parametrize("name", PRESETS)
def test_generator_and_discriminator_have_the_same_channels(name: str) -> None:
    for factor in (1, 2) if PRESETS[name].generator.resolution > 32 else (1,):
        sizes = reduced(PRESETS[name], factor)
        assert sizes.discriminator.channels == sizes.generator.channels
        assert sizes.discriminator.resolution == sizes.generator.resolution


@pytest.mark.parametrize(("factor", "skip_resolution"), [(2, 32), (1, 64)])
def test_portrait_256_fills_while_it_grows(factor: int, skip_resolution: int) -> None:
    """An inpainting model fits around the generator of 128 px and around that of 256 px."""
    generator = reduced(preset("portrait-256"), factor).generator
    config = inpainting_config(preset("portrait-256"), generator=generator)
    assert config.skip_resolution == skip_resolution
    R = generator.resolution
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = make_model(config).eval()
        image, hole = torch.rand(2, 3, R, R) * 2 - 1, torch.zeros(2, 1, R, R)
        hole[:, :, R // 4 : R // 2, R // 3 :] = 1
        z = torch.randn(2, generator.z_dim)
    with torch.inference_mode():
        encoding = model.encode(image, hole)
        ws_out = model.mix(encoding, model.generator.mapping(z))
        image = model.render(encoding, ws_out)
    assert ws_out.shape == (2, generator.num_ws, 192)
    assert image.shape == (2, 3, R, R)
    assert image.isfinite().all()


@pytest.mark.shared(TRAINED)
def test_the_trained_portrait_generator_is_the_preset_s_at_128_px() -> None:
    generator = Generator(reduced(preset("portrait-256"), 2).generator)
    state = torch.load(SHARED / TRAINED, map_location="cpu", weights_only=True, mmap=True)
    generator.load_state_dict(state["Ge"])
    assert torch.equal(generator.mapping.w_avg, state["Ge"]["mapping.w_avg"])


PREFIXES = {  # images in train/ and the weight of each, as the sets' page counts and weighs them
    "fk": (187, 3.0), "if": (77, 3.0), "pf": (127, 2.0), "pf9": (34, 2.0), "fo": (15, 2.0),
    "fo9": (34, 2.0), "dc": (26, 2.0), "dc9": (47, 2.0), "op": (43, 2.0), "em": (28, 2.0),
    "h116": (53, 1.0), "h117": (106, 1.0), "s116": (8, 1.0), "s117": (51, 1.0),
    "c15": (503, 0.5), "c18": (325, 0.3),
    "sfhq": (448, 1.0), "t2i": (1192, 1.0), "vta": (187, 1.0), "vv": (567, 1.0),
}  # fmt: skip


def test_the_portrait_s_weights_are_those_of_its_sources() -> None:
    names = [f"{folder}/{prefix}_000001.webp" for folder in ("train", "val") for prefix in PREFIXES]
    doubled = "train/vv_015617.webp"  # also val/vv_095617.webp
    weights = weights_from_patterns(ROOT / "scripts" / "portrait-weights.csv", [*names, doubled])
    of_val = [1.0] * len(PREFIXES)
    assert weights.tolist() == pytest.approx([w for _, w in PREFIXES.values()] + of_val + [0.0])


@pytest.mark.shared("faces")
@pytest.mark.parametrize(
    "files",
    [
        ("faces/portraits256.zip", "faces/portraits256-b.zip"),
        pytest.param(("gpu/faces256.zip",), marks=pytest.mark.shared("gpu/faces256.zip")),
    ],
    ids=["two-packs", "one-zip"],
)
def test_the_portrait_s_weights_hit_the_sources_they_mean(files: tuple[str, ...]) -> None:
    with open_images(
        [f"{SHARED / file}:train" for file in files], FACES / "replacements256.zip"
    ) as images:
        names = images.names()
        assert len(names) == 4059
        assert len(images.replaced) == 91
    table = weights_from_patterns(ROOT / "scripts" / "portrait-weights.csv", names)
    weights = dict(zip(names, table.tolist(), strict=True))
    assert weights.pop("train/vv_015617.webp") == 0  # also val/vv_095617.webp
    found: dict[str, list[float]] = {}
    for name, weight in weights.items():
        found.setdefault(Path(name).name.split("_")[0], []).append(weight)
    assert {prefix: len(drawn) for prefix, drawn in found.items()} == {
        prefix: count for prefix, (count, _) in PREFIXES.items()
    }
    for prefix, drawn in found.items():
        assert drawn == pytest.approx([PREFIXES[prefix][1]] * len(drawn)), prefix


@pytest.mark.slow
@pytest.mark.shared("faces")
def test_validation_images_are_never_trained_on() -> None:
    """No image of val/ is also one of train/, byte for byte, that is ever drawn."""
    packs = [FACES / "portraits256.zip", FACES / "portraits256-b.zip"]
    with open_images([f"{pack}:val" for pack in packs]) as images:
        judging = {hashlib.sha256(images.read(name)).digest() for name in images.names()}
    assert len(judging) == 356
    with open_images([f"{pack}:train" for pack in packs]) as images:
        names = images.names()
        weights = weights_from_patterns(ROOT / "scripts" / "portrait-weights.csv", names)
        for name, weight in zip(names, weights, strict=True):
            drawn = weight > 0
            assert not (drawn and hashlib.sha256(images.read(name)).digest() in judging), name
