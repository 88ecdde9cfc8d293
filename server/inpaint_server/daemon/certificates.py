"""The PEM files of `tls`, read and checked before gRPC uses them.

gRPC accepts any file and reports a problem only in its own log, at the first connection.
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
    "CERTIFICATE REQUEST": "a certificate request; use the certificate that was issued for it",
    "NEW CERTIFICATE REQUEST": "a certificate request; use the certificate that was issued for it",
    "PUBLIC KEY": "a public key; use the private key",
    "ENCRYPTED PRIVATE KEY": "an encrypted key; store it decrypted (openssl pkey -in OLD -out NEW)",
}
MISMATCHES = ("KEY_VALUES_MISMATCH", "KEY_TYPE_MISMATCH", "NO_CERTIFICATE_ASSIGNED")
"""OpenSSL's reasons if the key belongs to another certificate."""
LARGEST = 1 << 20  # bytes of a file; certificate chains have a few thousand


class TlsFiles(NamedTuple):
    """The contents of the files, PEM."""

    key: bytes
    certificate: bytes
    authority: bytes | None  # the CA of the clients' certificates

    @classmethod
    def read(cls, tls: TlsConfig) -> TlsFiles:
        """Read and check the files of the settings.

        Raises:
            ConfigurationError: a file is unreadable or of another kind, or the key belongs to
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
        """Return the configuration that gRPC uses for new connections."""
        pair = [(self.key, self.certificate)]
        return grpc.ssl_server_certificate_configuration(pair, self.authority)


def load(context: ssl.SSLContext, tls: TlsConfig) -> None:
    """Let a context of Python's ssl use certificate and key for new connections."""
    context.load_cert_chain(tls.certificate, tls.key, password=_no_password)


def load_authority(context: ssl.SSLContext, tls: TlsConfig) -> None:
    """Let a context of Python's ssl require clients' certificates, if the settings do."""
    if tls.client_ca:
        context.load_verify_locations(tls.client_ca)
        context.verify_mode = ssl.CERT_REQUIRED


def _read(path: Path, setting: str, wanted: tuple[str, ...]) -> bytes:
    try:
        if not path.is_file() and path.exists():
            raise ConfigurationError(f"tls.{setting}: {path} is not a regular file")
        with path.open("rb") as file:
            data = file.read(LARGEST)
    except OSError as error:
        raise ConfigurationError(f"tls: cannot read {path}: {error.strerror}") from error
    labels = [label.decode() for label in LABEL.findall(data)]
    if b"Proc-Type: 4,ENCRYPTED" in data:
        labels = ["ENCRYPTED PRIVATE KEY"]
    if not set(labels) & set(wanted):
        found = WHAT_ELSE.get(labels[0], f"a {labels[0].lower()}") if labels else "not a PEM file"
        article = "a certificate" if wanted == (CERTIFICATE,) else "a private key"
        raise ConfigurationError(
            f"tls.{setting}: {path} must contain {article} in PEM format; it is {found}"
        )
    return data


def _check_pair(tls: TlsConfig) -> None:
    """Check with OpenSSL that the files are readable and that key and certificate match."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        load(context, tls)
    except ssl.SSLError as error:
        if error.reason in MISMATCHES:
            raise ConfigurationError(
                f"tls: the key {tls.key} does not belong to the certificate {tls.certificate}; "
                "use the key that the certificate was made with"
            ) from error
        raise ConfigurationError(
            f"tls: {tls.certificate} with {tls.key} cannot be used ({_reason(error)}); a file may "
            "be damaged"
        ) from error
    try:
        load_authority(context, tls)
    except ssl.SSLError as error:
        raise ConfigurationError(
            f"tls.client_ca: {tls.client_ca} cannot be used ({_reason(error)}); it may be damaged"
        ) from error


def _reason(error: ssl.SSLError) -> str:
    return (error.reason or str(error)).replace("_", " ").lower()


def _no_password() -> NoReturn:
    raise ConfigurationError("tls.key: an encrypted key cannot be used; store it decrypted")
