"""Bundles: a model as a folder of YAML and safetensors. No pickle.

`model.yaml` says what the networks are and where they come from; `weights.safetensors` holds their
tensors under `generator.`, `encoder.`, `mixer.`, `skip.`, `second_encoder.` and `framer.`.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import torch
import yaml
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from inpaint_model.bundle.directions import Direction
from inpaint_model.bundle.tensor_files import write_tensors
from inpaint_model.framing.network import FramerConfig
from inpaint_model.networks.config import (
    DiscriminatorConfig,
    GeneratorConfig,
    InpaintingConfig,
    to_dict,
)
from inpaint_model.networks.discriminator import Discriminator
from inpaint_model.networks.generator import Generator
from inpaint_model.networks.inpainting_model import InpaintingModel
from inpaint_model.networks.validation import Number, Several, Text, shown, validated
from inpaint_model.training.projected.files import save_projected

if TYPE_CHECKING:
    from inpaint_model.training.projected.discriminator import ProjectedDiscriminator

FORMAT = 1
MAPPED_BYTES = 64 * 2**20
MAX_YAML_BYTES = 2 * 2**20
WEIGHTS = "weights.safetensors"
Kind = Literal["generator", "inpainter"]
DTYPES = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}


class BundleError(ValueError):
    """A bundle that cannot be used. The message names the folder and the reason."""


@dataclass(frozen=True)
class Card:
    """What people should know of a model."""

    name: Text  # How requests call it.
    title: Text = ""  # For people.
    alignment: Text = "ffhq"  # What the frames were.
    licence: Text = "unknown"
    provenance: Text = "unknown"  # Where the weights come from.
    trained_kimg: Number = 0.0  # Thousands of images seen by the part that `kind` names.
    metrics: Mapping[Text, Number] = field(default_factory=dict)


@dataclass(frozen=True)
class BundleInfo:
    """`model.yaml`, read."""

    folder: Path
    kind: Kind
    card: Card
    config: GeneratorConfig | InpaintingConfig
    weights_sha256: str
    generator_sha256: str
    dtype: str
    directions: tuple[Direction, ...] = ()
    framer: FramerConfig | None = None
    discriminator: DiscriminatorConfig | None = None

    @property
    def name(self) -> str:
        return self.card.name

    @property
    def has_framer(self) -> bool:
        """Whether the bundle can find frames by itself."""
        return self.framer is not None

    @property
    def generator_config(self) -> GeneratorConfig:
        """The generator's configuration, whatever the kind."""
        return self.config if isinstance(self.config, GeneratorConfig) else self.config.generator


@dataclass(frozen=True)
class StoredWeights:
    """What `model.yaml` says of `weights.safetensors`."""

    sha256: Text
    dtype: Literal["fp32", "fp16", "bf16"]
    file: Text = WEIGHTS


@dataclass(frozen=True, kw_only=True)
class Document(Card):
    """`model.yaml` as it stands in the file. Keys that it does not know are passed over."""

    format: Literal[1]
    weights: StoredWeights
    generator_sha256: Text
    alignment: Text = ""
    directions: Several[Direction] = ()
    framer: FramerConfig | None = None
    discriminator: DiscriminatorConfig | None = None


@dataclass(frozen=True, kw_only=True)
class GeneratorDocument(Document):
    """`model.yaml` of a generator."""

    kind: Literal["generator"]
    config: GeneratorConfig


@dataclass(frozen=True, kw_only=True)
class InpainterDocument(Document):
    """`model.yaml` of an inpainting model."""

    kind: Literal["inpainter"]
    config: InpaintingConfig


DOCUMENTS: Mapping[Kind, type[GeneratorDocument | InpainterDocument]] = {
    "generator": GeneratorDocument,
    "inpainter": InpainterDocument,
}


def generator_sha256(tensors: Mapping[str, Tensor]) -> str:
    """Hash over a generator's tensors as float32 bytes, in name order.

    Directions and recipes refer to it: it names the latent space, whatever file holds it.
    """
    digest = hashlib.sha256()
    for name in sorted(tensors):
        digest.update(name.encode())
        digest.update(tensors[name].detach().float().contiguous().cpu().numpy().tobytes())
    return digest.hexdigest()


