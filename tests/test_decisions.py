"""The records in docs/decisions have the same form, match their index, and have valid links."""

from __future__ import annotations

import re
from collections import Counter
from datetime import date
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "docs" / "decisions"
INDEX = FOLDER / "README.md"
RECORDS = {path.name[:4]: path for path in sorted(FOLDER.glob("*.md")) if path != INDEX}

FORM = re.compile(r"---\n(?P<matter>.*?)^---\n\n# (?P<title>.+?)\n\n(?P<body>.*)", re.M | re.S)
STATUS = re.compile(r"proposed|rejected|accepted(, amended by \d{4})?|superseded by \d{4}")
SECTIONS = ["Context and problem statement", "Considered options", "Decision outcome"]
ENTRY = re.compile(r"^\| \[(\d{4})\]\((.+?)\) \| (.+) \| (.+?) \| (\S+) \|$", re.M)
FENCED = re.compile(r"^```.*?^```$", re.M | re.S)
LINK = re.compile(r"\]\(([^)#\s]+)[^)]*\)")
MENTION = re.compile(r"docs/decisions/(\d{4}(?:[\w.-]*\w)?)")
TEXT = {".md", ".proto", ".py", ".toml", ".txt", ".yaml"}
PARTS = ("benchmarks", "docs", "examples", "model", "plugins", "protos", "server", "tests")


def parts_of(number: str) -> tuple[dict[str, Any], str, str]:
    """Return the front matter, the title and the body of a record."""
    found = FORM.fullmatch(RECORDS[number].read_text("utf-8"))
    assert found, "no front matter between two lines of ---, or no title after it"
    return yaml.safe_load(found["matter"]), found["title"], found["body"]


def sections_of(body: str) -> dict[str, str]:
    """Return the text below each second-level heading."""
    before, *sections = re.split(r"^## ", body, flags=re.M)
    assert len(sections) == len({text.partition("\n")[0] for text in sections})
    return {"": before} | {
        heading: text.strip() for heading, _, text in (part.partition("\n") for part in sections)
    }


def links_of(path: Path) -> set[str]:
    """Return the files that a page links to, without web addresses."""
    return {
        link
        for link in LINK.findall(FENCED.sub("", path.read_text("utf-8")))
        if not re.match(r"[a-z]+:", link)
    }


def test_every_record_has_a_number_and_no_two_have_the_same() -> None:
    pages = [path.name for path in FOLDER.iterdir() if path != INDEX]
    assert [name for name in pages if not re.fullmatch(r"\d{4}(-[a-z0-9]+)+\.md", name)] == []
    assert {n: times for n, times in Counter(name[:4] for name in pages).items() if times > 1} == {}


@pytest.mark.parametrize("number", RECORDS)
def test_a_record_has_the_form(number: str) -> None:
    matter, title, body = parts_of(number)
    assert matter.keys() <= {"status", "date", "supersedes", "amends"}
    assert STATUS.fullmatch(matter["status"])
    assert type(matter["date"]) is date  # YAML reads YYYY-MM-DD as one
    assert title.startswith(f"{number}: ")
    sections = sections_of(body)
    after = [name for name in sections if name not in {"", *SECTIONS}]
    assert [name for name in sections if name in SECTIONS] == SECTIONS
    assert after in ([], ["More information"])
    assert list(sections)[-1] == (after or SECTIONS)[-1]
    assert all(text for name, text in sections.items() if name)


@pytest.mark.parametrize("number", RECORDS)
def test_a_record_compares_options_and_gives_reasons_and_consequences(number: str) -> None:
    sections = sections_of(parts_of(number)[2])
    options = sections["Considered options"]
    table = [row for row in options.splitlines() if row.startswith("| ")][1:]
    assert len(re.findall(r"^- ", options, re.M)) >= 2 or len(table) >= 2
    outcome, _, consequences = sections["Decision outcome"].partition("### Consequences\n")
    assert re.match(r"Chosen option.*?: .+?\bbecause\b", outcome, re.S)
    assert re.findall(r"^- (Good|Bad|Neutral), because ", consequences, re.M)


@pytest.mark.parametrize("number", RECORDS)
def test_what_replaces_a_record_and_what_it_replaces_name_each_other(number: str) -> None:
    matter = parts_of(number)[0]
    for key, status in (
        ("supersedes", "superseded by {}"),
        ("amends", "accepted, amended by {}"),
    ):
        if earlier := matter.get(key):
            assert parts_of(earlier)[0]["status"] == status.format(number)
            assert RECORDS[earlier].name in links_of(RECORDS[number])
        if found := re.fullmatch(status.format(r"(\d{4})"), matter["status"]):
            assert parts_of(found[1])[0].get(key) == number
            assert RECORDS[found[1]].name in links_of(RECORDS[number])


def test_the_index_lists_every_record_as_it_is() -> None:
    expected = []
    for number, path in RECORDS.items():
        matter, title, _ = parts_of(number)
        named = title.removeprefix(f"{number}: ")
        expected.append((number, path.name, named, matter["status"], str(matter["date"])))
    assert ENTRY.findall(INDEX.read_text("utf-8")) == expected


@pytest.mark.parametrize("path", [INDEX, *RECORDS.values()], ids=lambda path: path.name)
def test_links_lead_to_files(path: Path) -> None:
    assert [link for link in sorted(links_of(path)) if not (FOLDER / link).is_file()] == []


def test_records_that_code_and_documents_name_exist() -> None:
    files = chain(ROOT.glob("*.*"), *((ROOT / part).rglob("*.*") for part in PARTS))
    scripts = [path for path in (ROOT / "scripts").iterdir() if path.is_file()]
    mentions = {
        name
        for path in [*(path for path in files if path.suffix in TEXT), *scripts]
        for name in MENTION.findall(path.read_text("utf-8"))
    }
    names = RECORDS.keys() | {path.name for path in RECORDS.values()}
    assert mentions
    assert mentions - names == set()
