"""Latent directions: what an edit adds to W_out (paper, section 3, experiments).

`ws_out[layers] += value * unit * vector`: one unit is one standard deviation of the direction's
score over the generator's samples.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

Layers = tuple[int, ...]


@dataclass(frozen=True)
class Direction:
    """One entry of a bundle's `directions`; its vector lies in directions.safetensors."""

    name: str  # As requests call it.
    group: str  # For the user interface: "hair", "light", "pose", ...
    layers: Layers  # Styles it acts on.
    unit: float  # Length of one unit along the stored vector.
    minimum: float  # The range that stays natural, in units.
    maximum: float
    source: str = ""  # How it was found.
    licence: str = ""
    description: str = ""  # One line for people.
    effects: Mapping[str, float] = field(default_factory=dict)  # Measured, named by score.
    attribute: str = ""  # The score that it is meant to move; "" where there is none.
    generator_sha256: str = ""  # Whose latent space it belongs to; always there in a bundle.
    offered: bool = True  # Whether users see it; False until it has passed its check.
    foreign: bool = False  # Found in another generator, or nobody can tell in which.

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Direction:
        """From an entry of model.yaml, whose range is [minimum, maximum].

        ValueError, KeyError or TypeError if it is not one.
        """
        values = dict(data)
        values["minimum"], values["maximum"] = (float(v) for v in values.pop("range"))
        values["unit"] = float(values["unit"])
        if not all(math.isfinite(values[key]) for key in ("unit", "minimum", "maximum")):
            raise ValueError(f"the unit or range of the direction {values['name']!r} is not finite")
        values["layers"] = tuple(int(layer) for layer in values["layers"])
        values["effects"] = dict(values.get("effects") or {})
        return cls(**values)

    def to_dict(self) -> dict[str, Any]:
        """Inverse of `from_dict`."""
        values = asdict(self)
        values["range"] = [values.pop("minimum"), values.pop("maximum")]
        values["layers"] = list(self.layers)
        return values


def offered(directions: Iterable[Direction]) -> tuple[Direction, ...]:
    """Those that users see: the others have not passed their check."""
    return tuple(direction for direction in directions if direction.offered)
