"""Untrusted bundles: one line names the error, before any memory is allocated."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from inpaint_model.bundle.directions import Direction
from inpaint_model.bundle.manifest import BundleError, Card, read_bundle
from inpaint_model.bundle.weights import check_weights
from inpaint_model.bundle.writer import save_bundle
from inpaint_model.framing.network import FramerConfig
from inpaint_model.importing import CheckpointError, import_checkpoint
from inpaint_model.inference.tiny import tiny_model
from inpaint_model.networks.config import DiscriminatorConfig, to_dict
from inpaint_model.networks.discriminator import Discriminator
from inpaint_model.networks.presets import PRESETS
from inpaint_model.networks.validation import validated


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    model = tiny_model(0, 32, "hierarchical")
    channels = model.config.generator.channels
    discriminator = Discriminator(DiscriminatorConfig(32, channels))
    return save_bundle(tmp_path / "bundle", model, Card("test"), discriminator=discriminator).folder


def test_the_networks_of_a_valid_bundle(bundle: Path) -> None:
    check_weights(read_bundle(bundle))
    checkpoint = import_checkpoint(bundle)
    assert checkpoint.generator.config.resolution == 32
    assert checkpoint.discriminator is not None
    assert checkpoint.source.format == "bundle"


def described(change: Callable[[str], str]) -> Callable[[Path], None]:
    def damage(bundle: Path) -> None:
        path = bundle / "model.yaml"
        path.write_text(change(path.read_text()))

    return damage


def with_value(field: str, value: str) -> Callable[[Path], None]:
    def change(text: str) -> str:
        line = next(line for line in text.splitlines() if line.strip().startswith(f"{field}: "))
        return text.replace(line, f"{line.partition(':')[0]}: {value}", 1)

    return described(change)


DAMAGE: dict[str, tuple[Callable[[Path], object], str]] = {
    "deep": (described(lambda text: "[" * 20_000), "nests too deeply"),
    "large": (described(lambda text: "#" * 3_000_000), "larger than 2 MiB"),
    "no number": (
        with_value("w_dim", "'16'"),
        "model.yaml: `config.generator.w_dim` must be a whole number, not '16'",
    ),
    "half a channel": (
        with_value("w_dim", "16.5"),
        "`config.generator.w_dim` must be a whole number, not 16.5",
    ),
    "wide": (with_value("w_dim", "1000000000"), "`config.generator.w_dim` must be at most 65536"),
    "many layers": (
        with_value("num_mapping_layers", "60000"),
        "`config.generator.num_mapping_layers` must be at most 64",
    ),
    "an odd choice": (
        with_value("heads", "many"),
        "`config.encoder.heads` must be 'separate' or 'shared', not 'many'",
    ),
    "an unknown method": (
        described(lambda text: text.replace("config:\n", "config:\n  arch: diffusion\n", 1)),
        "`config.arch` must be one of psp, hfgi, hyperstyle, comodgan, invertfill, not "
        "'diffusion'; a newer version may read it",
    ),
    "wider than the file": (with_value("w_dim", "60000"), "the config wants"),
    "python objects": (
        described(lambda text: f"{text}\nx: !!python/object/apply:os.system ['true']\n"),
        "could not determine a constructor",
    ),
    "damaged weights": (
        lambda bundle: (bundle / "weights.safetensors").write_bytes(b"\xff" * 100),
        "weights.safetensors is damaged",
    ),
    "absent weights": (
        lambda bundle: (bundle / "weights.safetensors").unlink(),
        "has no weights.safetensors",
    ),
    "damaged discriminator": (
        lambda bundle: (bundle / "discriminator.safetensors").write_bytes(b""),
        "discriminator.safetensors is damaged",
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("kind", sorted(DAMAGE))
def test_a_damaged_bundle_is_refused(bundle: Path, kind: str) -> None:
    damage, reason = DAMAGE[kind]
    damage(bundle)
    with pytest.raises(CheckpointError) as raised:
        import_checkpoint(bundle)
    message = str(raised.value)
    assert message.startswith(str(bundle))
    assert reason in message
    assert message.isprintable()


@pytest.fixture
def document(bundle: Path) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((bundle / "model.yaml").read_text())
    found["directions"] = [Direction("smile", "face", (0,), 1.0, (-1.0, 1.0)).to_dict()]
    found["framer"] = FramerConfig().to_dict()
    return found


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9) | st.dates(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=5,
)


def places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every container in a document with every key or index of it."""
    for key in list(value) if isinstance(value, dict) else range(len(value)):
        yield value, key
        if isinstance(value[key], dict | list):
            yield from places(value[key])


@pytest.mark.slow
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_value_anywhere_gives_a_bundle_or_one_line(
    bundle: Path, document: dict[str, Any], data: st.DataObject
) -> None:
    changed = deepcopy(document)
    container, key = data.draw(st.sampled_from(list(places(changed))))
    container[key] = data.draw(values)
    path = bundle / "model.yaml"
    path.write_text(yaml.safe_dump(changed, allow_unicode=True), "utf-8")
    try:
        read_bundle(bundle)
    except BundleError as error:
        line = str(error)
    else:
        line = str(path)
    assert line.startswith(str(path))
    assert line.isprintable()


def test_other_weights_are_noticed(bundle: Path) -> None:
    path = bundle / "weights.safetensors"
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    with pytest.raises(ValueError, match="is not the file that model"):
        check_weights(read_bundle(bundle))


@pytest.mark.parametrize("name", PRESETS)
def test_our_own_configurations_pass(name: str) -> None:
    preset = PRESETS[name]
    for config in (preset.generator, preset.discriminator, preset.encoder, preset.skip):
        assert validated(type(config), to_dict(config)) == config


FILES = ("model.yaml", "weights.safetensors", "discriminator.safetensors")


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("kind", ["link", "pipe", "device", "folder"])
def test_only_plain_files_are_read(bundle: Path, tmp_path: Path, name: str, kind: str) -> None:
    """A pipe would be waited for without end."""
    path = bundle / name
    moved = path.rename(tmp_path / name)
    if kind == "link":
        path.symlink_to(moved)
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind == "device":
        path.symlink_to("/dev/zero")
    else:
        path.mkdir()
    with pytest.raises(BundleError) as raised:
        read_bundle(bundle)
    said = "is a link" if path.is_symlink() else "is not a plain file"
    assert str(raised.value).startswith(f"{path} {said}")


def test_a_link_to_a_valid_bundle_is_followed(bundle: Path, tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(bundle)
    check_weights(read_bundle(link))
