"""Certificates of daemons in tests."""

from __future__ import annotations

import subprocess
from pathlib import Path


def make_certificate(folder: Path, name: str) -> None:
    """Write a certificate and its key, replacing both at once, as tools that renew them do."""
    new = folder / "new"
    new.mkdir(exist_ok=True)
    subprocess.run(
        [
            "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
            "-nodes", "-keyout", new / "server.key", "-out", new / "server.pem", "-days", "2",
            "-subj", f"/CN={name}", "-addext", "subjectAltName=IP:127.0.0.1",
        ],
        check=True, capture_output=True,
    )  # fmt: skip
    for path in ("server.key", "server.pem"):
        (new / path).replace(folder / path)
