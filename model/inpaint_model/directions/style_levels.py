"""Which styles a direction acts on."""

from __future__ import annotations

from inpaint_model.bundle.directions import Layers

# Pose and shape, the face's parts, colour and texture: the levels of style mixing.
LEVELS = {"structure": (0, 3), "features": (3, 7), "colours": (7, None), "all": (0, None)}


def parse_layers(text: str, num_ws: int) -> Layers:
    """`all`, a level's name, or numbers and ranges such as `0-3,7`. ValueError says what is."""
    layers: set[int] = set()
    for part in text.replace(" ", "").split(","):
        if part in LEVELS:
            start, stop = LEVELS[part]
            layers |= set(range(num_ws)[start:stop])
            continue
        first, _, last = part.partition("-")
        if not first.isdecimal() or not (last or first).isdecimal():
            raise ValueError(f"layers {text!r}: give {', '.join(LEVELS)}, or numbers such as 0-3,7")
        layers |= set(range(int(first), int(last or first) + 1))
    if not layers or max(layers) >= num_ws:
        raise ValueError(f"layers {text!r}: this generator has the styles 0 to {num_ws - 1}")
    return tuple(sorted(layers))
