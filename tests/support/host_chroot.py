"""The chroots of scripts/host-chroot, with hosts of other releases."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from xvfb import HostMissing

ROOT = Path(__file__).resolve().parents[2]


def chroot_of(release: str) -> Path:
    """Return the root of a release's chroot; raise HostMissing if it cannot be used."""
    if os.geteuid() != 0:
        raise HostMissing("a chroot needs root")
    answer = subprocess.run(
        [ROOT / "scripts" / "host-chroot", "path", release],
        capture_output=True,
        text=True,
        check=False,
    )
    if answer.returncode:
        raise HostMissing(
            f"the chroot of Debian {release} is not built (sudo scripts/host-chroot {release})"
        )
    return Path(answer.stdout.strip())
