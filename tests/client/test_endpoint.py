"""Addresses as people write them."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from inpaint_client import Endpoint, InputError, TlsFiles, parse_endpoint
from inpaint_protos.secret import Secret


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("127.0.0.1:50099", Endpoint("127.0.0.1", 50099)),
        (" localhost:1 ", Endpoint("localhost", 1)),
        ("[::1]:65535", Endpoint("::1", 65535)),
        ("gpu.studio:7", Endpoint("gpu.studio", 7)),
        ("tls://gpu.studio:7", Endpoint("gpu.studio", 7, tls=TlsFiles())),
        ("unix:/run/x.sock", Endpoint(path="/run/x.sock")),
        ("unix:///run/x.sock", Endpoint(path="/run/x.sock")),
        ("unix:relative.sock", Endpoint(path="relative.sock")),
    ],
)
def test_addresses(text: str, expected: Endpoint) -> None:
    endpoint = parse_endpoint(text)
    assert endpoint == expected
    assert parse_endpoint(str(endpoint)) == endpoint


@pytest.mark.parametrize(
    "text",
    [
        "",
        "host",
        ":1",
        "host:",
        "host:x",
        "host:0",
        "host:65536",
        "http://h:1",
        "unix:",
        "tls://",
        "host:²",
    ],
)
def test_what_is_no_address(text: str) -> None:
    with pytest.raises(InputError):
        parse_endpoint(text)


@given(st.text())
def test_any_text_is_an_address_or_refused(text: str) -> None:
    try:
        endpoint = parse_endpoint(text)
    except InputError:
        return
    assert endpoint.path or 0 < endpoint.port < 65536


def test_a_token_never_crosses_a_network_in_the_clear() -> None:
    with pytest.raises(InputError, match=r"tls://gpu\.studio:7"):
        parse_endpoint("gpu.studio:7", token="secret")
    for safe in ("tls://gpu.studio:7", "127.0.0.2:7", "localhost:7", "[::1]:7", "unix:/x"):
        assert parse_endpoint(safe, token="secret").token == Secret("secret")
    assert "secret" not in repr(parse_endpoint("unix:/x", token="secret"))


def test_files_that_cannot_be_used_are_named(tmp_path: Path) -> None:
    nonsense = tmp_path / "ca.pem"
    nonsense.write_text("nonsense")
    for files in (TlsFiles(ca=str(nonsense)), TlsFiles(ca=str(tmp_path / "absent.pem"))):
        with pytest.raises(InputError, match="TLS files"):
            files.context()
