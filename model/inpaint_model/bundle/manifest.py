"""Read and check `model.yaml`, the manifest of a bundle.

`weights.safetensors` holds the tensors of the networks under `generator.`, `encoder.`, `mixer.`,
`skip.`, `second_encoder.`, `framer.` and `refinement.`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Literal

import yaml

from inpaint_model.bundle.directions import Direction
from inpaint_model.framing.network import FramerConfig
from inpaint_model.networks.config import (
    BASELINES,
    BaselineConfig,
    DiscriminatorConfig,
    GeneratorConfig,
    InpaintingConfig,
    ModelConfig,
)
from inpaint_model.networks.detail_network import DetailConfig
from inpaint_model.networks.refinement_network import RefinementConfig
from inpaint_model.networks.validation import Number, Several, Text, shown, validated

FORMAT = 1
UNCLAMPED_SKIPS = 2  # for clamped discriminators with unclamped skips
MAX_YAML_BYTES = 2 * 2**20
Kind = Literal["generator", "inpainter"]


class BundleError(ValueError):
    """A bundle cannot be used. The message names the folder and the reason."""


@dataclass(frozen=True)
class Card:
    """Description of a model."""

    name: Text  # in requests
    title: Text = ""  # for display
    alignment: Text = "ffhq"  # of the training images
    licence: Text = "unknown"
    provenance: Text = "unknown"
    trained_kimg: Number = 0.0  # thousands of training images of the part that `kind` names
    metrics: Mapping[Text, Number] = field(default_factory=dict)


@dataclass(frozen=True)
class BundleInfo:
    """The content of `model.yaml`."""

    folder: Path
    kind: Kind
    card: Card
    config: GeneratorConfig | ModelConfig
    weights_sha256: str
    generator_sha256: str
    dtype: str
    directions: tuple[Direction, ...] = ()
    framer: FramerConfig | None = None
    refinement: RefinementConfig | None = None
    detail: DetailConfig | None = None
    naturalness: float | None = None  # see `Document`
    discriminator: DiscriminatorConfig | None = None

    @property
    def name(self) -> str:
        """Name in requests."""
        return self.card.name

    @property
    def shown_name(self) -> str:
        """Name in messages."""
        return self.card.title or self.name

    @property
    def has_framer(self) -> bool:
        """Whether it can find frames."""
        return self.framer is not None

    @property
    def generator_config(self) -> GeneratorConfig:
        """Configuration of the generator, for either `kind`."""
        return self.config if isinstance(self.config, GeneratorConfig) else self.config.generator


def read_bundle(folder: Path) -> BundleInfo:
    """Read and check a bundle's `model.yaml`, but not its weights.

    Raises:
        BundleError: It is missing or invalid, or a file of the bundle is not plain.
    """
    path = folder / "model.yaml"
    try:
        _check_files(folder)
        if path.stat().st_size > MAX_YAML_BYTES:
            raise BundleError(f"{path} is larger than {MAX_YAML_BYTES // 2**20} MiB")
        document = yaml.safe_load(path.read_text("utf-8"))
    except FileNotFoundError:
        raise BundleError(f"{folder} is not a bundle: it has no model.yaml") from None
    except RecursionError:
        raise BundleError(f"{path} cannot be read: it nests too deeply") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise BundleError(f"{path} cannot be read: {first_line(error)}") from None
    if not isinstance(document, dict) or document.get("format") not in (FORMAT, UNCLAMPED_SKIPS):
        raise BundleError(
            f"{path} is not of format {FORMAT} or {UNCLAMPED_SKIPS}; a newer version may read it"
        )
    kind = document.get("kind")
    if kind not in ("generator", "inpainter"):
        raise BundleError(f"{path}: kind {shown(kind)} is neither generator nor inpainter")
    # A key without a value counts as absent.
    given = {key: value for key, value in document.items() if value is not None}
    try:
        read = validated(_document_type(kind, given), given)
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
        refinement=read.refinement,
        detail=read.detail,
        naturalness=read.naturalness,
        discriminator=_discriminator(read),
    )


def _discriminator(document: Document) -> DiscriminatorConfig | None:
    """Read the discriminator's configuration; in format 1 its skips are clamped."""
    config = document.discriminator
    if config is None or config.conv_clamp is None:
        return config
    return replace(config, clamp_skip=document.format == FORMAT or config.clamp_skip)


def format_for(discriminator: DiscriminatorConfig | None) -> int:
    """Return the oldest format for a discriminator."""
    if discriminator is None or discriminator.conv_clamp is None or discriminator.clamp_skip:
        return FORMAT
    return UNCLAMPED_SKIPS


def first_line(error: Exception) -> str:
    """Return the first line of a message, since some libraries write pages."""
    return str(error).partition("\n")[0]


def bundled(name: str) -> Path:
    """Return the folder of a model in the package.

    Raises:
        BundleError: It is unknown; the message lists the known ones.
    """
    folder = Path(__file__).parent / "pretrained" / name
    if not (folder / "model.yaml").exists():
        known = sorted(p.parent.name for p in folder.parent.glob("*/model.yaml"))
        hint = f"bundled models: {', '.join(known)}" if known else "no model is bundled"
        raise BundleError(f"{name!r} is neither a bundle's folder nor a bundled model ({hint})")
    return folder


def _check_files(folder: Path) -> None:
    """Refuse pipes, which could block reading, and links, which may expose private files."""
    for path in (folder / "model.yaml", *sorted(folder.glob("*.safetensors"))):
        if path.is_symlink():
            raise BundleError(f"{path} is a link; put a copy of the file in its place")
        if path.exists() and not path.is_file():
            raise BundleError(f"{path} is not a plain file; put the file itself in its place")


def find_bundle(path_or_name: str | Path) -> Path:
    """Return a bundle's folder, given that or the name of a bundled model.

    Raises:
        BundleError: It is neither.
    """
    path = Path(path_or_name)
    return path if (path / "model.yaml").exists() or path.is_dir() else bundled(str(path_or_name))


WEIGHTS = "weights.safetensors"


@dataclass(frozen=True)
class StoredWeights:
    """The entry for `weights.safetensors`."""

    sha256: Text
    dtype: Literal["fp32", "fp16", "bf16"]
    file: Text = WEIGHTS


@dataclass(frozen=True, kw_only=True)
class Document(Card):
    """`model.yaml` as stored. Unknown keys are ignored."""

    format: Literal[1, 2]
    weights: StoredWeights
    generator_sha256: Text
    alignment: Text = ""
    directions: Several[Direction] = ()
    framer: FramerConfig | None = None
    refinement: RefinementConfig | None = None
    detail: DetailConfig | None = None
    # What judges naturalness has learned to tell images from fills: how often it is right about an
    # image and its fill that it has not seen.
    naturalness: Number | None = None
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


@dataclass(frozen=True, kw_only=True)
class BaselineDocument(Document):
    """`model.yaml` of an inpainting model of another method, which its configuration names."""

    kind: Literal["inpainter"]
    config: BaselineConfig


AnyDocument = GeneratorDocument | InpainterDocument | BaselineDocument


def _document_type(kind: Kind, document: Mapping[str, object]) -> type[AnyDocument]:
    if kind == "generator":
        return GeneratorDocument
    config = document.get("config")
    if not isinstance(config, Mapping) or "arch" not in config:
        return InpainterDocument
    if config["arch"] not in BASELINES:  # before keys that only this arch may have
        raise ValueError(
            f"`config.arch` must be one of {', '.join(BASELINES)}, not {shown(config['arch'])}; "
            "a newer version may read it"
        )
    return BaselineDocument
