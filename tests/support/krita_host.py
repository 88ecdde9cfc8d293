"""Start a real Krita unattended and run one scenario (tests/hosts/krita_scenarios) in it.

There are three: the machine's own, `native` (5.1.5 on Debian 12), and those in the chroots of
scripts/host-chroot, 5.2 in `trixie` and 6 in `unstable`. All use an Xvfb that we start.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from host_chroot import chroot_of
from xvfb import HostMissing

ROOT = Path(__file__).resolve().parents[2]
HOSTS = ROOT / "tests" / "hosts"
CACHE = Path(os.environ.get("INPAINT_HOSTS_DIR", "/var/tmp"))  # noqa: S108 (a cache, not a secret)
NO_FRAME = "<no Python frame>"  # in faulthandler's report: of the main thread
PACKAGES = ("krita", "python3-pyqt5", "xvfb", "xauth")


@dataclass(frozen=True)
class Run:
    """A finished run: the scenario's result and its output folder."""

    value: Any
    out: Path
    runtime: Path  # its XDG_RUNTIME_DIR
    log: str


RunKrita = Callable[..., Run]  # run_scenario with the other arguments bound


@dataclass(frozen=True)
class KritaHost:
    """A Krita; `root` is the root of its file system."""

    name: str
    root: Path
    version: str

    @property
    def scratch(self) -> Path:
        """Return a folder that both this process and the host can access."""
        return CACHE / "inpaint-work" if self.name == "native" else self.root / "work"

    def inside(self, path: Path) -> str:
        """Return the path inside the host's file system."""
        return str(Path("/") / path.relative_to(self.root))

    def command(self, environment: Mapping[str, str], arguments: list[str]) -> list[str]:
        words = ["env", "-i", *(f"{name}={value}" for name, value in environment.items())]
        words += arguments
        return words if self.name == "native" else ["chroot", str(self.root), *words]


def find(name: str) -> KritaHost:
    """Return the Krita called `native`, `trixie` or `unstable`; raise HostMissing without it."""
    if shutil.which("Xvfb") is None:
        raise HostMissing("Xvfb is not installed (apt-get install xvfb)")
    if name == "native":
        if shutil.which("krita") is None:
            raise HostMissing(f"Krita is not installed (apt-get install {' '.join(PACKAGES)})")
        root = Path("/")
    else:
        root = chroot_of(name)
    return KritaHost(name, root, _package_version(root))


def _package_version(root: Path) -> str:
    """Read the version from dpkg's records, since `krita --version` needs a display."""
    status = (root / "var/lib/dpkg/status").read_text(encoding="utf-8")
    found = re.search(r"^Package: krita\n(?:.+\n)*?Version: (?:\d+:)?([\d.]+)", status, re.M)
    return found.group(1) if found else "unknown"


def profile(host: KritaHost, display: str) -> Path:
    """Return a home folder in which this Krita has run once, which saves ten seconds."""
    made = host.scratch / f"krita-{host.version}-profile"
    if not made.exists():
        run = run_scenario(host, display, "noop", home=None)
        fresh = run.out.parent / "home"
        shutil.rmtree(fresh / ".local/share/krita/pykrita")
        fresh.rename(made)
    return made


def run_scenario(*arguments: Any, **named: Any) -> Run:
    """Run one scenario (see `_run_once`), and once more if Krita itself crashes.

    Debian's Krita 5.1 and 5.2 do so once in some hundred runs on a busy machine: in an event of
    their own, or while they exit. A crash in which our code takes part has Python frames in the
    main thread, and fails the test at once, as does a second crash.
    """
    try:
        return _run_once(*arguments, **named)
    except KritaCrashedError as crash:
        print(f"Krita crashed by itself; running the scenario again.\n{crash}", file=sys.stderr)
        return _run_once(*arguments, **named)


class KritaCrashedError(AssertionError):
    """Krita died of a signal while no Python code ran in its main thread."""


