"""What a layer remembers of its fill, as parasites: enough to open it again years later."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import NamedTuple

from inpaint_client import Box, Extent, StyleLevel

RECIPE = "inpaint-recipe"  # JSON, as the daemon made it
ATTACHMENT = "inpaint-attachment"  # PNG: the erased picture and the hole at model resolution
ORIGIN = "inpaint-origin"  # JSON: what the model looked at
MIXED = "inpaint-mixed"  # JSON: what was mixed in; only on fills that are mixed
FORMAT = 1


class Origin(NamedTuple):
    """Where a fill was made. The layer may have been moved since, or the canvas cropped."""

    box: Box  # of the layer
    document: Extent
    layer_tattoo: int  # GIMP's lasting number of the one layer that the model saw; 0 = all visible
    candidate: int  # its index in the run, for names


class Mixed(NamedTuple):
    """What a result remembers of its mixing, so that it can be changed or taken away later."""

    unmixed: str  # the result's own recipe before
    levels: tuple[StyleLevel, ...]
    amount: float
    recipe: str = ""  # of the other result; or
    tattoo: int = 0  # GIMP's lasting number of the layer that was looked at


class Keepsake(NamedTuple):
    recipe: str
    attachment: bytes
    origin: Origin
    mixed: Mixed | None = None

    def parasites(self) -> dict[str, bytes]:
        origin = {
            "format": FORMAT,
            "box": self.origin.box,
            "document": self.origin.document,
            "layer_tattoo": self.origin.layer_tattoo,
            "candidate": self.origin.candidate,
        }
        parasites = {
            RECIPE: self.recipe.encode(),
            ATTACHMENT: self.attachment,
            ORIGIN: json.dumps(origin).encode(),
        }
        if self.mixed is not None:
            mixed = {"format": FORMAT, **self.mixed._asdict()}
            parasites[MIXED] = json.dumps(mixed).encode()
        return parasites

    @classmethod
    def read(cls, parasite: Callable[[str], bytes | None]) -> Keepsake | None:
        """From a layer's parasites, looked up by name; None if incomplete or of a newer version.

        A mixing that cannot be read is left out: the fill is whole without it.
        """
        recipe, attachment, origin = map(parasite, (RECIPE, ATTACHMENT, ORIGIN))
        if not (recipe and attachment and origin):
            return None
        try:
            content = json.loads(origin)
            if content["format"] != FORMAT:
                return None
            return cls(
                recipe.decode(),
                attachment,
                Origin(
                    Box(*map(int, content["box"])),
                    Extent(*map(int, content["document"])),
                    int(content["layer_tattoo"]),
                    int(content["candidate"]),
                ),
                _read_mixed(parasite(MIXED)),
            )
        except (ValueError, KeyError, TypeError, OverflowError):
            return None


def _read_mixed(data: bytes | None) -> Mixed | None:
    if not data:
        return None
    try:
        content = json.loads(data)
        if content["format"] != FORMAT:
            return None
        mixed = Mixed(
            str(content["unmixed"]),
            tuple(StyleLevel(level) for level in content["levels"]),
            float(content["amount"]),
            str(content["recipe"]),
            int(content["tattoo"]),
        )
    except (ValueError, KeyError, TypeError, OverflowError):
        return None
    return mixed if 0 <= mixed.amount <= 1 else None
