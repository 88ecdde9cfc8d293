"""`inpaint plugins doctor`, which checks every step from the editor to a fill."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

from inpaint_client import (
    BlockingClient,
    Box,
    Candidate,
    Capture,
    DaemonInfo,
    DaemonNotFoundError,
    Endpoint,
    Extent,
    FillJob,
    InpaintError,
    Picture,
    connection_file,
    ensure_daemon,
    find_daemon,
)
from inpaint_client.daemon import find_command
from inpaint_client.discovery import is_local_choice

from . import gimp, krita
from .finding import Finding

HOSTS = {"krita": krita.examine, "gimp": gimp.examine}
_SIDE = 256  # side of the test image, px
_HOLE = Box(96, 96, 64, 64)


def examine(host: str | None, say: Callable[[str], None] = print) -> int:
    """Check one host or both, and the daemon, and print the problems with their remedies.

    Returns:
        0 if an artist can fill, else 1. If both hosts are checked, it is enough if one works,
        because few artists have both.
    """
    broken: set[str] = set()
    for name in [host] if host else HOSTS:
        for finding in HOSTS[name]():
            _say(finding, say)
            broken |= {name} if finding.problem else set()
    hosts_work = len(broken) < (1 if host else len(HOSTS))
    daemon_works = True
    for finding in examine_daemon():
        _say(finding, say)
        daemon_works = daemon_works and not finding.problem
    return 0 if hosts_work and daemon_works else 1


def _say(finding: Finding, say: Callable[[str], None]) -> None:
    for line in finding.lines:
        say(line)


def examine_daemon() -> Iterator[Finding]:
    """Find or start the configured daemon, and fill a small image with it."""
    settings = connection_file().load()
    try:
        endpoint, was_running = find_daemon(settings), True
    except DaemonNotFoundError as error:
        if not is_local_choice(settings):
            yield _problem("daemon", error)
            return
        was_running = False
    except InpaintError as error:  # a malformed address
        yield _problem("daemon", error)
        return
    start = time.monotonic()
    try:
        if not was_running:
            yield Finding("program of the daemon", find_command(settings.executable)[-1])
            endpoint = ensure_daemon(settings)
        with BlockingClient(lambda: endpoint) as client:
            info = client.info()
            yield Finding("daemon", _about(info, endpoint, was_running, time.monotonic() - start))
            start = time.monotonic()
            for event in client.fill(_small_job()):
                if isinstance(event, Candidate):
                    break
        yield Finding("fill", f"received a candidate after {time.monotonic() - start:.1f} s")
    except InpaintError as error:
        yield _problem("daemon", error)


def _about(info: DaemonInfo, endpoint: Endpoint, was_running: bool, seconds: float) -> str:
    how = "already running" if was_running else f"started in {seconds:.0f} s"
    return f"version {info.version} on {info.device}, {how}, at {endpoint}"


def _problem(what: str, error: InpaintError) -> Finding:
    return Finding(what, problem=error.message, remedy=error.remedy or "See the daemon's log.")


def _small_job() -> FillJob:
    """Return a request to fill a hole in the middle of a gray square."""
    hole = bytearray(_SIDE * _SIDE)
    for y in range(_HOLE.y, _HOLE.y + _HOLE.height):
        start = y * _SIDE + _HOLE.x
        hole[start : start + _HOLE.width] = b"\xff" * _HOLE.width
    return FillJob(
        capture=Capture(
            crop=Picture(_SIDE, _SIDE, 3, b"\x80" * (3 * _SIDE * _SIDE)),
            hole=Picture(_SIDE, _SIDE, 1, hole),
            crop_box=Box(0, 0, _SIDE, _SIDE),
            document=Extent(_SIDE, _SIDE),
        ),
        seeds=(0,),
    )