def file_sha256(path: Path) -> str:
    """Hash of a file's bytes, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _stored(tensors: Mapping[str, Tensor], dtype: torch.dtype) -> dict[str, Tensor]:
    return {
        name: (value.to(dtype) if value.is_floating_point() else value).detach().cpu().contiguous()
        for name, value in tensors.items()
    }


def save_bundle(
    folder: Path,
    model: Generator | InpaintingModel,
    card: Card,
    *,
    discriminator: Discriminator | None = None,
    projected: ProjectedDiscriminator | None = None,
    dtype: str = "fp32",
    extra_tensors: Mapping[str, Tensor] | None = None,
    framer: FramerConfig | None = None,
    card_text: str = "",
) -> BundleInfo:
    """Write a complete bundle, replacing `folder` only when everything is on disk.

    discriminator, projected: what the model was trained against, for training on.
    extra_tensors: further entries for weights.safetensors (`framer.*`).
    """
    temporary = folder.with_name(folder.name + ".writing")
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True)
    if isinstance(model, InpaintingModel):
        kind, tensors = "inpainter", _stored(model.state_dict(), DTYPES[dtype])
    else:
        kind = "generator"
        tensors = _stored(
            {f"generator.{k}": v for k, v in model.state_dict().items()}, DTYPES[dtype]
        )
    own = {
        k.removeprefix("generator."): v for k, v in tensors.items() if k.startswith("generator.")
    }
    if extra_tensors:
        tensors |= _stored(extra_tensors, DTYPES[dtype])
    weights = temporary / WEIGHTS
    write_tensors(tensors, weights)
    document: dict[str, Any] = {
        "format": FORMAT,
        "name": card.name,
        "title": card.title,
        "kind": kind,
        "config": to_dict(model.config),
        "weights": {"file": weights.name, "sha256": file_sha256(weights), "dtype": dtype},
        "generator_sha256": generator_sha256(own),
        "alignment": card.alignment,
        "licence": card.licence,
        "provenance": card.provenance,
        "trained_kimg": float(card.trained_kimg),
        "metrics": dict(card.metrics),
        "directions": [],
    }
    if framer is not None:
        document["framer"] = framer.to_dict()
    if discriminator is not None:
        document["discriminator"] = to_dict(discriminator.config)
        save_discriminator(temporary / "discriminator.safetensors", discriminator, dtype)
    if projected is not None:
        save_projected(temporary, projected, DTYPES[dtype])
    (temporary / "model.yaml").write_text(
        yaml.safe_dump(document, sort_keys=False, allow_unicode=True), "utf-8"
    )
    (temporary / "card.md").write_text(card_text or f"# {card.title or card.name}\n", "utf-8")
    replace_folder(temporary, folder)
    return read_bundle(folder)


def save_discriminator(path: Path, discriminator: Discriminator, dtype: str = "fp32") -> None:
    """The discriminator's tensors, in a file of their own: training needs them, use does not."""
    write_tensors(_stored(discriminator.state_dict(), DTYPES[dtype]), path)


def replace_folder(source: Path, target: Path) -> None:
    """Move `source` to `target`; an earlier `target` stays whole until then."""
    old = target.with_name(target.name + ".old")
    shutil.rmtree(old, ignore_errors=True)
    if target.exists():
        target.rename(old)
    source.rename(target)
    shutil.rmtree(old, ignore_errors=True)


