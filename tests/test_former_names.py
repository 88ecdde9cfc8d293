"""Option names of earlier versions still work, but are hidden from the help text."""

from __future__ import annotations

import argparse
from importlib import import_module

import numpy as np
import pytest
import torch
from inpaint_cli.cli import parser as inpaint_parser
from inpaint_client.geometry import Box, Extent
from inpaint_client.session.history import FORMER_DIRECTIONS, PastRun, Result, pack, unpack
from inpaint_model import load_bundle
from inpaint_model.bundle.directions import FORMER_NAMES
from inpaint_model.cli.main import FORMER_COMMANDS
from inpaint_model.cli.main import main as inpaint_model
from inpaint_server.errors import NotFoundError
from inpaint_server.models.registry import BundleLoader, ModelRegistry

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


def test_the_portrait_model_takes_former_directions() -> None:
    model = load_bundle("portrait")
    codes = np.zeros((1, model.num_ws, model.w_dim), np.float32)
    for former, current in FORMER_NAMES.items():
        edited = model.edit(codes, {former: 1.5})
        np.testing.assert_array_equal(edited, model.edit(codes, {current: 1.5}))
        assert not np.array_equal(edited, codes)


def test_the_daemon_takes_former_directions_and_lists_the_current_ones() -> None:
    models = ModelRegistry(["portrait"], BundleLoader(torch.device("cpu")))
    first = models.find("")
    models.check_edits(first, list(FORMER_NAMES))
    with pytest.raises(NotFoundError) as refused:
        models.check_edits(first, ["nothing"])
    assert not any(former in str(refused.value) for former in FORMER_NAMES)


def test_documents_show_former_directions_under_their_current_names() -> None:
    assert FORMER_DIRECTIONS == FORMER_NAMES
    result = Result(5, "{a}", '{"seed":5}', 0, -1, b"", {"colour_temperature": 1.0})
    run = PastRun(
        key="k", model="", title="", group="", document=Extent(8, 8), hole_box=Box(0, 0, 1, 1),
        coverage=b"\xff", source="", results=(result,), chosen=0,
    )  # fmt: skip
    assert unpack(pack(run), "k").results[0].edits == {"color_temperature": 1.0}
