"""The PEM files of `tls`, read and checked: what is wrong is told before gRPC sees them.

gRPC takes whatever it is given, and says in its own log, at the first connection, that it cannot
use it.
"""

from __future__ import annotations

import re
import ssl
from pathlib import Path
from typing import NamedTuple, NoReturn

import grpc

from ..config import TlsConfig
from ..errors import ConfigurationError

LABEL = re.compile(rb"-----BEGIN ([A-Z0-9 ]+)-----")
CERTIFICATE = "CERTIFICATE"
KEYS = ("PRIVATE KEY", "RSA PRIVATE KEY", "EC PRIVATE KEY")
WHAT_ELSE = {
    "CERTIFICATE REQUEST": "a request for one; name the certificate that was issued for it",
    "NEW CERTIFICATE REQUEST": "a request for one; name the certificate that was issued for it",
    "PUBLIC KEY": "a public key; name the private one",
    "ENCRYPTED PRIVATE KEY": "an encrypted key; store it decrypted (openssl pkey -in OLD -out NEW)",
}
MISMATCHES = ("KEY_VALUES_MISMATCH", "KEY_TYPE_MISMATCH", "NO_CERTIFICATE_ASSIGNED")
"""What OpenSSL says of a key of another certificate: with other numbers, or of another kind."""
LARGEST = 1 << 20  # bytes of a file; chains have some thousand


class TlsFiles(NamedTuple):
    """The contents of the files, PEM."""

    key: bytes
    certificate: bytes
    authority: bytes | None  # that clients' certificates must come from

    @classmethod
    def read(cls, tls: TlsConfig) -> TlsFiles:
        """Read and check the files of the settings.

        Raises:
            ConfigurationError: one cannot be read or holds something else, or the key belongs to
                another certificate.
        """
        certificate = _read(tls.certificate, "certificate", (CERTIFICATE,))
        key = _read(tls.key, "key", KEYS)
        authority = None
        if tls.client_ca:
            authority = _read(tls.client_ca, "client_ca", (CERTIFICATE,))
        _check_pair(tls)
        return cls(key, certificate, authority)

    def configuration(self) -> grpc.ServerCertificateConfiguration:
        """Return them as gRPC takes them for new connections."""
        pair = [(self.key, self.certificate)]
        return grpc.ssl_server_certificate_configuration(pair, self.authority)


def _read(path: Path, setting: str, wanted: tuple[str, ...]) -> bytes:
    try:
        if not path.is_file() and path.exists():
            raise ConfigurationError(f"tls.{setting}: {path} is not a plain file")
        with path.open("rb") as file:
            data = file.read(LARGEST)
    except OSError as error:
        raise ConfigurationError(f"tls: cannot read {path}: {error.strerror}") from error
    labels = [label.decode() for label in LABEL.findall(data)]
    if b"Proc-Type: 4,ENCRYPTED" in data:
        labels = ["ENCRYPTED PRIVATE KEY"]
    if not set(labels) & set(wanted):
        found = WHAT_ELSE.get(labels[0], f"a {labels[0].lower()}") if labels else "no PEM"
        article = "a certificate" if wanted == (CERTIFICATE,) else "a private key"
        raise ConfigurationError(f"tls.{setting}: {path} must hold {article} in PEM; it is {found}")
    return data


def _check_pair(tls: TlsConfig) -> None:
    """Let OpenSSL read the files, and compare key and certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        context.load_cert_chain(tls.certificate, tls.key, password=_no_password)
    except ssl.SSLError as error:
        if error.reason in MISMATCHES:
            raise ConfigurationError(
                f"tls: the key {tls.key} does not belong to the certificate {tls.certificate}; "
                "name the key that the certificate was made with"
            ) from error
        raise ConfigurationError(
            f"tls: {tls.certificate} with {tls.key} cannot be used ({_reason(error)}); they may be "
            "damaged"
        ) from error
    try:
        if tls.client_ca:
            context.load_verify_locations(tls.client_ca)
    except ssl.SSLError as error:
        raise ConfigurationError(
            f"tls.client_ca: {tls.client_ca} cannot be used ({_reason(error)}); it may be damaged"
        ) from error


def _reason(error: ssl.SSLError) -> str:
    return (error.reason or str(error)).replace("_", " ").lower()


def _no_password() -> NoReturn:
    raise ConfigurationError("tls.key: an encrypted key cannot be used; store it decrypted")