def _run_once(
    host: KritaHost,
    display: str,
    scenario: str,
    *,
    home: Path | None,
    arguments: Mapping[str, object] | None = None,
    environment: Mapping[str, str] | None = None,
    plugin: Path | None = None,
    files: Mapping[str, Path] | None = None,
    executable: Path | None = None,
    stored: Mapping[str, Path] | None = None,
    settings: str = "",
    opengl: bool = True,
    timeout: float = 120,
) -> Run:
    """Run one scenario in a separate home folder.

    `home` is copied. `plugin` is a folder whose contents go to Krita's pykrita folder. `files` are
    copied to the output folder under their keys. `executable` is set as the daemon's program.
    `stored` are the plug-in's settings from an earlier run, by their names. Without a GPU, OpenGL
    draws the canvas in software, which takes as much as a core while something is selected.

    Raises:
        AssertionError: the scenario failed; with the log and Krita's output.
    """
    folder = host.scratch / f"krita-{scenario}-{uuid.uuid4().hex[:8]}"
    out, pykrita = folder / "out", folder / "home/.local/share/krita/pykrita"
    if home is not None:
        shutil.copytree(home, folder / "home", symlinks=True)
    for made in (out, folder / "run", pykrita, folder / "home/.config"):
        made.mkdir(parents=True, exist_ok=True)
    (folder / "run").chmod(0o700)
    enabled = ["inpaint_driver"]
    shutil.copytree(HOSTS / "krita_driver", pykrita, dirs_exist_ok=True)
    shutil.copytree(HOSTS / "krita_scenarios", folder / "scenarios")
    if plugin is not None:
        ignore = shutil.ignore_patterns("*.action")  # goes to `actions`, as in Krita's importer
        shutil.copytree(plugin, pykrita, dirs_exist_ok=True, ignore=ignore)
        enabled.append("inpaint_krita")
        actions = folder / "home/.local/share/krita/actions"
        actions.mkdir(exist_ok=True)
        for action in plugin.glob("*.action"):
            shutil.copy(action, actions)
    for name, path in (files or {}).items():
        shutil.copy(path, out / name)
    lines = ["EnableHiDPI=true", settings, "[python]", *(f"enable_{name}=true" for name in enabled)]
    (folder / "home/.config/kritarc").write_text("\n".join(lines) + "\n", encoding="utf-8")

    if not opengl:
        display_settings = folder / "home/.config/kritadisplayrc"
        display_settings.write_text("OpenGLRenderer=none\n", encoding="utf-8")

    config = folder / "home/.config/inpaint"
    config.mkdir(exist_ok=True)
    for name, path in (stored or {}).items():
        shutil.copy(path, config / name)
    if executable is not None:
        shutil.copy(executable, out)
        choice = {"executable": host.inside(out / executable.name)}
        (config / "connection.json").write_text(json.dumps(choice), encoding="utf-8")

    home_inside = host.inside(folder / "home")
    variables = {
        "HOME": home_inside,
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "LANG": "C.UTF-8",
        "DISPLAY": display,
        "XDG_CONFIG_HOME": f"{home_inside}/.config",
        "XDG_DATA_HOME": f"{home_inside}/.local/share",
        "XDG_CACHE_HOME": f"{home_inside}/.cache",
        "XDG_RUNTIME_DIR": host.inside(folder / "run"),
        "TMPDIR": host.inside(folder / "run"),
        "INPAINT_TEST_OUT": host.inside(out),
        "INPAINT_TEST_SCENARIOS": host.inside(folder / "scenarios"),
        "INPAINT_TEST_SCENARIO": scenario,
        "INPAINT_TEST_ARGUMENTS": json.dumps(dict(arguments or {})),
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONFAULTHANDLER": "1",  # prints the traceback if Krita crashes
        **(environment or {}),
    }
    command = host.command(variables, ["krita", "--nosplash"])
    with (folder / "krita.log").open("wb") as words:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=words, stderr=words, start_new_session=True
        )
        code = _wait(process, timeout)
    run = _judge(folder, scenario, code)
    if home is not None:  # 90 MB; kept for inspection after a failure
        shutil.rmtree(folder / "home")
    return run


def _wait(process: subprocess.Popen[bytes], timeout: float) -> int | None:
    """Wait for the process; return its exit status, or None if it had to be killed."""
    end = time.monotonic() + timeout
    while process.poll() is None and time.monotonic() < end:
        time.sleep(0.05)
    if process.returncode is None:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        return None
    return process.returncode


def _judge(folder: Path, scenario: str, code: int | None) -> Run:
    out = folder / "out"
    log = (out / "driver.log").read_text("utf-8") if (out / "driver.log").exists() else ""
    words = (folder / "krita.log").read_text("utf-8", errors="replace")
    answer = out / "result.json"
    problem = ""
    if not answer.exists():
        problem = f"Krita ended ({'killed' if code is None else code}) without a result"
    else:
        result = json.loads(answer.read_text("utf-8"))
        if not result["ok"]:
            problem = result["error"]
        elif code != 0:
            problem = f"Krita's exit status is {code}"
    if problem:
        tail = "\n".join(words.splitlines()[-30:])
        told = f"{scenario}: {problem}\n--- {folder}\n{log}\n--- Krita:\n{tail}"
        failed = answer.exists() and not result["ok"]
        died = code is not None and code < 0 and NO_FRAME in words
        raise KritaCrashedError(told) if died and not failed else AssertionError(told)
    return Run(result["value"], out, folder / "run", log)
