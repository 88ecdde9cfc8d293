"""Mixing by the edit procedure in a real GIMP: what is rendered, remembered and refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from fake_daemon import color_of
from gimp_host import Profile
from gimp_layers import result_of
from inpaint_client import StyleLevel, StyleMix
from xcf import Layer, read_xcf

pytestmark = pytest.mark.hosts

GREEN = (0, 200 / 255, 0)


def colors(layer: Layer) -> set[tuple[int, ...]]:
    """The colors of what a fill shows."""
    return {tuple(pixel[:3]) for pixel in layer.pixels[layer.pixels[..., 3] > 0].tolist()}


def between(own: tuple[float, ...], other: tuple[float, ...], amount: float) -> tuple[int, ...]:
    return tuple(round(255 * (a + amount * (b - a))) for a, b in zip(own, other, strict=True))


def test_mixing_by_scripts(user: Profile) -> None:
    results: dict[str, Any] = user.console("mixing", timeout_s=200).value
    filled, mixed, again, like = (
        read_xcf(user.out / f"{name}.xcf") for name in ("filled", "mixed", "again", "like")
    )
    assert results["result"] == [
        "success",
        "",
        ["1 · seed 5 · mixed", "-1 · seed 5", "-2 · seed 6"],
    ]
    assert results["selection_is_as_before"]
    first, second = (filled.layer(f"{n} · seed {n + 4}") for n in (1, 2))
    new = mixed.layer("1 · seed 5 · mixed")
    assert colors(new) == {between(color_of(5), color_of(6), 0.25)}
    np.testing.assert_array_equal(new.pixels[..., 3], first.pixels[..., 3])
    told = result_of(new)
    own, other = (result_of(layer).recipe for layer in (first, second))
    assert (told.unmixed, told.mixed_recipe) == (own, other)
    assert told.mix == StyleMix(None, (StyleLevel.COLORS,), 0.25)

    # Completely, starting from the unmixed result; then back, then with a layer's style.
    assert results["again"][:2] == ["success", ""]
    assert results["again"][2][0] == "1 · seed 5 · Smile +1, mixed"
    new = again.layer("1 · seed 5 · Smile +1, mixed")
    assert colors(new) == {between(color_of(6), color_of(6), 1)}
    assert result_of(new).unmixed == own
    assert results["nothing"][2][0].startswith("1 · seed 5")
    assert "mixed" not in results["nothing"][2][0]
    assert results["layer"][:2] == ["success", ""]
    new = like.layer(results["layer"][2][0])
    assert colors(new) == {between(GREEN, GREEN, 1)}
    assert result_of(new).mix.levels == (StyleLevel.COLORS,)
    for image in (mixed, again, like):
        for name in ("Background", "Green", "2 · seed 6"):
            np.testing.assert_array_equal(image.layer(name).pixels, filled.layer(name).pixels)

    def refused(name: str, *words: str) -> None:
        status, error, tree = results[name]
        assert (status, tree) == ("execution-error", results["layer"][2])
        assert all(word in error for word in words), error

    refused("beside", "The layer to mix with is empty or was deleted.")
    refused("unknown", "no layer “Grün”", "Name another layer")
    refused("group", "not a group")
    refused("itself", "Name another layer")
    refused("levels", "“hue” is not a level")
