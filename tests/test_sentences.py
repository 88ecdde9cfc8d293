"""The daemon's sentences: one catalog, which matches the model and which clients translate."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from types import ModuleType

import inpaint_client
import inpaint_model
import inpaint_server
import pytest
from inpaint_client.session.translation import read_catalog
from inpaint_model.document.notices import PATTERNS
from inpaint_protos.sentences import ERRORS, NOTICES, SENTENCES

GERMAN = read_catalog(Path(inpaint_client.__file__).parent / "locale" / "de.po")
CODE = re.compile(r"[A-Z_]{6,}")
CARRIERS = {
    "Notice",
    "RefusalError",
    "_notice",
    "RequestError",
    "InvalidRequestError",
    "ResourceExhaustedError",
} | {
    *(
        "DeviceOutOfMemoryError",
        "WrongModelError",
        "UnavailableError",
        "DeadlineExceededError",
        "UnknownMethodError",
    )
}
PLACE = re.compile(r"\{(\w+)\}")
REFERENCE = Path(__file__).parents[1] / "docs" / "reference" / "formats" / "messages.md"


def codes_in(package: ModuleType) -> set[str]:
    """Return all literal codes that a package passes to notices and errors."""
    assert package.__file__
    return {
        str(argument.value)
        for path in Path(package.__file__).parent.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") in CARRIERS
        for part in node.args
        for argument in ast.walk(part)
        if isinstance(argument, ast.Constant) and CODE.fullmatch(str(argument.value))
    }


def test_the_model_uses_the_sentences_of_the_catalog() -> None:
    assert PATTERNS.items() <= SENTENCES.items()


def test_the_catalog_has_the_codes_of_the_daemon_and_no_others() -> None:
    # Codes that are not literals: `NotFoundError` appends its kind to UNKNOWN_, two classes of
    # errors have a fixed code, and errors other than `RequestError` have one of two.
    kinds = {
        f"UNKNOWN_{kind}" for kind in ("MODEL", "DIRECTION", "SESSION", "CANDIDATE", "SERVICE")
    }
    made = kinds | {"INVALID_FIELD", "MALFORMED_MESSAGE", "DAEMON_MEMORY", "BUG"}
    assert codes_in(inpaint_model) == set(PATTERNS)
    assert codes_in(inpaint_server) | codes_in(inpaint_model) | made == set(SENTENCES)


@pytest.mark.parametrize("code", sorted(SENTENCES))
def test_every_code_has_a_german_sentence_with_the_same_places(code: str) -> None:
    english = SENTENCES[code]
    german = GERMAN[english]
    assert sorted(PLACE.findall(german)) == sorted(PLACE.findall(english))
    values = dict.fromkeys(PLACE.findall(english), "7")
    assert "{" not in german.format(**values)


def test_notices_and_errors_have_codes_of_their_own() -> None:
    assert not NOTICES.keys() & ERRORS.keys()


def test_the_reference_lists_every_code_with_its_sentence() -> None:
    listed = dict(re.findall(r"^\| `([A-Z_]+)` \| (.+) \|$", REFERENCE.read_text("utf-8"), re.M))
    assert listed == SENTENCES
