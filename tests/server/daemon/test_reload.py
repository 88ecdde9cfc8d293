"""SIGHUP: certificate, token and log level are read again, while calls go on."""

from __future__ import annotations

import os
import signal
import ssl
import subprocess
import sys
from pathlib import Path

import grpc
import pytest
from certificates import make_certificate
from daemons import Caller, DaemonProcess, header, write_token
from eventually import eventually

pytestmark = pytest.mark.slow
FIRST, SECOND = "the-first-token-of-all", "the-second-token-of-all"


def config(level: str = "info") -> str:
    return (
        "listen: 127.0.0.1:0\ntoken_file: token\n"
        f"tls: {{certificate: server.pem, key: server.key}}\nlog_level: {level}\n"
    )


def reload(daemon: DaemonProcess) -> str:
    """Send SIGHUP and return the log line about it."""
    before = len(daemon.log.read_text())
    daemon.process.send_signal(signal.SIGHUP)
    assert eventually(lambda: "reloaded=" in daemon.log.read_text()[before:])
    return daemon.log.read_text()[before:]


def shown_certificate(daemon: DaemonProcess) -> str:
    host, port = daemon.runtime()["address"].removeprefix("tls://").split(":")
    return ssl.get_server_certificate((host, int(port)))


def caller(daemon: DaemonProcess, token: str) -> Caller:
    address = daemon.runtime()["address"].removeprefix("tls://")
    credentials = grpc.ssl_channel_credentials((daemon.folder / "server.pem").read_bytes())
    options = [("grpc.use_local_subchannel_pool", 1)]
    return Caller(grpc.secure_channel(address, credentials, options), token)


def test_certificate_token_and_log_level(tmp_path: Path) -> None:
    make_certificate(tmp_path, "first")
    write_token(tmp_path / "token", FIRST)
    with DaemonProcess(tmp_path, config=config(), slow_s=0.3) as daemon, caller(
        daemon, FIRST
    ) as client:  # fmt: skip
        running = client.start_fill(header(seeds=[1], count=8))
        next(running)
        first = shown_certificate(daemon)
        make_certificate(tmp_path, "second")
        (tmp_path / "token").write_text(SECOND)
        (tmp_path / "server.yaml").write_text(config("warning"))
        assert "reloaded=true token_changed=true" in reload(daemon)
        assert eventually(lambda: daemon.runtime()["token"] == SECOND)
        assert shown_certificate(daemon) == (tmp_path / "server.pem").read_text() != first
        with caller(daemon, SECOND) as newcomer:
            newcomer.info()
            newcomer.metadata = (("authorization", f"Bearer {FIRST}"),)
            with pytest.raises(grpc.RpcError, match="token is wrong"):
                newcomer.info()
        assert "request=Info" not in daemon.log.read_text()  # the log level is another one
        assert list(running)[-1].WhichOneof("event") == "done"


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (
            lambda folder: (folder / "server.pem").write_text("nothing"),
            "must contain a certificate",
        ),
        (lambda folder: (folder / "token").write_text("short"), "at least 16"),
        (lambda folder: (folder / "token").chmod(0o644), "chmod 600"),
        (lambda folder: (folder / "server.yaml").write_text("lisen: x"), "did you mean `listen`"),
        (lambda folder: (folder / "server.yaml").unlink(), "cannot read"),
        (
            lambda folder: (folder / "server.yaml").write_text("token_file: token"),
            "restart the daemon",
        ),
    ],
)
def test_invalid_settings_keep_the_old_ones(tmp_path: Path, spoil: object, words: str) -> None:
    make_certificate(tmp_path, "first")
    write_token(tmp_path / "token", FIRST)
    with DaemonProcess(tmp_path, config=config()) as daemon, caller(daemon, FIRST) as client:
        client.info()
        certificate = (tmp_path / "server.pem").read_text()
        assert callable(spoil)
        spoil(tmp_path)
        said = reload(daemon)
        assert "reloaded=false" in said
        assert words in said
        assert shown_certificate(daemon) == certificate
        client.info()


def test_other_settings_wait_for_the_next_start(tmp_path: Path) -> None:
    with DaemonProcess(tmp_path, config="log_level: info") as daemon, daemon.caller() as client:
        client.info()
        token = daemon.runtime()["token"]
        (tmp_path / "server.yaml").write_text("limits: {max_queue: 2}")
        assert "take effect at the next start" in reload(daemon)
        assert daemon.runtime()["token"] == token
        assert client.info().limits.max_queue == 32


def test_the_daemon_exits_without_its_terminal(tmp_path: Path) -> None:
    """The original purpose of SIGHUP: closing a terminal ends the programs in it."""
    terminal, theirs = os.openpty()
    environment = {**os.environ, "XDG_RUNTIME_DIR": str(tmp_path)}
    command = [sys.executable, "-m", "inpaint_server", "--device", "cpu", "--model", "tiny"]
    process = subprocess.Popen(
        command, stdin=theirs, stderr=subprocess.DEVNULL, env=environment, start_new_session=True
    )
    try:
        assert eventually((tmp_path / "inpaint" / "server.json").exists, 60)
        process.send_signal(signal.SIGHUP)
        assert process.wait(30) == 0
    finally:
        process.kill()
        os.close(terminal)
        os.close(theirs)
