"""Latent directions: what an edit adds to W_out (paper, section 3, experiments).

`ws_out[layers] += value * unit * vector`; one unit moves the score by about one
standard deviation (`directions/calibrate.py`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from inpaint_model.networks.validation import Finite, Flag, Number, Several, Text, Whole, closed

Layers = Several[Whole]

FORMER_NAMES = {"colour_temperature": "color_temperature"}
"""Names that directions had in earlier versions: recipes and documents still use them."""


@closed
@dataclass(frozen=True)
class Direction:
    """An entry of a bundle's `directions`. Its vector is stored in directions.safetensors."""

    name: Text
    group: Text  # "hair", "light", ...
    layers: Layers  # styles to change
    unit: Finite  # length of one unit along the vector
    range: tuple[Finite, Finite]  # in which images stay natural, in units
    source: Text = ""  # how it was found
    licence: Text = ""
    description: Text = ""  # one line
    effects: Mapping[Text, Number] = field(default_factory=dict)  # measured, by score
    attribute: Text = ""  # the score to change; "" without one
    generator_sha256: Text = ""  # always set in a bundle
    offered: Flag = True  # to users; False until it has passed its check
    foreign: Flag = False  # of another or an unknown generator

    @property
    def minimum(self) -> float:
        """Lower end of the range."""
        return self.range[0]

    @property
    def maximum(self) -> float:
        """Upper end of the range."""
        return self.range[1]

    def to_dict(self) -> dict[str, Any]:
        """Return the entry of model.yaml."""
        return asdict(self) | {"layers": list(self.layers), "range": list(self.range)}


def by_name(directions: Iterable[Direction]) -> dict[str, Direction]:
    """Return directions by current and former names."""
    known = {direction.name: direction for direction in directions}
    former = {old: known[new] for old, new in FORMER_NAMES.items() if new in known}
    return former | known


def offered(directions: Iterable[Direction]) -> tuple[Direction, ...]:
    """Return the directions that have passed their check."""
    return tuple(direction for direction in directions if direction.offered)
