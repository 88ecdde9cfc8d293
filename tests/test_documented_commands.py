"""All commands in the documents and help texts are valid, and those for artists work as written.

Each command is parsed completely by its program's parser, so that no documented option, level or
direction is missing. The commands of the guide are then run in order with the shipped model.
"""

from __future__ import annotations

import argparse
import itertools
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from daemons import DaemonProcess
from documented_commands import PAGES, ROOT, Command, commands_in_help, commands_of
from inpaint_cli.cli import EPILOG as INPAINT_EPILOG
from inpaint_cli.cli import parser as inpaint_parser
from inpaint_client.example import MASK, PORTRAIT
from inpaint_model.bundle.manifest import bundled, read_bundle
from inpaint_model.cli.main import COMMANDS
from inpaint_model.cli.main import _parser as model_parser
from inpaint_model.cli.train import detail as train_detail
from inpaint_model.cli.train import framer as train_framer
from inpaint_model.cli.train import generator as train_generator
from inpaint_model.cli.train import inpainter as train_inpainter
from inpaint_server.cli import EPILOG as SERVER_EPILOG
from inpaint_server.cli import parser as server_parser

# System programs that change the system or are not installed everywhere.
OTHERS = {
    "apt-get", "cp", "curl", "docker", "envoy", "flatpak", "gimp-console-3.0", "git", "kill",
    "openssl", "pip", "podman", "python3", "systemctl", "systemd-analyze", "unzip", "buf",
    "~/inpaint/bin/pip", "cosign", "export", "ray", "serve", "sha256sum",
}  # fmt: skip

HELP = [
    *commands_in_help(INPAINT_EPILOG, "inpaint --help"),
    *commands_in_help(SERVER_EPILOG, "inpaint-server --help"),
    *(
        command
        for part in (train_detail, train_framer, train_generator, train_inpainter)
        for command in commands_in_help(part.__doc__ or "", f"{part.__name__} --help")
    ),
]
SHOWN = [command for page in PAGES for command in commands_of(page)] + HELP
OFFERED = {d.name for d in read_bundle(bundled("portrait")).directions if d.offered}


def words_of(program: str) -> list[Command]:
    return [command for command in SHOWN if command.program == program]


def test_no_command_escapes() -> None:
    known = {"inpaint", "inpaint-server", "inpaint-model", "make", "python", ".venv/bin/python"}
    unknown = [
        str(command)
        for command in SHOWN
        if command.is_whole
        and command.program not in known | OTHERS
        and not command.program.startswith("scripts/")
    ]
    # What is no command stands in a fence of its own kind: ```text, ```json and so on.
    assert not unknown, "\n".join(unknown)
    assert len(words_of("inpaint")) > 30
    assert len(words_of("inpaint-model")) > 15


@pytest.mark.parametrize("command", words_of("inpaint") + words_of("inpaint-server"), ids=str)
def test_parser_reads_it(command: Command) -> None:
    parser = inpaint_parser() if command.program == "inpaint" else server_parser()
    read(parser, command)


@pytest.mark.parametrize("command", words_of("inpaint-model"), ids=str)
def test_trainer_reads_it(command: Command) -> None:
    chosen = command.words[1] if command.words[1:] else None
    assert chosen in {None, "--help"} | {each.name for each in COMMANDS}, f"no command {chosen}"
    read(model_parser(chosen), command)


@pytest.mark.parametrize("command", SHOWN, ids=str)
def test_it_names_directions_that_the_portrait_model_has(command: Command) -> None:
    words = command.words
    if command.program not in ("inpaint", ".venv/bin/inpaint"):
        return
    values = [
        part.partition("=")[0]
        for option, value in itertools.pairwise(words)
        if option in ("--edit", "--variant")
        for part in value.split(",")
    ]
    assert {name for name in values if name.islower()} <= OFFERED, str(command)


@pytest.mark.parametrize("command", words_of("make"), ids=str)
def test_make_knows_the_target(command: Command) -> None:
    makefile = (ROOT / "Makefile").read_text("utf-8")
    targets = [word for word in command.words[1:] if re.fullmatch(r"[a-z][a-z-]*", word)]
    known = set(re.findall(r"^([a-z][a-z-]*):", makefile, re.M))
    assert set(targets) <= known


@pytest.mark.parametrize("command", [c for c in SHOWN if c.program.startswith("scripts/")], ids=str)
def test_script_exists_and_has_the_options(command: Command) -> None:
    path = ROOT / command.program
    assert os.access(path, os.X_OK), f"{command.program} cannot be run"
    source = path.read_text("utf-8")
    for option in (word for word in command.words[1:] if word.startswith("--") and len(word) > 2):
        name = option.partition("=")[0]
        # Scripts pass what follows `--` to the trainer.
        assert name in source or "--" in command.words, f"{command.program} has no {name}"


