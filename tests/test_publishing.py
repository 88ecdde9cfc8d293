"""Everything that GitHub's workflows run exists, and a release lists its changes."""

from __future__ import annotations

import re
import tomllib
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[1]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))


def loaded(script: str) -> Any:
    """Load a script without a suffix as a module."""
    loader = SourceFileLoader(script.replace("-", "_"), str(ROOT / "scripts" / script))
    spec = spec_from_loader(loader.name, loader)
    assert spec is not None
    module = module_from_spec(spec)
    loader.exec_module(module)
    return module


notes = loaded("release-notes").notes


def commands(path: Path) -> list[str]:
    """Return all shell commands of a workflow."""
    jobs = yaml.safe_load(path.read_text("utf-8"))["jobs"].values()
    return [step["run"] for job in jobs for step in job.get("steps", []) if "run" in step]


def make_targets() -> set[str]:
    return set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.M))


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_what_a_workflow_runs_exists(path: Path) -> None:
    text = "\n".join(commands(path)) or "no commands"
    made = set(re.findall(r"^make ([a-z-]+)", text, re.M))
    scripts = set(re.findall(r"^(scripts/[a-z-]+|examples/[\w.]+)", text, re.M))
    assert made <= make_targets()
    assert all((ROOT / script).stat().st_mode & 0o111 for script in scripts)
    assert made or scripts


def test_hooks_before_a_commit_run_targets_that_exist() -> None:
    config = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text("utf-8"))
    entries = [hook["entry"] for repo in config["repos"] for hook in repo["hooks"]]
    made = {entry.split()[1] for entry in entries if entry.startswith("make ")}
    assert made
    assert made <= make_targets()


def test_the_oldest_python_that_is_allowed_is_tested() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "test.yml").read_text("utf-8"))
    pythons = workflow["jobs"]["test"]["strategy"]["matrix"]["python"]
    assert project["requires-python"] == f">={pythons[0]}"
    assert pythons == sorted(pythons, key=lambda version: int(version.partition(".")[2]))


CHANGELOG = """# Changelog

## [Unreleased]

### Added
- Something to come.

## [1.1.0] - 2026-12-01

### Fixed
- A fault.

## [1.0.0] - 2026-11-01

- The first.

## [0.9.0]

- Without a date.

## [0.8.0] - 2026-10-01
"""


@pytest.mark.parametrize(
    ("version", "text"), [("1.1.0", "### Fixed\n- A fault."), ("1.0.0", "- The first.")]
)
def test_the_notes_of_a_release_are_its_part_of_the_changelog(version: str, text: str) -> None:
    assert notes(CHANGELOG, version) == text


@pytest.mark.parametrize(
    ("version", "reason"),
    [
        ("1.2.0", r"no section '## \[1.2.0\] - YYYY-MM-DD'"),
        ("Unreleased", "no date"),
        ("0.9.0", "no date"),
        ("0.8.0", "is empty"),
        ("1.0", "no section"),
    ],
)
def test_a_release_without_notes_is_refused(version: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        notes(CHANGELOG, version)


def test_the_changelog_has_a_part_for_what_comes() -> None:
    assert "## [Unreleased]" in (ROOT / "CHANGELOG.md").read_text("utf-8")
