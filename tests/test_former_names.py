"""Option names of earlier versions still work, but are hidden from the help text."""

from __future__ import annotations

import argparse
from importlib import import_module

import pytest
from inpaint_cli.cli import parser as inpaint_parser
from inpaint_model.cli.main import FORMER_COMMANDS
from inpaint_model.cli.main import main as inpaint_model

EDIT = ["edit", "recipe.json", "--out", "out"]
FILL = ["fill", "a.png", "--mask", "b.png", "--out", "out"]


@pytest.mark.parametrize(
    ("former", "current"),
    [
        ([*EDIT, "--mix", "b.json"], [*EDIT, "--style-recipe", "b.json"]),
        ([*EDIT, "--like", "b.png"], [*EDIT, "--style-image", "b.png"]),
        ([*EDIT, "--amount", "0.5"], [*EDIT, "--strength", "0.5"]),
        ([*EDIT, "--levels", "colours"], [*EDIT, "--levels", "colors"]),
        ([*FILL, "--raw"], [*FILL, "--no-blend"]),
    ],
)
def test_the_command_line_takes_former_names(former: list[str], current: list[str]) -> None:
    parser = inpaint_parser()
    assert parser.parse_args(former) == parser.parse_args(current)


@pytest.mark.parametrize(
    ("module", "former", "current"),
    [
        ("train.generator", "--autoencoder-weight", "--vae-weight"),
        ("train.generator", "--price-of-nat", "--kl-weight"),
        ("train.generator", "--warm-start-kimg", "--reconstruction-only-kimg"),
        ("train.generator", "--discriminator-kimg", "--d-warmup-kimg"),
        ("train.inpainter", "--discriminator-kimg", "--d-warmup-kimg"),
        ("train.inpainter", "--lambda-same", "--lambda-rg"),
        ("train.inpainter", "--lambda-new", "--lambda-rr"),
        ("train.inpainter", "--licence", "--license"),
        ("directions.check", "--judge", "--validation-scorer"),
        ("directions.auto", "--again", "--refine-count"),
        ("import_", "--licence", "--license"),
    ],
)
def test_the_trainer_takes_former_names(module: str, former: str, current: str) -> None:
    parser = argparse.ArgumentParser()
    import_module(f"inpaint_model.cli.{module}").add_arguments(parser)
    # Positional and required arguments do not matter here.
    for action in parser._actions:
        action.required = False
    assert parser.parse_known_args([former, "2"])[0] == parser.parse_known_args([current, "2"])[0]
    assert former not in parser.format_help()


def test_the_trainer_takes_former_commands(capsys: pytest.CaptureFixture[str]) -> None:
    for former, current in FORMER_COMMANDS.items():
        with pytest.raises(SystemExit, match="0"):
            inpaint_model([former, "--help"])
        assert capsys.readouterr().out.startswith(f"usage: inpaint-model {current} ")
