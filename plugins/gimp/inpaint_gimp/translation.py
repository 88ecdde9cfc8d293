"""The plug-in's texts: English in the source, other languages in `locale/XX.po`."""

from __future__ import annotations

from pathlib import Path

from inpaint_client.session.translation import Catalog

CATALOG = Catalog(Path(__file__).parent / "locale")
_ = CATALOG.gettext
say = CATALOG.say
say_error = CATALOG.say_error
number = CATALOG.number
