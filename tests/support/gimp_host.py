"""Start a real GIMP 3 unattended and run Python in it, with or without a window.

There are two, in the chroots of scripts/host-chroot: 3.0 in `trixie` and 3.2 in `unstable`. A
symbolic link in the chroot makes the outer paths of its files valid inside, so that both sides use
the same names and no mounts are needed.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from host_chroot import chroot_of

ROOT = Path(__file__).resolve().parents[2]
SCENARIOS = ROOT / "tests" / "hosts" / "gimp_scenarios"
_GIMPRC = "(show-welcome-dialog no)\n(check-updates no)\n"
_SILENT = "--stack-trace-mode=never"
# GIMP 3.2 decodes icons in bubblewrap sandboxes, which cannot be created in a chroot.
_NO_SANDBOX = """#!/bin/sh
while [ $# -gt 0 ]; do
  case $1 in /usr/libexec/glycin-loaders/*) exec "$@" ;; esac
  shift
done
"""


@dataclass(frozen=True)
class GimpHost:
    """A GIMP; `root` is the root of its file system."""

    root: Path

    @property
    def scratch(self) -> Path:
        return self.root / "work"

    @property
    def console(self) -> str:
        """Return the name of the program without a window, e.g. gimp-console-3.0."""
        (program,) = self.root.glob("usr/bin/gimp-console-3.?")
        return program.name

    @property
    def window(self) -> str:
        """Return the name of the program with a window, e.g. gimp-3.0."""
        return self.console.replace("-console", "")

    def command(self, environment: Mapping[str, str], arguments: list[str]) -> list[str]:
        variables = [f"{name}={value}" for name, value in environment.items()]
        return ["chroot", str(self.root), "env", "-i", *variables, *arguments]


def find(release: str = "trixie") -> GimpHost:
    """Return the GIMP of a chroot; raise HostMissing with the reason if there is none."""
    host = GimpHost(chroot_of(release))
    daemon_connection = host.root / host.root.relative_to("/")
    if not daemon_connection.is_symlink():
        daemon_connection.parent.mkdir(parents=True, exist_ok=True)
        daemon_connection.symlink_to("/")
    return host


@dataclass(frozen=True)
class Result:
    """A scenario's result and GIMP's output."""

    value: dict[str, Any]
    log: str


@dataclass
class Profile:
    """One user of GIMP with separate folders, with or without our plug-in."""

    host: GimpHost
    folder: Path
    environment: dict[str, str] = field(default_factory=dict)
    settings: str = ""  # more lines of gimprc, for GIMPs with a window

    @property
    def gimp_folder(self) -> Path:
        return self.folder / "gimp3"

    @property
    def plug_ins(self) -> Path:
        return self.gimp_folder / "plug-ins"

    @property
    def memory(self) -> Path:
        """Return the file in which the plug-in remembers that the tour was seen."""
        return self.folder / "config" / "inpaint" / "gimp.json"

    @property
    def runtime(self) -> Path:
        return self.folder / "run"

    @property
    def out(self) -> Path:
        return self.folder / "out"

    def variables(self) -> dict[str, str]:
        return {
            "HOME": str(self.folder / "home"),
            "PATH": f"{self.folder / 'bin'}:/usr/bin:/bin",
            "LANG": "C.UTF-8",
            "GIMP3_DIRECTORY": str(self.gimp_folder),
            "XDG_RUNTIME_DIR": str(self.runtime),
            "XDG_CACHE_HOME": str(self.folder / "cache"),
            "XDG_CONFIG_HOME": str(self.folder / "config"),
            "PYTHONDONTWRITEBYTECODE": "1",
            "INPAINT_LOG": "INFO",
            **self.environment,
        }

    def console(self, scenario: str, *, timeout_s: float = 120, **arguments: object) -> Result:
        """Run one scenario file in a GIMP without a window."""
        answer = self._prepare()
        code = self._code(scenario, answer, arguments)
        status, text = self.batch("python-fu-eval", code, self.out, timeout_s)
        return self._judge(scenario, answer, text, status)

    def batch(
        self, interpreter: str, code: str, folder: Path, timeout_s: float = 120
    ) -> tuple[int | None, str]:
        """Run `code` in GIMP; return the exit status (None if it was killed) and the output."""
        self.out.mkdir(exist_ok=True)
        command = [
            *(
                "env",
                "-C",
                str(folder),
                self.host.console,
                "-i",
                "-d",
                "-f",
                _SILENT,
            ),
            *(f"--batch-interpreter={interpreter}", "-b", code, "--quit"),
        ]
        log = self.out / "gimp.log"
        with log.open("wb") as words:
            process = subprocess.Popen(
                self.host.command(self.variables(), command),
                stdin=subprocess.DEVNULL,
                stdout=words,
                stderr=words,
                start_new_session=True,
            )
            status = _wait(process, timeout_s)
        return status, log.read_text("utf-8", "replace")

    def _prepare(self) -> Path:
        self.out.mkdir(exist_ok=True)
        return self.out / f"result-{uuid.uuid4().hex[:8]}.json"

    def _code(self, scenario: str, answer: Path, arguments: Mapping[str, object]) -> str:
        """Return Python code that runs the scenario and writes its result."""
        scripts = self.folder / "scenarios"
        if not scripts.exists():
            shutil.copytree(SCENARIOS, scripts, ignore=shutil.ignore_patterns("__pycache__"))
        values = {"out": str(self.out), **arguments}
        return (
            f"import sys; sys.path.insert(0, {str(scripts)!r}); "
            f"import runner; runner.run({scenario!r}, {str(answer)!r}, {json.dumps(values)!r})"
        )

    def _judge(self, scenario: str, answer: Path, log: str, status: int | None) -> Result:
        problem = ""
        if not answer.exists():
            problem = f"GIMP ended ({'killed' if status is None else status}) without a result"
        else:
            content = json.loads(answer.read_text("utf-8"))
            if not content["ok"]:
                problem = content["error"]
            elif status != 0:
                problem = f"GIMP's exit status is {status}"
        if problem:
            tail = "\n".join(log.splitlines()[-30:])
            raise AssertionError(f"{scenario}: {problem}\n--- {self.folder}\n{tail}")
        return Result(content["value"], log)

    @contextmanager
    def window(self, display: str) -> Iterator[LiveGimp]:
        """Run a GIMP with a window during the block, and with fonts, for contact sheets."""
        (self.gimp_folder / "gimprc").write_text(_GIMPRC + self.settings)
        self.out.mkdir(exist_ok=True)
        bus = self.folder / "bus"
        shell = f"echo $DBUS_SESSION_BUS_ADDRESS >{bus}; exec {self.host.window} -s {_SILENT}"
        variables = {**self.variables(), "DISPLAY": display}
        with (self.out / "window.log").open("wb") as words:
            process = subprocess.Popen(
                self.host.command(variables, ["dbus-run-session", "--", "sh", "-c", shell]),
                stdin=subprocess.DEVNULL,
                stdout=words,
                stderr=words,
                start_new_session=True,
            )
            try:
                yield LiveGimp(self, variables, bus, process)
            finally:
                _stop(process)


@dataclass
class LiveGimp:
    """A running GIMP with a window, which runs Python and receives keys and clicks."""

    profile: Profile
    variables: dict[str, str]
    bus: Path
    process: subprocess.Popen[bytes]

    def start(self, scenario: str, **arguments: object) -> Path:
        """Wait for GIMP and start a scenario; return the path of its result."""
        answer = self.profile._prepare()
        code = self.profile._code(scenario, answer, arguments)
        wait_for(lambda: self._send(code), "GIMP to take Python on its bus", 60)
        return answer

    def result(self, answer: Path, timeout_s: float = 60) -> dict[str, Any]:
        """Wait for the result of a started scenario and return it."""
        wait_for(answer.exists, "the scenario's result", timeout_s)
        content = json.loads(answer.read_text("utf-8"))
        assert content["ok"], f"{content.get('error')}\n{self.log()}"
        return dict(content["value"])

    def run(self, scenario: str, **arguments: object) -> dict[str, Any]:
        return self.result(self.start(scenario, **arguments))

    def log(self) -> str:
        return (self.profile.out / "window.log").read_text("utf-8", "replace")

    def key(self, window: str, *keys: str) -> None:
        """Wait for the window whose title matches, and press keys in it."""
        number = self.find_window(window)
        self.xdotool("windowfocus", "--sync", number)
        self.xdotool("key", "--clearmodifiers", *keys)

    def click(self, x: int, y: int) -> None:
        self.xdotool("mousemove", str(x), str(y), "click", "1")
        self.move_away()

    def move_away(self) -> None:
        """Move the mouse to the corner, so that no tooltip covers the window."""
        self.xdotool("mousemove", "1365", "767")

    def find_window(self, title: str, timeout_s: float = 30) -> str:
        found: list[str] = []

        def find_window() -> bool:
            answer = self.xdotool("search", "--onlyvisible", "--name", title, may_fail=True)
            found[:] = answer.split()
            return bool(found)

        wait_for(find_window, f"the window “{title}”", timeout_s)
        return found[-1]

    def has_window(self, title: str) -> bool:
        return bool(self.xdotool("search", "--onlyvisible", "--name", title, may_fail=True))

    def xdotool(self, *words: str, may_fail: bool = False) -> str:
        answer = subprocess.run(
            ["xdotool", *words],
            env={**os.environ, "DISPLAY": self.variables["DISPLAY"]},
            capture_output=True,
            text=True,
            check=not may_fail,
            timeout=30,
        )
        return answer.stdout.strip()

    def _send(self, code: str) -> bool:
        if self.process.poll() is not None:
            raise AssertionError(f"GIMP has exited\n{self.log()}")
        if not self.bus.exists():
            return False
        variables = {**self.variables, "DBUS_SESSION_BUS_ADDRESS": self.bus.read_text().strip()}
        command = [
            *("dbus-send", "--session", "--print-reply", "--dest=org.gimp.GIMP.UI"),
            *("/org/gimp/GIMP/UI", "org.gimp.GIMP.UI.BatchRun"),
            *("string:python-fu-eval", f"string:{code}"),
        ]
        answer = subprocess.run(
            self.profile.host.command(variables, command), capture_output=True, check=False
        )
        return answer.returncode == 0


def wait_for(condition: Callable[[], bool], what: str, timeout_s: float) -> None:
    """Wait until `condition` is true; `what` is for the message of the AssertionError."""
    end = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > end:
            raise AssertionError(f"waited {timeout_s:.0f} s for {what}")
        time.sleep(0.1)


def new_profile(
    host: GimpHost,
    plug_in: Path | None = None,
    like: Profile | None = None,
    environment: Mapping[str, str] | None = None,
) -> Profile:
    """Make a user of GIMP.

    `plug_in` is the folder inpaint-gimp/. `like` is a profile in which GIMP has run once; its cache
    of the other plug-ins saves some seconds. The user has seen the tour; newcomers lack the file
    `memory`.
    """
    folder = host.scratch / f"gimp-{uuid.uuid4().hex[:8]}"
    profile = Profile(host, folder, dict(environment or {}))
    for made in (profile.plug_ins, profile.runtime, folder / "home", folder / "bin"):
        made.mkdir(parents=True)
    profile.runtime.chmod(0o700)
    profile.memory.parent.mkdir(parents=True)
    profile.memory.write_text('{"tour_seen": true}')
    (folder / "bin/bwrap").write_text(_NO_SANDBOX, encoding="utf-8")
    (folder / "bin/bwrap").chmod(0o755)
    if like is not None:
        for name in ("pluginrc", "gimprc"):
            if (like.gimp_folder / name).exists():
                shutil.copy2(like.gimp_folder / name, profile.gimp_folder)
    if plug_in is not None:
        shutil.copytree(plug_in, profile.plug_ins / "inpaint-gimp")
    return profile


def _wait(process: subprocess.Popen[bytes], timeout_s: float) -> int | None:
    """Wait for the process; return its exit status, or None if it had to be killed."""
    try:
        return process.wait(timeout_s)
    except subprocess.TimeoutExpired:
        _stop(process)
        return None


def _stop(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