@pytest.mark.parametrize(
    "command",
    [c for c in SHOWN if c.words[1:2] == ("-m",) and "python" in c.program],
    ids=str,
)
def test_module_exists_and_has_the_options(command: Command) -> None:
    module, *words = command.words[2:]
    if not module.startswith("benchmarks.") or module == "benchmarks.NAME":
        return  # pytest, venv and pip; our own modules are tested under their command names
    assert (ROOT / Path(*module.split("."))).with_suffix(".py").exists()
    source = "".join(path.read_text("utf-8") for path in (ROOT / "benchmarks").glob("*.py"))
    own = words[: words.index("--")] if "--" in words else words
    for option in (word for word in own if word.startswith("--")):
        assert f'"{option}"' in source, f"{module} has no {option}"


def read(parser: argparse.ArgumentParser, command: Command) -> None:
    """Parse a command; allow missing arguments if it is only part of a command line."""
    words = list(command.words[1:])
    whole = command.is_whole and "..." not in words and "…" not in words
    if not whole:
        words = [word for word in words if word not in ("...", "…")]
        forgive(parser)
    try:
        parser.parse_args(words)
    except SystemExit as stop:
        if stop.code != 0:
            pytest.fail(str(command))
    except ValueError as error:
        pytest.fail(f"{command}: {error}")


def forgive(parser: argparse.ArgumentParser) -> None:
    """Make all arguments optional, so that only the given ones are checked."""
    for group in parser._mutually_exclusive_groups:
        group.required = False
    for action in parser._actions:
        action.required = False
        if isinstance(action, argparse._SubParsersAction):
            for each in action.choices.values():
                forgive(each)
        elif not action.option_strings and action.nargs is None:
            action.nargs = "?"
        elif not action.option_strings and action.nargs == "+":
            action.nargs = "*"


RUN = (
    "README.md",
    "docs/guide/command-line.md",
    "docs/guide/old-photographs.md",
    "docs/train/edits.md",
    "inpaint --help",
)
NOT_RUN = {  # only parsed, since
    "inpaint plugins": "they change the editors of the user who runs the tests",
    "inpaint-server": "a daemon runs until it is stopped; tests/server/daemon starts it each way",
}
# Commands of `inpaint-model`, and all of this page, are run or have their reasons in
# tests/test_documented_trainings.py.
RUN_THERE = "docs/train/from-a-folder.md"


def is_run(command: Command) -> bool:
    return not " ".join(command.words).startswith(tuple(NOT_RUN))


def test_commands_for_artists_are_run_or_have_a_reason() -> None:
    escaped = [
        str(command)
        for command in words_of("inpaint") + words_of("inpaint-server")
        if command.is_whole
        and is_run(command)
        and not {command.place, command.place.rpartition(":")[0]} & {*RUN, RUN_THERE}
    ]
    assert not escaped, "\n".join(escaped)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Create a folder for the guide's commands, with the files that they use."""
    from PIL import Image

    path = tmp_path_factory.mktemp("guide")
    portrait = Image.open(PORTRAIT).convert("RGB").resize((384, 384))
    mask = Image.open(MASK).convert("L").resize((384, 384))
    (path / "images").mkdir()
    (path / "scans").mkdir()
    (path / "masks").mkdir()
    images = (
        "portrait.png",
        "portrait.jpg",
        "layer.png",
        "photo.jpg",
        "images/a.png",
        "scans/a.png",
    )
    for name in images:
        portrait.save(path / name)
    for name in ("mask.png", "hole.png", "masks/a.png"):
        mask.save(path / name)
    return path


@pytest.mark.slow
@pytest.mark.parametrize("source", RUN)
def test_commands_for_artists_work(source: str, folder: Path, tmp_path: Path) -> None:
    shown = HELP if source.endswith("--help") else commands_of(ROOT / source)
    commands = [
        command
        for command in shown
        if command.program == "inpaint" and command.is_whole and is_run(command)
    ]
    assert len(commands) >= 1
    with DaemonProcess(tmp_path, "--model", "portrait") as daemon:
        daemon.runtime()
        environment = {**os.environ, "XDG_RUNTIME_DIR": str(tmp_path)}
        for command in commands:
            done = subprocess.run(
                [sys.executable, "-m", "inpaint_cli", *command.words[1:]],
                cwd=folder, env=environment, capture_output=True, text=True, check=False,
            )  # fmt: skip
            assert done.returncode == 0, f"{command}\n{done.stderr}"