def read_bundle(folder: Path) -> BundleInfo:
    """Read and check `model.yaml`. BundleError names what is wrong with it."""
    path = folder / "model.yaml"
    try:
        if path.stat().st_size > MAX_YAML_BYTES:
            raise BundleError(f"{path} is larger than {MAX_YAML_BYTES // 2**20} MiB")
        document = yaml.safe_load(path.read_text("utf-8"))
    except FileNotFoundError:
        raise BundleError(f"{folder} is not a bundle: it has no model.yaml") from None
    except RecursionError:
        raise BundleError(f"{path} cannot be read: it nests too deeply") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise BundleError(f"{path} cannot be read: {_first_line(error)}") from None
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise BundleError(f"{path} is not of format {FORMAT}; a newer version may read it")
    kind = document.get("kind")
    if kind not in ("generator", "inpainter"):
        raise BundleError(f"{path}: kind {shown(kind)} is neither generator nor inpainter")
    # A key without a value is as good as an absent one.
    given = {key: value for key, value in document.items() if value is not None}
    try:
        read = validated(DOCUMENTS[kind], given)
    except ValueError as error:
        raise BundleError(f"{path}: {error}") from None
    return BundleInfo(
        folder=folder,
        kind=read.kind,
        card=Card(**{f.name: getattr(read, f.name) for f in fields(Card)}),
        config=read.config,
        weights_sha256=read.weights.sha256,
        generator_sha256=read.generator_sha256,
        dtype=read.weights.dtype,
        directions=read.directions,
        framer=read.framer,
        discriminator=read.discriminator,
    )


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0]


def load_tensors(info: BundleInfo, prefixes: Iterable[str] | None = None) -> dict[str, Tensor]:
    """The tensors of `weights.safetensors` (those below `prefixes`), as stored.

    BundleError if the file is missing, damaged, or not the one that model.yaml describes.
    """
    return dict(_stored_tensors(_checked_weights(info), info.folder, prefixes))


def _checked_weights(info: BundleInfo) -> Path:
    path = info.folder / WEIGHTS
    try:
        if file_sha256(path) != info.weights_sha256:
            raise BundleError(f"{path} is not the file that model.yaml describes (sha256 differs)")
    except FileNotFoundError:
        raise BundleError(f"{info.folder} has no {WEIGHTS}") from None
    return path


def _stored_tensors(
    path: Path, folder: Path, prefixes: Iterable[str] | None = None
) -> Iterator[tuple[str, Tensor]]:
    """Names and tensors of a safetensors file, in memory of their own.

    The file is mapped anew every 64 MiB: pages of a mapping stay in memory as long as it lives,
    and loading shall not need much more than the weights themselves.
    """
    wanted = tuple(f"{prefix}." for prefix in prefixes) if prefixes is not None else ("",)
    try:
        with safe_open(path, framework="pt") as file:
            names = [name for name in file.keys() if name.startswith(wanted)]  # noqa: SIM118
        while names:
            taken = 0
            with safe_open(path, framework="pt") as file:
                while names and taken < MAPPED_BYTES:
                    name = names.pop(0)
                    tensor = file.get_tensor(name)
                    # In the layout that convolutions want: converting later would leave holes in
                    # the heap as large as the weights.
                    kept = torch.channels_last if tensor.ndim == 4 else torch.contiguous_format
                    tensor = tensor.clone(memory_format=kept)
                    taken += tensor.nbytes
                    yield name, tensor
    except SafetensorError as error:
        raise BundleError(f"{path} is damaged: {_first_line(error)}") from None
    except FileNotFoundError:
        raise BundleError(f"{folder} has no {path.name}") from None


def check_weights(info: BundleInfo) -> None:
    """BundleError unless the weights are the ones that model.yaml describes. Allocates nothing."""
    config = info.config
    if isinstance(config, InpaintingConfig):
        _check_shapes(lambda: InpaintingModel(config), info.folder / WEIGHTS)
    else:
        _check_shapes(lambda: Generator(config), info.folder / WEIGHTS, "generator.")
    _checked_weights(info)


