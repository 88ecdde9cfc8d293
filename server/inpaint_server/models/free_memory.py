"""How much more memory this process may use.

This is the minimum of the machine's available memory, the remaining memory of each control group of
the process (versions 1 and 2, up to the root of the visible hierarchy), and its resource limits.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

PROC = Path("/proc")
UNLIMITED = 1 << 60  # bytes; version 1 represents "no limit" by a number this large


def free_memory(proc: Path = PROC) -> int | None:
    """Return the number of bytes that may still be used; None if it is unknown.

    Args:
        proc: the process file system.
    """
    found = [*_of_machine(proc), *_of_groups(proc), *_of_process(proc)]
    return max(0, min(found)) if found else None


def _of_machine(proc: Path) -> Iterator[int]:
    available = _field(proc / "meminfo", "MemAvailable:")
    if available is not None:
        yield available << 10
    elif sys.platform == "win32":
        yield from _of_windows()
    elif "SC_PHYS_PAGES" in os.sysconf_names:  # the free part is unknown, so assume half
        yield os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2


def _of_windows() -> Iterator[int]:
    import ctypes

    class Status(ctypes.Structure):
        _fields_ = (
            ("length", ctypes.c_ulong),
            ("load", ctypes.c_ulong),
            *((name, ctypes.c_ulonglong) for name in ("total", "available", *"abcde")),
        )

    status = Status(length=ctypes.sizeof(Status))
    if ctypes.windll.kernel32.GlobalMemoryStatusEx(ctypes.byref(status)):  # type: ignore[attr-defined, unused-ignore]
        yield int(status.available)


def _of_groups(proc: Path) -> Iterator[int]:
    """Yield the remaining memory of each control group, from the process's own to the topmost."""
    paths = dict(_groups(proc))
    for kind, root, mount in _mounts(proc):
        path = paths.get(kind)
        if path is None:
            continue
        inside = Path(path)
        inside = inside.relative_to(root) if inside.is_relative_to(root) else Path()
        if ".." in inside.parts:  # a group that is not visible from here
            inside = Path()
        folder = mount / inside
        left = _left_of_1 if kind == "memory" else _left_of_2
        for each in (folder, *folder.parents):
            if each.is_relative_to(mount):
                yield from left(each)


def _groups(proc: Path) -> Iterator[tuple[str, str]]:
    """Yield the paths of this process's groups: of controller `memory`, and of version 2 ("")."""
    for line in _lines(proc / "self" / "cgroup"):
        _, controllers, path = line.split(":", 2)
        if not controllers or "memory" in controllers.split(","):
            yield "memory" if controllers else "", path


def _mounts(proc: Path) -> Iterator[tuple[str, Path, Path]]:
    """Yield the mounts of control groups: the kind, the group at the root, and the mount point."""
    for line in _lines(proc / "self" / "mountinfo"):
        where, _, what = line.partition(" - ")
        fields, (kind, _, options) = where.split(" "), what.split(" ", 2)
        root, mount = (Path(text.replace("\\040", " ")) for text in fields[3:5])
        if kind == "cgroup2":
            yield "", root, mount
        elif kind == "cgroup" and "memory" in options.split(","):
            yield "memory", root, mount


def _left_of_1(folder: Path) -> Iterator[int]:
    limit = _number(folder / "memory.limit_in_bytes")
    used = _number(folder / "memory.usage_in_bytes")
    if limit is not None and used is not None and limit < UNLIMITED:
        yield limit - used + (_field(folder / "memory.stat", "total_inactive_file") or 0)


def _left_of_2(folder: Path) -> Iterator[int]:
    used = _number(folder / "memory.current")
    for name in ("memory.max", "memory.high"):
        limit = _number(folder / name)
        if limit is not None and used is not None:
            yield limit - used + (_field(folder / "memory.stat", "inactive_file") or 0)


def _of_process(proc: Path) -> Iterator[int]:
    """Yield the remaining memory under `ulimit -v` and `ulimit -d`."""
    if sys.platform == "win32":
        return
    import resource

    for limit, field in ((resource.RLIMIT_AS, "VmSize:"), (resource.RLIMIT_DATA, "VmData:")):
        most = resource.getrlimit(limit)[0]
        taken = _field(proc / "self" / "status", field)
        if most != resource.RLIM_INFINITY and taken is not None:
            yield most - (taken << 10)


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text("utf-8", "replace").splitlines()
    except OSError:
        return []


def _number(path: Path) -> int | None:
    """Return the number in a file; None if it is missing or "max"."""
    text = "".join(_lines(path)[:1]).strip()
    return int(text) if text.isdecimal() else None


def _field(path: Path, name: str) -> int | None:
    """Return the number that follows a name at the beginning of a line."""
    for line in _lines(path):
        first, *rest = line.split()
        if first == name and rest and rest[0].isdecimal():
            return int(rest[0])
    return None
