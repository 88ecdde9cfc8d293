"""Reference pages of the command lines, made from the parsers that the programs use.

Made by `scripts/write-reference`.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from textwrap import dedent


def pages() -> dict[str, str]:
    """Return Markdown by the name of the program."""
    from inpaint_cli.cli import parser as inpaint
    from inpaint_model.cli.main import COMMANDS
    from inpaint_model.cli.main import _parser as inpaint_model
    from inpaint_server.cli import parser as inpaint_server

    model = [inpaint_model(command.name) for command in COMMANDS]
    commands = zip(COMMANDS, model, strict=True)
    return {
        "inpaint": _page(inpaint()),
        "inpaint-server": _page(inpaint_server()),
        "inpaint-model": _head(model[0], 1)
        + "".join(_section(_commands(whole)[own.name], 2, own.help) for own, whole in commands),
    }


def _page(parser: argparse.ArgumentParser) -> str:
    return _section(parser, 1)


def _section(parser: argparse.ArgumentParser, level: int, summary: str = "") -> str:
    """Return what a parser takes; its sub-commands follow, a level below."""
    summaries = {
        choice.dest: choice.help or ""
        for action in _sub_actions(parser)
        for choice in action._choices_actions
    }
    below = "".join(
        _section(each, level + 1, summaries.get(name, ""))
        for name, each in _commands(parser).items()
    )
    return _head(parser, level, summary) + below


def _head(parser: argparse.ArgumentParser, level: int, summary: str = "") -> str:
    parts = [f"{'#' * level} {parser.prog}", "", _description(parser.description or summary), ""]
    commands = _command_rows(parser)
    if commands:
        parts += ["| Command | |", "|---|---|", *commands, ""]
    for title, rows in _groups(parser):
        parts += [f"| {title} | |", "|---|---|", *rows, ""]
    if parser.epilog:
        parts += ["```text", parser.epilog.strip(), "```", ""]
    return "\n".join(parts) + "\n"


def _groups(parser: argparse.ArgumentParser) -> Iterator[tuple[str, list[str]]]:
    shown = [
        action
        for action in parser._actions
        if action.help is not argparse.SUPPRESS
        and not isinstance(action, argparse._SubParsersAction | argparse._HelpAction)
    ]
    for title, chosen in (
        ("Argument", [action for action in shown if not action.option_strings]),
        ("Option", [action for action in shown if action.option_strings]),
    ):
        if chosen:
            yield title, [f"| {_name(action)} | {_help(parser, action)} |" for action in chosen]


def _name(action: argparse.Action) -> str:
    value = "" if action.nargs == 0 else _value(action)
    if not action.option_strings:
        return f"`{_cell(value)}`"
    names = (f"{option} {value}".strip() for option in action.option_strings)
    return ", ".join(f"`{_cell(name)}`" for name in names)


def _value(action: argparse.Action) -> str:
    if action.metavar is not None:
        return action.metavar if isinstance(action.metavar, str) else " ".join(action.metavar)
    if action.choices is not None:
        return "{" + ",".join(map(str, action.choices)) + "}"
    return action.dest.upper() if action.option_strings else action.dest


def _help(parser: argparse.ArgumentParser, action: argparse.Action) -> str:
    formatter: Callable[[argparse.Action], str] = parser._get_formatter()._expand_help
    text = formatter(action) if action.help else ""
    needed = " Required." if action.required and action.option_strings else ""
    return _cell(_sentence(text) + needed).replace("<", "&lt;").replace("*", "\\*")


def _command_rows(parser: argparse.ArgumentParser) -> list[str]:
    return [
        f"| [`{choice.dest}`](#{_anchor(f'{parser.prog} {choice.dest}')}) | "
        f"{_cell(_sentence(choice.help or ''))} |"
        for action in _sub_actions(parser)
        for choice in action._choices_actions
    ]


def _commands(parser: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    return {name: own for each in _sub_actions(parser) for name, own in each.choices.items()}


def _sub_actions(
    parser: argparse.ArgumentParser,
) -> list[argparse._SubParsersAction[argparse.ArgumentParser]]:
    return [each for each in parser._actions if isinstance(each, argparse._SubParsersAction)]


def _anchor(title: str) -> str:
    """Return the anchor of a heading, as GitHub and MyST make it."""
    return title.lower().replace(" ", "-")


def _description(text: str) -> str:
    """Return the paragraphs of a description; those that are indented are examples."""
    paragraphs = text.strip().split("\n\n")
    return "\n\n".join(
        f"```text\n{dedent(each)}\n```" if each.startswith("  ") else _sentence(each)
        for each in paragraphs
    )


def _sentence(text: str) -> str:
    """Return a phrase of a help text as a sentence."""
    text = " ".join(text.split())
    if not text:
        return ""
    first = text[0].upper() + text[1:] if text.split()[0].isalpha() else text
    return first if first.endswith((".", "!", "?", ":")) else f"{first}."


def _cell(text: str) -> str:
    """Return text that a table's cell can hold."""
    return text.replace("|", "\\|")
