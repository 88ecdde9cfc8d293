"""Latent directions: what an edit adds to W_out (paper, section 3, experiments).

`ws_out[layers] += value * unit * vector`: one unit is one standard deviation of the direction's
score over the generator's samples.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from inpaint_model.networks.validation import Finite, Flag, Number, Several, Text, Whole, closed

Layers = Several[Whole]


@closed
@dataclass(frozen=True)
class Direction:
    """One entry of a bundle's `directions`; its vector lies in directions.safetensors."""

    name: Text  # As requests call it.
    group: Text  # For the user interface: "hair", "light", "pose", ...
    layers: Layers  # Styles it acts on.
    unit: Finite  # Length of one unit along the stored vector.
    range: tuple[Finite, Finite]  # From where to where it stays natural, in units.
    source: Text = ""  # How it was found.
    licence: Text = ""
    description: Text = ""  # One line for people.
    effects: Mapping[Text, Number] = field(default_factory=dict)  # Measured, named by score.
    attribute: Text = ""  # The score that it is meant to move; "" where there is none.
    generator_sha256: Text = ""  # Whose latent space it belongs to; always there in a bundle.
    offered: Flag = True  # Whether users see it; False until it has passed its check.
    foreign: Flag = False  # Found in another generator, or nobody can tell in which.

    @property
    def minimum(self) -> float:
        """The lower end of the range, in units."""
        return self.range[0]

    @property
    def maximum(self) -> float:
        """The upper end of the range, in units."""
        return self.range[1]

    def to_dict(self) -> dict[str, Any]:
        """Return the entry of model.yaml: plain lists, numbers and strings."""
        return asdict(self) | {"layers": list(self.layers), "range": list(self.range)}


def offered(directions: Iterable[Direction]) -> tuple[Direction, ...]:
    """Return the directions that users see; the others have not passed their check."""
    return tuple(direction for direction in directions if direction.offered)
