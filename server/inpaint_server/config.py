"""The daemon's settings, a frozen dataclass read from the command line and a YAML file.

The YAML file has the same keys as the dataclass. The keys of `tls` and `limits` are nested:

    listen: 0.0.0.0:7860
    models: [portrait, /srv/models/cats]
    tls: {certificate: server.pem, key: server.key}
    token_file: token
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, fields, replace
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import yaml
from annotated_types import Interval
from inpaint_model.networks.validation import (
    Finite,
    ReadAs,
    Several,
    Text,
    Whole,
    closed,
    validated,
)

from .errors import ConfigurationError

MIB = 1 << 20
Settings = TypeVar("Settings", "ServerConfig", "TlsConfig")


def _path(text: str) -> Path:
    try:
        return Path(text).expanduser()
    except RuntimeError as error:  # ~nobody
        raise ValueError(f"{text!r} is not a valid path on this machine: {error}") from None


FilePath = Annotated[Path, ReadAs(Text, _path)]
Portion = Annotated[Finite, Interval(gt=0, le=1)]
Bytes = Annotated[Whole, Interval(ge=1, le=1 << 50)]
BytesOrNone = Annotated[Whole, Interval(ge=0, le=1 << 50)]
Count = Annotated[Whole, Interval(ge=1, le=1 << 16)]
CountOrNone = Annotated[Whole, Interval(ge=0, le=1 << 16)]
Pixels = Annotated[Whole, Interval(ge=1, le=1 << 16)]
Threads = Annotated[Whole, Interval(ge=0, le=1024)]
Batch = Annotated[Whole, Interval(ge=0, le=1024)]
Seconds = Annotated[Finite, Interval(ge=0, le=1e9)]  # up to 30 years
SomeSeconds = Annotated[Finite, Interval(ge=0.1, le=1e9)]


@closed
@dataclass(frozen=True)
class Limits:
    """Limits of a request; anything larger is refused before memory is allocated for it."""

    max_picture_bytes: Bytes = 512 * MIB  # bytes of one image
    max_side: Pixels = 8192  # side of an image, px
    max_seeds: Count = 64  # candidates of one request
    max_variants: CountOrNone = 64  # variants of one request
    max_queue: CountOrNone = 32  # requests that wait for the device
    max_pending_bytes: BytesOrNone = (
        0  # bytes of all requests and kept sessions; 0 = based on the free memory
    )
    max_sessions: CountOrNone = 64  # sessions kept for Edit; the least recently used goes first
    max_session_bytes: BytesOrNone = 1024 * MIB  # bytes of the images of all kept sessions


@closed
@dataclass(frozen=True)
class TlsConfig:
    """Encryption, which is required for every address that other machines can reach."""

    certificate: FilePath  # PEM file with the certificate and its chain
    key: FilePath  # PEM file with the unencrypted private key
    client_ca: FilePath | None = None  # PEM file of the CA that clients need a certificate from


@closed
@dataclass(frozen=True)
class RayConfig:
    """Replicas in a Ray cluster instead of devices of this process."""

    address: Text = ""  # of a running cluster, such as 10.0.0.5:6379; empty = start one here
    min_replicas: Count = 1  # replicas that run even without requests
    max_replicas: Count = 1  # limit when requests wait
    gpus_per_replica: Annotated[Finite, Interval(ge=0, le=1)] = 0.0  # 0.5 = two share a GPU
    cpus_per_replica: Annotated[Finite, Interval(ge=0, le=1024)] = 1.0  # reserved, also as threads
    queue_target_s: SomeSeconds = 1.0  # add replicas while a request waits longer than this
    upscale_delay_s: Seconds = 10.0  # how long requests must wait before replicas are added
    downscale_delay_s: Seconds = 300.0  # how long replicas must be idle before one is removed

    def __post_init__(self) -> None:
        if self.min_replicas > self.max_replicas:
            raise ConfigurationError(
                f"ray: min_replicas is {self.min_replicas}, but max_replicas is "
                f"{self.max_replicas}; raise max_replicas"
            )


@closed
@dataclass(frozen=True)
class ServerConfig:
    """All settings of the daemon."""

    listen: Text = "127.0.0.1:0"  # HOST:PORT (port 0 = any free port) or unix:PATH
    device: Text = (
        "auto"  # auto, cpu, cuda:N, cuda:UUID, xpu:N or mps; several CUDA GPUs as cuda:0,cuda:1
    )
    precision: Literal["auto", "fp32", "bf16", "fp16"] = "auto"
    models: Several[Text] = ()  # names or bundle folders; the first is the default
    batch_size: Batch = 0  # renderings per batch after the first; 0 = 8 on a CUDA GPU, else 1
    threads: Threads = 0  # CPU threads of the networks; 0 = torch's default
    model_memory_bytes: BytesOrNone = 0  # limit for all loaded models on each device; 0 = none
    gpu_memory_share: Portion = 0.9  # fraction of a GPU's free memory at startup, for models
    idle_unload_s: Seconds = 600.0  # unload a model after this idle time; 0 = never
    alone_unload_s: Seconds = (
        60.0  # drop all models and sessions after this time without requests; 0 = never
    )
    session_ttl_s: SomeSeconds = 1800.0  # how long an unused session is kept
    grace_s: Seconds = 20.0  # how long running fills may continue after SIGTERM
    idle_s: SomeSeconds = 60.0  # end a request if its client neither sends nor reads for this long
    tls: TlsConfig | None = None
    token_file: FilePath | None = None  # file with the token; None = a new token at each start
    runtime_file: FilePath | None = None  # None = inpaint/server.json in the user's runtime folder
    metrics: Text = ""  # HOST:PORT for Prometheus metrics; empty = none
    metrics_token_file: FilePath | None = None  # file with a token that only reads the metrics
    traces: Text = ""  # URL of an OpenTelemetry collector, https or on this machine; empty = none
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    limits: Limits = field(default_factory=Limits)
    ray: RayConfig | None = None  # replicas in a Ray cluster; None = the devices of this process

    def __post_init__(self) -> None:
        if not is_local(self.listen) and (self.tls is None or self.token_file is None):
            raise ConfigurationError(
                f"listen: other machines can reach {self.listen}; set both `tls` and "
                "`token_file` (see docs/reference/daemon.md, Other machines)"
            )
        if self.ray is not None and self.device not in {"auto", "cpu"}:
            raise ConfigurationError(
                f"ray: Ray assigns the GPUs; set `gpus_per_replica` instead of the device "
                f"{self.device}"
            )
        if self.traces and not _is_private(self.traces):
            raise ConfigurationError(
                f"traces: {self.traces} must be an https URL, or http on this machine such as "
                "http://127.0.0.1:4318"
            )
        is_remote = self.metrics and not is_loopback(host_and_port(self.metrics, "metrics")[0])
        if is_remote and (self.tls is None or self.metrics_token_file is None):
            raise ConfigurationError(
                f"metrics: other machines can reach {self.metrics}; set both `tls` and "
                "`metrics_token_file`, or use 127.0.0.1:PORT"
            )


def host_and_port(address: str, setting: str = "listen") -> tuple[str, int]:
    """Split HOST:PORT ([::1]:PORT for IPv6).

    Raises:
        ConfigurationError: the address is invalid; the message names the setting.
    """
    host, colon, port = address.rpartition(":")
    if not colon or not host or not port.isdecimal() or int(port) > 65535:
        kinds = "HOST:PORT or unix:PATH" if setting == "listen" else "HOST:PORT"
        raise ConfigurationError(
            f"{setting}: {address!r} is not {kinds} (for example 127.0.0.1:7860)"
        )
    return host, int(port)


def _is_private(url: str) -> bool:
    """Return whether nobody on the network can read what is sent to a URL."""
    scheme, _, rest = url.partition("://")
    host = rest.partition("/")[0]
    if scheme == "https":
        return bool(host)
    return scheme == "http" and is_loopback(re.sub(r":\d+$", "", host))


def is_local(address: str) -> bool:
    """Return whether only processes on this machine can reach the address."""
    if address.startswith("unix:"):
        return True
    return is_loopback(host_and_port(address)[0])


def is_loopback(host: str) -> bool:
    """Return whether a host is a loopback IP address or `localhost`."""
    if host == "localhost":
        return True
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def read_config(path: Path) -> ServerConfig:
    """Read the settings from a YAML file. Relative paths are resolved against its folder.

    Raises:
        ConfigurationError: the file or a setting is invalid; the message names the file, the key
            and the remedy.
    """
    try:
        loaded = yaml.safe_load(path.read_text("utf-8"))
    except OSError as error:
        raise ConfigurationError(f"cannot read {path}: {error.strerror}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        reason = " ".join(str(error).split())
        raise ConfigurationError(f"{path} is not valid YAML: {reason}") from error
    try:
        config = validated(ServerConfig, {} if loaded is None else loaded)
    except (ConfigurationError, ValueError) as error:
        raise ConfigurationError(f"{path}: {error}") from error
    tls = config.tls and _from_folder(config.tls, path.parent)
    return replace(_from_folder(config, path.parent), tls=tls)


def _from_folder(settings: Settings, folder: Path) -> Settings:
    """Return the settings with relative paths resolved against `folder`."""
    given = {f.name: getattr(settings, f.name) for f in fields(settings)}
    paths: dict[str, Any] = {k: folder / v for k, v in given.items() if isinstance(v, Path)}
    return replace(settings, **paths)


def override(
    config: ServerConfig,
    **changes: Any,  # noqa: ANN401 (each has the type of its field)
) -> ServerConfig:
    """Return `config` with the changes that are not None; the command line overrides the file."""
    return replace(config, **{key: value for key, value in changes.items() if value is not None})
