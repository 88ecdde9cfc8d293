"""The daemon's settings: one frozen dataclass, read from the command line and a YAML file.

The YAML file has the same keys as the dataclass; those of `tls` and `limits` are nested:

    listen: 0.0.0.0:7860
    models: [portrait, /srv/models/cats]
    tls: {certificate: server.pem, key: server.key}
    token_file: token
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, fields, is_dataclass, replace
from ipaddress import ip_address
from pathlib import Path
from typing import Any, cast, get_type_hints

import yaml

from .errors import ConfigurationError

MIB = 1 << 20
NAMES = tuple[str, ...]


@dataclass(frozen=True)
class Limits:
    """What a request may ask for; anything larger is refused before it is allocated."""

    max_picture_bytes: int = 512 * MIB  # of one picture
    max_side: int = 8192  # px of a picture
    max_seeds: int = 64  # candidates of one request
    max_variants: int = 64  # variants of one request
    max_queue: int = 32  # requests that wait for the device
    max_pending_bytes: int = 2048 * MIB  # of all requests together; one alone is always admitted
    max_sessions: int = 64  # cached for Edit; the least recently used goes first
    max_session_bytes: int = 1024 * MIB  # pictures of all cached sessions together


@dataclass(frozen=True)
class TlsConfig:
    """Encryption; needed for every address that other machines can reach."""

    certificate: Path  # PEM, with the chain
    key: Path  # PEM, not encrypted
    client_ca: Path | None = None  # PEM; given, clients must show a certificate of this authority


@dataclass(frozen=True)
class ServerConfig:
    """Everything that decides how the daemon runs."""

    listen: str = "127.0.0.1:0"  # HOST:PORT (port 0: any free one) or unix:PATH
    device: str = "auto"  # by the names of `inpaint_server.device.choose_devices`
    precision: str = "auto"  # auto, fp32, bf16 or fp16
    models: tuple[str, ...] = ()  # names or bundle folders; the first is the default
    batch_size: int = 0  # renderings at a time after the first, at most; 0: 8 on a CUDA GPU, else 1
    threads: int = 0  # CPU threads of the networks; 0: torch's choice
    model_memory_bytes: int = 0  # loaded models together, on each device; 0: no such limit
    gpu_memory_share: float = 0.9  # of what a GPU has free at the start, for models
    idle_unload_s: float = 600.0  # a model unused for so long leaves the GPU; 0: never
    session_ttl_s: float = 1800.0  # how long an unused session is kept
    grace_s: float = 20.0  # how long running fills may go on after SIGTERM
    idle_s: float = 60.0  # a request whose client neither sends nor reads for so long is ended
    tls: TlsConfig | None = None
    token_file: Path | None = None  # the token that clients must send; None: a new one each start
    runtime_file: Path | None = None  # None: inpaint/server.json in the user's runtime folder
    metrics: str = ""  # HOST:PORT of Prometheus metrics, loopback only; empty: none
    log_level: str = "info"  # debug, info, warning or error
    limits: Limits = field(default_factory=Limits)

    def __post_init__(self) -> None:
        if not is_local(self.listen) and (self.tls is None or self.token_file is None):
            raise ConfigurationError(
                f"listen: other machines can reach {self.listen}, which needs both `tls` and "
                "`token_file` (docs/daemon.md, Other machines)"
            )
        if self.metrics and not is_loopback(host_and_port(self.metrics, "metrics")[0]):
            raise ConfigurationError(
                f"metrics: {self.metrics} is not a loopback address; use 127.0.0.1:PORT"
            )
        if self.precision not in ("auto", "fp32", "bf16", "fp16"):
            raise ConfigurationError(
                f"precision: {self.precision!r} is not auto, fp32, bf16 or fp16"
            )
        if not 0 < self.gpu_memory_share <= 1:
            raise ConfigurationError(
                f"gpu_memory_share: {self.gpu_memory_share:g} is not above 0 and at most 1"
            )
        if self.log_level not in ("debug", "info", "warning", "error"):
            raise ConfigurationError(
                f"log_level: {self.log_level!r} is not debug, info, warning or error"
            )


def host_and_port(address: str, setting: str = "listen") -> tuple[str, int]:
    """Split HOST:PORT ([::1]:PORT for IPv6); raises ConfigurationError, naming the setting."""
    host, colon, port = address.rpartition(":")
    if not colon or not host or not port.isdecimal() or int(port) > 65535:
        kinds = "HOST:PORT or unix:PATH" if setting == "listen" else "HOST:PORT"
        raise ConfigurationError(
            f"{setting}: {address!r} is not {kinds} (for example 127.0.0.1:7860)"
        )
    return host, int(port)


def is_local(address: str) -> bool:
    """Whether only processes of this machine can reach the address."""
    if address.startswith("unix:"):
        return True
    return is_loopback(host_and_port(address)[0])


def is_loopback(host: str) -> bool:
    """Whether a host is this machine by its number (or is `localhost`)."""
    if host == "localhost":
        return True
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def read_config(path: Path) -> ServerConfig:
    """The settings in a YAML file.

    Relative paths are taken from the file's folder. Raises ConfigurationError with the file, the
    key and the remedy.
    """
    try:
        loaded = yaml.safe_load(path.read_text("utf-8"))
    except OSError as error:
        raise ConfigurationError(f"cannot read {path}: {error.strerror}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        reason = " ".join(str(error).split())
        raise ConfigurationError(f"{path} is not valid YAML: {reason}") from error
    try:
        values = _checked(ServerConfig, {} if loaded is None else loaded, "", path.parent)
        return ServerConfig(**values)
    except ConfigurationError as error:
        raise ConfigurationError(f"{path}: {error}") from error


def override(config: ServerConfig, **changes: Any) -> ServerConfig:
    """`config` with the changes that are not None: the command line wins over the file."""
    return replace(config, **{key: value for key, value in changes.items() if value is not None})


def _checked(kind: type[Any], values: object, prefix: str, folder: Path) -> dict[str, Any]:
    """`values` with every key and type checked against the dataclass `kind`."""
    if not isinstance(values, Mapping):
        where = prefix.rstrip(".") or "the file"
        raise ConfigurationError(f"{where} must hold `key: value` pairs")
    known = get_type_hints(kind)
    for key in values:
        if key not in known:
            close = difflib.get_close_matches(str(key), known, n=1, cutoff=0.0)
            raise ConfigurationError(f"unknown key `{prefix}{key}`; did you mean `{close[0]}`?")
    missing = [f.name for f in fields(kind) if f.default is f.default_factory is MISSING]
    for key in missing:
        if key not in values:
            raise ConfigurationError(f"`{prefix}{key}` is missing")
    return {key: _value(known[key], value, prefix + key, folder) for key, value in values.items()}


def _value(kind: Any, value: object, name: str, folder: Path) -> Any:
    alternatives = getattr(kind, "__args__", (kind,)) if kind != NAMES else ()
    if value is None and type(None) in alternatives:
        return None
    for alternative in alternatives:
        if is_dataclass(alternative):
            nested = cast(type[Any], alternative)
            return nested(**_checked(nested, value, name + ".", folder))
        if alternative is Path and isinstance(value, str):
            return folder / Path(value).expanduser()
        if alternative is float and isinstance(value, int | float) and not isinstance(value, bool):
            return float(value)
        if alternative in (int, str) and type(value) is alternative:
            return value
    is_names = isinstance(value, list) and all(isinstance(item, str) for item in value)
    if kind == NAMES and is_names:
        return tuple(cast(list[str], value))
    expected = {"int": "a whole number", "float": "a number", "str": "text"}.get(
        getattr(kind, "__name__", ""), "a list of names" if kind == NAMES else "a path"
    )
    raise ConfigurationError(f"`{name}` must be {expected}, not {value!r}")