def _check_shapes(make: Callable[[], nn.Module], path: Path, prefix: str = "") -> None:
    """BundleError unless a file holds the tensors of `make()`, in their shapes.

    Done before anything is allocated: what a configuration asks for is then what is on disk.
    """
    with torch.device("meta"):
        wanted = {prefix + name: list(t.shape) for name, t in make().state_dict().items()}
    try:
        with safe_open(path, framework="pt") as file:
            stored = set(file.keys())
            for name, shape in wanted.items():
                if name not in stored:
                    raise BundleError(f"{path} lacks {name}, which the config asks for")
                if file.get_slice(name).get_shape() != shape:
                    raise BundleError(
                        f"{path}: {name} has shape {file.get_slice(name).get_shape()}, "
                        f"the config wants {shape}"
                    )
    except FileNotFoundError:
        raise BundleError(f"{path.parent} has no {path.name}") from None
    except SafetensorError as error:
        raise BundleError(f"{path} is damaged: {_first_line(error)}") from None


def _fill(module: nn.Module, tensors: Iterable[tuple[str, Tensor]], folder: Path) -> None:
    """Give a module that was built on the meta device its tensors, float32, one after another."""
    wanted = {name: value.shape for name, value in module.state_dict().items()}
    for name, value in tensors:
        shape = wanted.pop(name, None)
        if shape is None:
            raise BundleError(f"{folder}: the config has no place for the tensor {name}")
        if shape != value.shape:
            raise BundleError(
                f"{folder}: {name} has shape {list(value.shape)}, the config wants {list(shape)}"
            )
        if value.is_floating_point() and not bool(torch.isfinite(value).all()):
            raise BundleError(f"{folder}: {name} holds values that are not finite")
        owner = module.get_submodule(name.rpartition(".")[0])
        value = value.float() if value.is_floating_point() else value
        owner.load_state_dict({name.rpartition(".")[2]: value}, strict=False, assign=True)
    if wanted:
        missing = next(iter(wanted))
        raise BundleError(f"{folder}: {len(wanted)} tensors are missing, such as {missing}")


def load_generator(info: BundleInfo) -> Generator:
    """The generator of a bundle of either kind, float32, on the CPU."""
    config = info.generator_config
    _check_shapes(lambda: Generator(config), info.folder / WEIGHTS, "generator.")
    with torch.device("meta"):
        generator = Generator(config)
    stored = _stored_tensors(_checked_weights(info), info.folder, ["generator"])
    _fill(generator, ((k.removeprefix("generator."), v) for k, v in stored), info.folder)
    return generator.eval().requires_grad_(False)


def load_model(info: BundleInfo) -> InpaintingModel:
    """The inpainting model of a bundle, float32, on the CPU."""
    if not isinstance(info.config, InpaintingConfig):
        raise BundleError(
            f"{info.folder} holds a generator only; train it to fill holes with "
            "`inpaint-model train inpainter --generator` first"
        )
    config = info.config
    _check_shapes(lambda: InpaintingModel(config), info.folder / WEIGHTS)
    with torch.device("meta"):
        model = InpaintingModel(config)
    parts = ["generator", "encoder", "mixer", "skip", "second_encoder"]
    _fill(model, _stored_tensors(_checked_weights(info), info.folder, parts), info.folder)
    return model.eval().requires_grad_(False)


def load_discriminator(info: BundleInfo) -> Discriminator | None:
    """The discriminator that was kept with a bundle, if any."""
    path = info.folder / "discriminator.safetensors"
    config = info.discriminator
    if config is None or not path.exists():
        return None
    _check_shapes(lambda: Discriminator(config), path)
    with torch.device("meta"):
        discriminator = Discriminator(config)
    _fill(discriminator, _stored_tensors(path, info.folder), info.folder)
    return discriminator


def bundled(name: str) -> Path:
    """The folder of a model that ships inside the package; BundleError if there is none."""
    folder = Path(__file__).parent / "pretrained" / name
    if not (folder / "model.yaml").exists():
        known = sorted(p.parent.name for p in folder.parent.glob("*/model.yaml"))
        hint = f"bundled are: {', '.join(known)}" if known else "no model is bundled"
        raise BundleError(f"{name!r} is neither a bundle's folder nor a bundled model ({hint})")
    return folder


def find_bundle(path_or_name: str | Path) -> Path:
    """A bundle's folder: the path itself, or a bundled model's name."""
    path = Path(path_or_name)
    return path if (path / "model.yaml").exists() or path.is_dir() else bundled(str(path_or_name))
