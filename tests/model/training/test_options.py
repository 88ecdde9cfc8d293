"""Options of a training are parsed as what the fields of its options class are."""

from __future__ import annotations

import argparse
from dataclasses import fields
from typing import Any, get_type_hints

import pytest
from inpaint_model.training.options import add_options, options_from
from inpaint_model.training.settings import FramerTraining, GeneratorTraining, InpainterTraining


@pytest.mark.parametrize("kind", [GeneratorTraining, InpainterTraining, FramerTraining])
def test_a_number_has_the_type_of_its_field(kind: type) -> None:
    parser = argparse.ArgumentParser()
    add_options(parser, kind)
    hints = get_type_hints(kind)
    numbers = [entry.name for entry in fields(kind) if hints[entry.name] is not bool]
    line = [word for name in numbers for word in (f"--{name.replace('_', '-')}", "2")]
    options: Any = options_from(parser.parse_args(line), kind)
    for name in numbers:
        whole = hints[name] in (int, int | None)
        assert type(getattr(options, name)) is (int if whole else float), name


@pytest.mark.parametrize("kind", [GeneratorTraining, InpainterTraining, FramerTraining])
def test_without_options_everything_is_the_default(kind: type) -> None:
    parser = argparse.ArgumentParser()
    add_options(parser, kind)
    assert options_from(parser.parse_args([]), kind) == kind()
