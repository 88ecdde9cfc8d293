"""Access control with token and certificate, which can be replaced while the daemon is running."""

from __future__ import annotations

import logging
import ssl
from collections.abc import Callable
from dataclasses import replace

import grpc
from inpaint_protos.secret import Secret

from ..config import ServerConfig
from ..errors import ConfigurationError
from .certificates import TlsFiles, load, load_authority
from .tokens import new_token, read_token

log = logging.getLogger(__name__)

RELOADED = ("token_file", "metrics_token_file", "tls", "log_level")
"""The settings that SIGHUP reloads; all others take effect at the next start."""


class Access:
    """The current token and certificate."""

    def __init__(self, config: ServerConfig, former_token: Secret | None = None) -> None:
        """Read token and certificate.

        Args:
            config: the settings.
            former_token: token of the program that this one replaced; used without a token file.

        Raises:
            ConfigurationError: a file cannot be used.
        """
        self._config = config
        self.token = read_token(config.token_file) if config.token_file else Secret()
        self.token = self.token or former_token or new_token()
        metrics = config.metrics_token_file
        self.metrics_token = read_token(metrics, "metrics_token_file") if metrics else Secret()
        self._files = TlsFiles.read(config.tls) if config.tls else None
        self._contexts: list[ssl.SSLContext] = []
        self._offered = self._files  # the files that gRPC has

    @property
    def _kind(self) -> str:
        """The kind of encryption, which is fixed when gRPC starts."""
        if self._files is None:
            return "plain"
        return "TLS" if self._files.authority is None else "mutual TLS"

    def credentials(self) -> grpc.ServerCredentials | None:
        """Return the credentials that gRPC queries before each connection; None without TLS."""
        if self._files is None:
            return None
        return grpc.dynamic_ssl_server_credentials(
            self._files.configuration(),
            self._newer,  # type: ignore[arg-type] # the stubs do not allow None, "no change"
            self._files.authority is not None,
        )

    def context(self) -> ssl.SSLContext | None:
        """Return a context of Python's ssl that follows `reload`; None without TLS."""
        if self._config.tls is None:
            return None
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        load(context, self._config.tls)
        load_authority(context, self._config.tls)
        self._contexts.append(context)
        return context

    def _newer(self) -> grpc.ServerCertificateConfiguration | None:
        """Return the files if they were replaced. gRPC calls it in a separate thread."""
        files = self._files
        if files is None or files is self._offered:
            return None
        self._offered = files
        return files.configuration()

    def reload(self, read: Callable[[], ServerConfig]) -> bool:
        """Reload the settings, token and certificate, and return whether the token changed.

        If anything is invalid, nothing changes, and the reason is logged.
        """
        try:
            config = read()
            fresh = Access(config, former_token=self.token)
            if fresh._kind != self._kind:
                raise ConfigurationError(
                    "tls: restart the daemon to enable or disable TLS or client certificates"
                )
        except ConfigurationError as error:
            log.error("reloaded=false reason=%r", str(error))  # noqa: TRY400 (no trace needed)
            return False
        is_other = fresh.token != self.token
        self._files, self.token = fresh._files, fresh.token
        self.metrics_token = fresh.metrics_token
        for context in self._contexts:
            if config.tls is not None:
                load(context, config.tls)
        log.info("reloaded=true token_changed=%s", str(is_other).lower())
        logging.getLogger().setLevel(config.log_level.upper())
        unchanged = {name: getattr(self._config, name) for name in RELOADED}
        if replace(config, **unchanged) != self._config:
            log.warning(
                "changed settings other than %s take effect at the next start", ", ".join(RELOADED)
            )
        self._config = replace(self._config, **{n: getattr(config, n) for n in RELOADED})
        return is_other
