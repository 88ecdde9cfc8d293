"""Settings as JSON in the user's config folder.

    file = SettingsFile(config_folder() / "connection.json", ConnectionSettings)
    settings = file.load()
    file.save(replace(settings, address="tls://gpu.studio:50099"))

Hosts keep their own dataclass in a file of their own. Keys that a dataclass does not know are
kept, so that versions can share a file; values of another type are ignored with a warning.
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
    executable: str = ""  # of inpaint-server; empty = look for it
    timeout_s: float = 0.0  # for one fill; 0 = as long as it takes

    @property
    def tls(self) -> TlsFiles:
        """The files that TLS needs; none are named without TLS."""
        return TlsFiles(self.tls_ca, self.tls_certificate, self.tls_key)


class SettingsFile(Generic[T]):
    """One dataclass with defaults for all its fields, in one JSON file, mode 0600."""

    def __init__(self, path: Path, kind: type[T]) -> None:
        self.path = path
        self._kind = kind

    def load(self) -> T:
        """Return what the file says, defaults for the rest; a broken file counts as empty."""
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
        """Write all fields; keys of the file that the dataclass does not know stay.

        Raises:
            OSError: the folder cannot be written.
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
    """Return the file that all hosts share."""
    return SettingsFile(config_folder() / "connection.json", ConnectionSettings)


def write_private(path: Path, text: str) -> None:
    """Replace the file in one step; only its owner can read it, at no moment anybody else."""
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
