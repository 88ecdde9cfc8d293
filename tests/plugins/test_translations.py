"""The plug-ins' catalogs: complete, without leftovers, and used."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import inpaint_gimp
import inpaint_krita
import pytest
from inpaint_client.errors import DaemonNotFoundError, Reason, ResourceExhaustedError, from_status
from inpaint_client.sentence import Sentence, of_daemon
from inpaint_client.session.translation import CLIENT, read_catalog
from inpaint_gimp.runs.arguments import fill_arguments
from inpaint_gimp.translation import CATALOG, _, say, say_error
from inpaint_krita import text
from inpaint_model.directions.attributes import PORTRAIT
from inpaint_protos.sentences import SENTENCES

PACKAGES = {
    "_": Path(inpaint_gimp.__file__).parent,
    "tr": Path(inpaint_krita.__file__).parent,
}
CATALOGS = [
    (function, path.stem)
    for function, package in PACKAGES.items()
    for path in sorted((package / "locale").glob("*.po"))
]
# Names of directions come from models, not from our source: one to three plain words.
NAME = re.compile(r"[A-Z][a-z]+( [a-z]+){0,2}")
BLANK = re.compile(r"\{[^}]*\}")


def texts_in_source(function: str) -> set[str]:
    """Every literal that is passed to the function that translates."""
    return {
        str(node.args[0].value)
        for path in PACKAGES[function].rglob("*.py")
        if "_vendor" not in path.parts
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == function
        if isinstance(node.args[0], ast.Constant)
    }


def sentences_of_client() -> set[str]:
    """Every sentence of the client and of the daemon."""
    return set(SENTENCES.values()) | {
        str(node.args[0].value)
        for path in CLIENT.parent.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "Sentence"
        if isinstance(node.args[0], ast.Constant)
    }


def entries(function: str, language: str) -> dict[str, str]:
    return read_catalog(PACKAGES[function] / "locale" / f"{language}.po")


@pytest.fixture(autouse=True)
def english() -> Iterator[None]:
    yield
    CATALOG.use_languages(["en"])
    text.CATALOG.use_languages(["en"])


def test_both_plugins_speak_german() -> None:
    assert {("_", "de"), ("tr", "de")} <= set(CATALOGS)


@pytest.mark.parametrize(("function", "language"), CATALOGS)
def test_a_catalog_is_complete_and_has_nothing_else(function: str, language: str) -> None:
    source, translated = texts_in_source(function), set(entries(function, language))
    assert len(source) > 50
    assert source - translated == set(), "missing"
    leftovers = translated - source
    assert {text for text in leftovers if not NAME.fullmatch(text)} == set()


@pytest.mark.parametrize("function", ["tr", "_"])
def test_the_sliders_of_a_portrait_model_have_german_names(function: str) -> None:
    names = {name for attribute in PORTRAIT for name in (attribute.name, attribute.group)}
    assert {name.replace("_", " ").capitalize() for name in names} <= entries(function, "de").keys()


@pytest.mark.parametrize("language", ["en", "de"])
def test_no_two_controls_of_gimps_fill_dialog_share_a_mnemonic(language: str) -> None:
    CATALOG.use_languages([language])
    labels = [argument.label for argument in fill_arguments() if argument.name != "edits"]
    labels += map(
        _, ("_Fill", "_Keep a copy", "Ad_just", "Mi_x", "Sto_p", "_Try again", "Reset all to _0")
    )
    letters = [label[label.index("_") + 1].lower() for label in labels if "_" in label]
    assert len(letters) > 15
    assert len(set(letters)) == len(letters), sorted(letters)


@pytest.mark.parametrize(("function", "language"), CATALOGS)
def test_translations_fill_the_same_blanks(function: str, language: str) -> None:
    for english, translated in entries(function, language).items():
        assert translated.strip(), english
        assert sorted(BLANK.findall(english)) == sorted(BLANK.findall(translated)), english


def test_the_clients_catalog_is_complete_and_has_nothing_else() -> None:
    german = read_catalog(CLIENT / "de.po")
    assert german.keys() == sentences_of_client()
    for english, translated in german.items():
        assert sorted(BLANK.findall(english)) == sorted(BLANK.findall(translated)), english


def test_errors_of_the_client_are_translated() -> None:
    CATALOG.use_languages(["de"])
    error = DaemonNotFoundError(
        Sentence("No daemon answers at {endpoint}.", endpoint="127.0.0.1:1")
    )
    assert str(error).startswith("No daemon answers at 127.0.0.1:1. Start the daemon")
    assert say_error(error).startswith(
        "Unter 127.0.0.1:1 antwortet kein Dienst. Starten Sie den Dienst"
    )
    assert say_error(DaemonNotFoundError("Plain words.", "")) == "Plain words."


def test_refusals_of_the_daemon_are_translated_if_their_code_is_known() -> None:
    CATALOG.use_languages(["de"])
    known = from_status(8, "English.", Reason("QUEUE_FULL", {"limit": "32"}))
    assert type(known) is ResourceExhaustedError
    assert say_error(known).startswith("Die Warteschlange ist voll: 32 Anfragen warten.")
    assert "The queue is full: 32" in str(known)
    for reason in (Reason("OF_A_NEWER_ONE", {}), Reason("QUEUE_FULL", {}), None):
        assert from_status(8, "English.", reason).message == "English."


def test_numbers_of_the_daemon_have_the_decimal_mark_of_the_language() -> None:
    CATALOG.use_languages(["de"])
    notice = of_daemon("ENLARGED", {"resolution": "256", "times": "2.2"}, "")
    assert "2.2 times" in notice
    assert say(notice) == "Mit 256 px gefüllt und auf das 2,2-Fache vergrößert."


@pytest.mark.parametrize("locale", ["de", "de_AT", "de-DE"])
def test_a_locale_of_krita_chooses_its_language(locale: str) -> None:
    text.CATALOG.use_languages([locale])
    assert text.tr("Cancel") == "Abbrechen"
    text.CATALOG.use_languages(["en"])
    assert text.tr("Cancel") == "Cancel"


def test_the_languages_of_gimp_choose_the_first_that_there_is() -> None:
    assert CATALOG.use_languages(["de_AT.UTF-8", "en"]) == "de"
    assert _("Nothing is selected.") != "Nothing is selected."
    assert fill_arguments()[0].help != ""
    assert CATALOG.use_languages(["xx", "C"]) == "en"
    assert _("Nothing is selected.") == "Nothing is selected."
