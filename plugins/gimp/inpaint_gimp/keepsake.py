"""What a layer remembers of its fill, as parasites: enough to open it again years later."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import NamedTuple

from inpaint_client import Box, Extent

RECIPE = "inpaint-recipe"  # JSON, as the daemon made it
ATTACHMENT = "inpaint-attachment"  # PNG: the erased picture and the hole at model resolution
ORIGIN = "inpaint-origin"  # JSON: what the model looked at


class Origin(NamedTuple):
    """Where a fill was made. The layer may have been moved since, or the canvas cropped."""

    box: Box  # of the layer
    document: Extent
    layer_tattoo: int  # GIMP's lasting number of the one layer that the model saw; 0 = all visible
    candidate: int  # its index in the run, for names


class Keepsake(NamedTuple):
    recipe: str
    attachment: bytes
    origin: Origin

    def parasites(self) -> dict[str, bytes]:
        origin = {
            "format": 1,
            "box": self.origin.box,
            "document": self.origin.document,
            "layer_tattoo": self.origin.layer_tattoo,
            "candidate": self.origin.candidate,
        }
        return {
            RECIPE: self.recipe.encode(),
            ATTACHMENT: self.attachment,
            ORIGIN: json.dumps(origin).encode(),
        }

    @classmethod
    def read(cls, parasite: Callable[[str], bytes | None]) -> Keepsake | None:
        """From a layer's parasites, looked up by name; None if they are not whole."""
        recipe, attachment, origin = map(parasite, (RECIPE, ATTACHMENT, ORIGIN))
        if not (recipe and attachment and origin):
            return None
        try:
            content = json.loads(origin)
            return cls(
                recipe.decode(),
                attachment,
                Origin(
                    Box(*map(int, content["box"])),
                    Extent(*map(int, content["document"])),
                    int(content["layer_tattoo"]),
                    int(content["candidate"]),
                ),
            )
        except (ValueError, KeyError, TypeError):
            return None
