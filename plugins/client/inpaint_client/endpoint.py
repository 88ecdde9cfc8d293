"""Addresses of daemons, with their TLS settings and tokens."""

from __future__ import annotations

import ssl
import sys
from dataclasses import dataclass, field
from ipaddress import ip_address

from inpaint_protos.secret import Secret

from .errors import InputError
from .sentence import Sentence

_EXAMPLES = Sentence("Use the form host:port, tls://host:port or unix:/path/to/socket.")


@dataclass(frozen=True)
class TlsFiles:
    """PEM files. Without `ca`, the system's CAs are trusted; a certificate enables mutual TLS."""

    ca: str = ""
    certificate: str = ""
    key: str = ""

    def context(self) -> ssl.SSLContext:
        """Return a client context for HTTP/2.

        Raises:
            InputError: a file cannot be read or is not a valid PEM file.
        """
        try:
            context = ssl.create_default_context(cafile=self.ca or None)
            if self.certificate:
                context.load_cert_chain(self.certificate, self.key or None)
        except OSError as error:  # includes ssl.SSLError
            raise InputError(
                Sentence("The TLS files cannot be used ({error}).", error=error),
                Sentence(
                    "Choose PEM files: the certificate authority and, for mutual TLS, a "
                    "certificate and its key."
                ),
            ) from error
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.set_alpn_protocols(["h2"])
        return context


@dataclass(frozen=True)
class Endpoint:
    """Address of one daemon, with the token that it requires."""

    host: str = ""
    port: int = 0
    path: str = ""  # of a Unix socket; then host and port are empty
    tls: TlsFiles | None = None
    token: Secret = field(default_factory=Secret)

    def __str__(self) -> str:
        if self.path:
            return f"unix:{self.path}"
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'tls://' if self.tls else ''}{host}:{self.port}"

    @property
    def is_local(self) -> bool:
        """Whether all traffic stays on this machine."""
        return bool(self.path) or _is_loopback(self.host)


def parse_endpoint(address: str, token: Secret | str = "", tls: TlsFiles | None = None) -> Endpoint:
    """Read `host:port`, `[::1]:port`, `tls://host:port` or `unix:PATH`.

    Args:
        address: the address in one of these forms.
        token: the daemon's token; empty = none.
        tls: PEM files for `tls://`, not used for the other forms; None = the system's CAs.

    Raises:
        InputError: the address is invalid, it would send the token over a network unencrypted, or
            the token is not printable ASCII.
    """
    if not isinstance(token, Secret):
        token = Secret(token)
    if not token.can_be_sent:
        raise InputError(
            Sentence("The token contains a line break or a character that is not ASCII."),
            Sentence("Copy it again. It is one line of plain letters, digits and punctuation."),
        )
    text = address.strip()
    if text.startswith("unix:"):
        path = text.removeprefix("unix:").removeprefix("//")
        if not path:
            raise InputError(
                Sentence("{address!r} does not name a socket.", address=address), _EXAMPLES
            )
        if sys.platform == "win32":
            raise InputError(
                Sentence("Python does not support Unix sockets on Windows."),
                Sentence("Use host:port instead."),
            )
        return Endpoint(path=path, token=token)
    secure = text.startswith("tls://")
    host, colon, port = text.removeprefix("tls://").rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not colon or not host or not port.isascii() or not port.isdigit() or "/" in host:
        raise InputError(
            Sentence("{address!r} is not a valid address.", address=address), _EXAMPLES
        )
    if not 0 < int(port) < 65536:
        raise InputError(
            Sentence("{address!r} has an invalid port.", address=address),
            Sentence("Use a port from 1 to 65535."),
        )
    if token and not secure and not _is_loopback(host):
        raise InputError(
            Sentence(
                "{address!r} would send the token over the network unencrypted.", address=address
            ),
            Sentence(
                "Use tls://{text} with a daemon that has TLS enabled, or a tunnel to this machine.",
                text=text,
            ),
        )
    return Endpoint(host, int(port), tls=(tls or TlsFiles()) if secure else None, token=token)


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
