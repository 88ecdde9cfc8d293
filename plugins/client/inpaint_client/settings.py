"""Settings as JSON in the user's config folder.

    file = SettingsFile(config_folder() / "connection.json", ConnectionSettings)
    settings = file.load()
    file.save(replace(settings, address="tls://gpu.studio:50099"))

Each host stores its own dataclass in its own file. Unknown keys in a file are kept, so that
different versions can share it. Values of the wrong type are ignored with a warning.
"""

from __future__ import annotations

import json
import logging
import os
import tempfile
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Generic, TypeVar

from inpaint_protos.secret import Secret

from .endpoint import TlsFiles
from .folders import config_folder

log = logging.getLogger(__name__)
T = TypeVar("T")


@dataclass(frozen=True)
class ConnectionSettings:
    """How to reach the daemon; shared by Krita, GIMP and the command line."""

    address: str = ""  # host:port, tls://host:port or unix:PATH; empty = the daemon of this machine
    token: Secret = field(default_factory=Secret)
    tls_ca: str = ""  # PEM files for tls://, see TlsFiles
    tls_certificate: str = ""
    tls_key: str = ""
    start_daemon: bool = True  # start the local daemon when none runs
    executable: str = ""  # path of inpaint-server; empty = search for it
    timeout_s: float = 0.0  # time limit of a fill; 0 = none

    @property
    def tls(self) -> TlsFiles:
        """The PEM files for TLS; their paths are empty if TLS is not used."""
        return TlsFiles(self.tls_ca, self.tls_certificate, self.tls_key)


class SettingsFile(Generic[T]):
    """JSON file, mode 0600, that stores a dataclass with defaults for all its fields."""

    def __init__(self, path: Path, kind: type[T]) -> None:
        self.path = path
        self._kind = kind

    def load(self) -> T:
        """Read the file; missing values get their defaults, and a broken file counts as empty."""
        stored = self._read()
        default = self._kind()
        known = {}
        for each in fields(default):  # type: ignore[arg-type]
            if each.name in stored:
                value, usual = stored[each.name], getattr(default, each.name)
                if _is_like(value, usual):
                    known[each.name] = type(usual)(value)
                else:
                    shown = Secret(str(value)) if isinstance(usual, Secret) else value
                    log.warning("%s: %s = %r is ignored", self.path, each.name, shown)
        return self._kind(**known)

    def save(self, settings: T) -> None:
        """Write all fields, and keep unknown keys of the file.

        Raises:
            OSError: the folder is not writable.
        """
        stored = self._read(set_aside=True)
        for each in fields(settings):  # type: ignore[arg-type]
            value = getattr(settings, each.name)
            stored[each.name] = value.reveal() if isinstance(value, Secret) else value
        write_private(self.path, json.dumps(stored, indent=2) + "\n")

    def _read(self, set_aside: bool = False) -> dict[str, Any]:
        try:
            stored = json.loads(self.path.read_text("utf-8"))
            if isinstance(stored, dict):
                return stored
        except FileNotFoundError:
            return {}
        except (OSError, ValueError) as error:
            log.warning("%s cannot be read: %s", self.path, error)
        if set_aside:
            self.path.replace(self.path.with_suffix(".broken"))
        return {}


def connection_file() -> SettingsFile[ConnectionSettings]:
    """Return the settings file that all hosts share."""
    return SettingsFile(config_folder() / "connection.json", ConnectionSettings)


def write_private(path: Path, text: str) -> None:
    """Replace a file atomically; at no time can anyone but the owner read it."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=path.name)  # mode 0600
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def _is_like(value: object, usual: object) -> bool:
    if isinstance(usual, float):
        return isinstance(value, (int, float)) and not isinstance(value, bool)
    if isinstance(usual, Secret):
        return isinstance(value, str)
    return type(value) is type(usual)
