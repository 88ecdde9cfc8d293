"""Store a fill in parasites of its layer, so that it can be reopened, even years later.

Each layer stores a run with one result, in the format shared by all hosts. Layers are identified by
tattoos, GIMP's persistent numbers. No coverage is stored, since the hole is the layer's alpha. The
attachment is a separate parasite, since listing the image's layers reads their runs.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace

from inpaint_client import Box, Extent, InputError, StyleLevel, StyleMix, parse_recipe
from inpaint_client.session.history import PastRun, Result, pack, unpack

FILL = "inpaint-fill"  # JSON: the run
ATTACHMENT = "inpaint-attachment"  # PNG: the erased image and the hole at model resolution
# Layers of an earlier version have these instead of FILL.
RECIPE = "inpaint-recipe"  # JSON from the daemon
ORIGIN = "inpaint-origin"  # JSON: what the model saw
MIXED = "inpaint-mixed"  # JSON: what was mixed in; only in mixed fills

Lookup = Callable[[str], bytes | None]  # a parasite's data by its name
MAX_TATTOO = 2**32 - 1


def parasites(run: PastRun) -> dict[str, bytes]:
    """Return the data of each parasite by its name."""
    (result,) = run.results
    alone = replace(run, results=(replace(result, attachment=b""),))
    return {FILL: pack(alone), ATTACHMENT: result.attachment}


def read(parasite: Lookup) -> PastRun | None:
    """Return the run stored in a layer; None if missing, damaged or of a newer version."""
    attachment = parasite(ATTACHMENT)
    run = read_without_attachment(parasite)
    if run is None or not attachment:
        return None
    return replace(run, results=(replace(run.results[0], attachment=attachment),))


def read_without_attachment(parasite: Lookup) -> PastRun | None:
    """Return the run without its attachment, which is faster."""
    data = parasite(FILL)
    try:
        run = unpack(data) if data else _read_format_before(parasite)
        if run is None or len(run.results) != 1:
            return None
        tattoo_of(run.source)
        tattoo_of(run.results[0].mix.other)
    except (InputError, ValueError):
        return None
    return run


def tattoo_of(layer: str | None) -> int:
    """Return the tattoo for a layer's name in a run; 0 = none.

    Raises:
        ValueError: the name is not a tattoo.
    """
    tattoo = int(layer or 0)
    if not 0 <= tattoo <= MAX_TATTOO:
        raise ValueError(f"{tattoo} is not a tattoo")
    return tattoo


def named(tattoo: int) -> str:
    """Return the name in a run for a layer's tattoo."""
    return str(tattoo) if tattoo else ""


def _read_format_before(parasite: Lookup) -> PastRun | None:
    recipe, origin = parasite(RECIPE), parasite(ORIGIN)
    if not (recipe and origin):
        return None
    try:
        content = json.loads(origin)
        if content["format"] != 1:
            return None
        told = parse_recipe(recipe.decode())
        result = Result(
            seed=told.seed,
            layer="",
            recipe=told.text,
            index=int(content["candidate"]),
            edits=told.edits,
        )
        return PastRun(
            document=Extent(*map(int, content["document"])),
            hole_box=Box(*map(int, content["box"])),
            source=named(int(content["layer_tattoo"])),
            results=(_with_mixing(result, parasite(MIXED)),),
        )
    except (ValueError, KeyError, TypeError, OverflowError):
        return None


def _with_mixing(result: Result, data: bytes | None) -> Result:
    """Return the result with its mixing, or unchanged if the mixing cannot be read."""
    if not data:
        return result
    try:
        content = json.loads(data)
        amount = float(content["amount"])
        if content["format"] != 1 or not 0 <= amount <= 1:
            return result
        levels = tuple(StyleLevel(level) for level in content["levels"])
        return replace(
            result,
            mix=StyleMix(named(int(content["tattoo"])) or None, levels, amount),
            unmixed=str(content["unmixed"]),
            mixed_recipe=str(content["recipe"]),
        )
    except (ValueError, KeyError, TypeError, OverflowError):
        return result
