"""What the machine, control groups and limits leave, read from trees of files like the kernel's."""

from __future__ import annotations

import resource
import subprocess
import sys
from pathlib import Path

import pytest
from inpaint_server.models.free_memory import UNLIMITED, free_memory

MIB = 1 << 20
GIB = 1 << 30


class Machine:
    """A process file system, and control groups of one version."""

    def __init__(self, folder: Path, available: int = 16 * GIB) -> None:
        self.proc, self.groups = folder / "proc", folder / "cgroup"
        self._write(self.proc / "meminfo", f"MemTotal: 1 kB\nMemAvailable: {available >> 10} kB\n")

    def in_groups(self, path: str, *, version: int, root: str = "/") -> None:
        controllers = "cpu,memory" if version == 1 else ""
        kind, options = ("cgroup", "rw,memory") if version == 1 else ("cgroup2", "rw")
        self._write(self.proc / "self/cgroup", f"9:name=x:/\n4:{controllers}:{path}\n")
        self._write(
            self.proc / "self/mountinfo",
            f"30 25 0:26 / /proc rw - proc proc rw\n"
            f"35 30 0:30 {root} {self.groups} rw shared:9 - {kind} cgroup {options}\n",
        )

    def group(self, path: str, **files: int | str) -> None:
        for name, value in files.items():
            self._write(self.groups / path / name.replace("__", "."), f"{value}\n")

    def free(self) -> int | None:
        return free_memory(self.proc)

    @staticmethod
    def _write(path: Path, text: str) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def test_without_groups_it_is_what_the_machine_has_available(tmp_path: Path) -> None:
    assert Machine(tmp_path).free() == 16 * GIB


@pytest.mark.parametrize("limit", ["memory__max", "memory__high"])
def test_a_group_of_version_2_has_its_limit_less_what_is_used(tmp_path: Path, limit: str) -> None:
    machine = Machine(tmp_path)
    machine.in_groups("/user/daemon", version=2)
    machine.group("", memory__current=9 * GIB)  # the root has no limits
    machine.group("user", memory__max="max", memory__high="max", memory__current=5 * GIB)
    machine.group("user/daemon", memory__max="max", memory__current=512 * MIB)
    machine.group("user/daemon", **{limit: 2 * GIB})
    machine.group("user/daemon", memory__stat=f"anon 1\ninactive_file {100 * MIB}")
    assert machine.free() == 2 * GIB - 412 * MIB


def test_a_group_above_may_be_the_tighter_one(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    machine.in_groups("/a/b/c", version=2)
    machine.group("a", memory__max=4 * GIB, memory__current=3 * GIB)
    machine.group("a/b", memory__max=8 * GIB, memory__current=3 * GIB)
    assert machine.free() == GIB


def test_a_container_sees_its_own_group_as_the_root(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    machine.in_groups("/", version=2)
    machine.group("", memory__max=2 * GIB, memory__current=MIB)
    assert machine.free() == 2 * GIB - MIB
    machine.in_groups("/docker/1234", version=2, root="/docker/1234")
    assert machine.free() == 2 * GIB - MIB
    machine.in_groups("/../elsewhere", version=2)
    assert machine.free() == 2 * GIB - MIB


def test_version_1_has_other_names_and_a_number_for_no_limit(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    machine.in_groups("/docker/1", version=1)
    machine.group("", memory__limit_in_bytes=UNLIMITED * 7, memory__usage_in_bytes=9 * GIB)
    machine.group("docker/1", memory__limit_in_bytes=3 * GIB, memory__usage_in_bytes=GIB)
    machine.group("docker/1", memory__stat=f"cache 1\ntotal_inactive_file {MIB}")
    assert machine.free() == 2 * GIB + MIB


def test_a_group_that_is_full_leaves_nothing(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    machine.in_groups("/a", version=2)
    machine.group("a", memory__max=GIB, memory__current=GIB + MIB)
    assert machine.free() == 0


def test_limits_of_the_process_count() -> None:
    """Run in a separate process, because a limit cannot be raised again."""
    program = (
        "import resource; from inpaint_server.models.free_memory import free_memory\n"
        "hard = resource.getrlimit(resource.RLIMIT_DATA)[1]\n"
        f"resource.setrlimit(resource.RLIMIT_DATA, ({GIB}, hard))\n"
        "print(free_memory())"
    )
    told = subprocess.run([sys.executable, "-c", program], stdout=subprocess.PIPE, check=True)
    assert 0 < int(told.stdout) < GIB
    assert resource.getrlimit(resource.RLIMIT_DATA)[0] != GIB  # not of this one
