"""TLS on and off, mutual TLS, and what is needed before other machines may connect."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest
from daemons import Caller, DaemonProcess, header, write_token
from inpaint_server.cli import main

TOKEN = "a-token-of-the-studio"


def openssl(folder: Path, *arguments: str) -> None:
    subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An authority, and certificates of it for the server and one client."""
    folder = tmp_path_factory.mktemp("authority")
    openssl(
        folder, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
        "-keyout", "ca.key", "-out", "ca.pem", "-days", "2", "-subj", "/CN=test authority",
    )  # fmt: skip
    (folder / "names").write_text("subjectAltName=DNS:localhost,IP:127.0.0.1")
    for name in ("server", "client"):
        openssl(
            folder, "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
            "-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj", f"/CN={name}",
        )  # fmt: skip
        openssl(
            folder, "x509", "-req", "-in", f"{name}.csr", "-CA", "ca.pem", "-CAkey", "ca.key",
            "-CAcreateserial", "-days", "2", "-out", f"{name}.pem", "-extfile", "names",
        )  # fmt: skip
    openssl(folder, "pkey", "-in", "server.key", "-pubout", "-out", "public.key")
    openssl(folder, "genrsa", "-traditional", "-out", "rsa.key", "2048")
    secret = ("-aes256", "-passout", "pass:secret")
    openssl(folder, "pkey", "-in", "server.key", *secret, "-out", "encrypted.key")
    openssl(folder, "rsa", "-in", "rsa.key", "-traditional", *secret, "-out", "encrypted-rsa.key")
    (folder / "damaged.pem").write_text(
        "-----BEGIN CERTIFICATE-----\nbm8=\n-----END CERTIFICATE-----\n"
    )
    (folder / "text").write_text("This is no PEM.\n")
    os.mkfifo(folder / "pipe")
    write_token(folder / "token", TOKEN + "\n")
    return folder


def config(authority: Path, *, mutual: bool) -> str:
    client_ca = f"  client_ca: {authority}/ca.pem\n" if mutual else ""
    return (
        "listen: 0.0.0.0:0\n"
        f"token_file: {authority}/token\n"
        f"tls:\n  certificate: {authority}/server.pem\n  key: {authority}/server.key\n{client_ca}"
    )


@pytest.fixture(scope="module", params=[False, True], ids=["tls", "mutual"])
def daemon(
    request: pytest.FixtureRequest, authority: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[DaemonProcess, bool]]:
    text = config(authority, mutual=request.param)
    with DaemonProcess(tmp_path_factory.mktemp("tls"), config=text) as process:
        yield process, request.param


def caller(daemon: DaemonProcess, credentials: grpc.ChannelCredentials | None) -> Caller:
    runtime = daemon.runtime()
    assert runtime["address"].startswith("tls://127.0.0.1:")
    assert runtime["token"] == TOKEN
    address = runtime["address"].removeprefix("tls://")
    if credentials is None:
        return Caller(grpc.insecure_channel(address), TOKEN)
    return Caller(grpc.secure_channel(address, credentials), TOKEN)


def test_a_client_that_trusts_the_authority_is_served(
    daemon: tuple[DaemonProcess, bool], authority: Path
) -> None:
    process, _ = daemon
    credentials = grpc.ssl_channel_credentials(
        (authority / "ca.pem").read_bytes(),
        (authority / "client.key").read_bytes(),
        (authority / "client.pem").read_bytes(),
    )
    with caller(process, credentials) as client:
        assert len(client.fill(header()).candidates) == 1
        client.metadata = ()
        with pytest.raises(grpc.RpcError) as raised:
            client.info()
        assert raised.value.code() == grpc.StatusCode.UNAUTHENTICATED


def test_without_a_certificate_only_plain_tls_is_served(
    daemon: tuple[DaemonProcess, bool], authority: Path
) -> None:
    process, mutual = daemon
    credentials = grpc.ssl_channel_credentials((authority / "ca.pem").read_bytes())
    with caller(process, credentials) as client:
        if mutual:
            with pytest.raises(grpc.RpcError) as raised:
                client.fill(header())
            assert raised.value.code() == grpc.StatusCode.UNAVAILABLE
        else:
            assert len(client.fill(header()).candidates) == 1


def test_neither_untrusted_clients_nor_plain_text_are_served(
    daemon: tuple[DaemonProcess, bool],
) -> None:
    process, _ = daemon
    for credentials in (None, grpc.ssl_channel_credentials()):
        with caller(process, credentials) as client:
            with pytest.raises(grpc.RpcError) as raised:
                client.fill(header())
            assert raised.value.code() == grpc.StatusCode.UNAVAILABLE


@pytest.mark.parametrize(
    ("broken", "words"),
    [
        ("server.pem: missing.pem", "cannot read"),
        (
            "server.pem: server.csr",
            "must contain a certificate in PEM format; it is a certificate request",
        ),
        ("server.pem: server.key", "must contain a certificate in PEM format; it is a private key"),
        ("server.pem: text", "must contain a certificate in PEM format; it is not a PEM"),
        ("server.pem: pipe", "is not a regular file"),
        ("server.pem: damaged.pem", "a file may be damaged"),
        ("server.key: client.key", "does not belong to the certificate"),
        ("server.key: rsa.key", "does not belong to the certificate"),
        ("server.key: encrypted.key", "it is an encrypted key; store it decrypted"),
        ("server.key: encrypted-rsa.key", "it is an encrypted key; store it decrypted"),
        ("server.key: public.key", "it is a public key; use the private key"),
        ("server.key: server.pem", "must contain a private key in PEM format; it is a certificate"),
        ("server.key: text", "must contain a private key in PEM format; it is not a PEM"),
        ("ca.pem: client.csr", "tls.client_ca"),
        ("ca.pem: damaged.pem", "tls.client_ca"),
        ("token: short", "at least 16"),
    ],
)
def test_files_that_cannot_be_used(
    authority: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    broken: str,
    words: str,
) -> None:
    name, _, value = broken.partition(": ")
    text = config(authority, mutual=True)
    if name == "token":
        write_token(tmp_path / "token", value)
        text = text.replace(f"{authority}/token", str(tmp_path / "token"))
    else:
        text = text.replace(f"{authority}/{name}", str(authority / value))
    (tmp_path / "server.yaml").write_text(text)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    arguments = ["--device", "cpu", "--model", "tiny", "--config", str(tmp_path / "server.yaml")]
    assert main(arguments) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert words in line
