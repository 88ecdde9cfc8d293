"""The words that people see: English in the source, other languages in `translations/XX.json`.

A catalogue maps the English sentence to the translated one; what it lacks stays English.
Sentences with values keep the names of the places: `tr("Seed {seed}").format(seed=5)`.
"""

from __future__ import annotations

import json
import logging
from pathlib import Path

log = logging.getLogger(__name__)
FOLDER = Path(__file__).parent / "translations"
_catalogue: dict[str, str] = {}


def tr(text: str) -> str:
    """`text` in the chosen language."""
    return _catalogue.get(text, text)


def use_language(name: str) -> None:
    """Choose by a locale's name ("de", "de_AT", "en_GB"); English if there is no catalogue."""
    _catalogue.clear()
    path = FOLDER / f"{name.replace('-', '_').split('_')[0].lower()}.json"
    if path.exists():
        try:
            _catalogue.update(json.loads(path.read_text("utf-8")))
        except (OSError, ValueError):
            log.exception("%s cannot be read: the texts stay English", path)
