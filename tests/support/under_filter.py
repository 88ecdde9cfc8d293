"""Run a program with the system call filter of a systemd unit.

    python tests/support/under_filter.py UNIT PROGRAM [ARGUMENT...]

systemd does not have to be running: `systemd-analyze` lists the groups, and libseccomp applies the
filter.
"""

from __future__ import annotations

import ctypes
import errno
import os
import re
import subprocess
import sys
from pathlib import Path

ALLOW, REFUSE = 0x7FFF0000, 0x00050000 | errno.EPERM


def calls_of(group: str) -> set[str]:
    """Return the system calls of a group, e.g. @system-service, including nested groups."""
    listed = subprocess.run(
        ["systemd-analyze", "syscall-filter", group], capture_output=True, text=True, check=True
    )
    found: set[str] = set()
    for line in listed.stdout.splitlines()[1:]:
        name = line.strip()
        if name.startswith("@"):
            found |= calls_of(name)
        elif name and not name.startswith("#"):
            found.add(name)
    return found


def allowed_by(unit: str) -> set[str]:
    """Return the calls that a unit's SystemCallFilter allows, always including @default."""
    allowed = calls_of("@default")
    for line in re.findall(r"^SystemCallFilter=(.*)$", unit, re.MULTILINE):
        for group in line.removeprefix("~").split():
            if line.startswith("~"):
                allowed -= calls_of(group)
            else:
                allowed |= calls_of(group)
    return allowed


def load(allowed: set[str]) -> None:
    """Restrict this process and its children to these calls."""
    seccomp = ctypes.CDLL("libseccomp.so.2", use_errno=True)
    seccomp.seccomp_init.restype = ctypes.c_void_p
    context = ctypes.c_void_p(seccomp.seccomp_init(ctypes.c_uint32(REFUSE)))
    for name in allowed:
        number = seccomp.seccomp_syscall_resolve_name(name.encode())
        if number >= 0:  # it exists on this architecture
            seccomp.seccomp_rule_add_array(context, ctypes.c_uint32(ALLOW), number, 0, None)
    if seccomp.seccomp_load(context) != 0:
        raise OSError("the filter cannot be loaded")


if __name__ == "__main__":
    load(allowed_by(Path(sys.argv[1]).read_text("utf-8")))
    os.execv(sys.argv[2], sys.argv[2:])  # noqa: S606
