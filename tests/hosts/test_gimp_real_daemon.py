"""The plug-in and the real daemon with its smallest model, end to end."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from daemons import DaemonProcess
from gimp_host import GimpHost, Profile, new_profile
from gimp_layers import result_of
from inpaint_client.example import PORTRAIT
from xcf import read_xcf

pytestmark = pytest.mark.hosts


def test_fill_save_reopen_edit(
    gimp: GimpHost,
    warm: Profile,
    plug_in: Path,
) -> None:
    profile = new_profile(gimp, plug_in, like=warm)
    with DaemonProcess(profile.runtime) as daemon:  # found through its runtime file, with its token
        daemon.runtime()
        results: dict[str, Any] = profile.console("real_daemon", timeout_s=300).value
    for key, (status, error, tree, smooth_again, refused) in results.items():
        assert (status, error) == ("success", ""), key
        group, names = tree[0]
        assert group == "Seed 3 · Inpaint · tiny"
        again, first, second, smooth, before = names
        assert again.startswith("1 · seed 3")  # GIMP numbers what has the same name
        assert (first, second) == ("-1 · seed 3", "-2 · seed 4")
        assert smooth.startswith("3 · smooth")
        assert before == "-3 · smooth"
        assert smooth_again == ["success", ""]
        assert refused[0] == "execution-error"
        assert "made without the model and cannot be edited" in refused[1]
        check(profile.out / key)


def test_mix(gimp: GimpHost, warm: Profile, plug_in: Path) -> None:
    profile = new_profile(gimp, plug_in, like=warm)
    with DaemonProcess(profile.runtime) as daemon:
        daemon.runtime()
        results: dict[str, Any] = profile.console("real_mixing", timeout_s=300).value
    assert set(map(tuple, results.values())) == {("success", "")}
    image = read_xcf(profile.out / "mixed.xcf")
    first, second, whole, half, unmixed, alike = (
        image.layer(name).pixels.astype(int)
        for name in ("first", "second", "whole", "half", "unmixed", "alike")
    )
    # All of the other one's styles, completely: that is the other one, except for rounding.
    np.testing.assert_allclose(whole, second, atol=1)
    for other in (first, second):
        assert np.abs(half - other).max() > 1
    np.testing.assert_array_equal(unmixed, first)
    assert np.abs(alike - first).max() > 1
    np.testing.assert_array_equal(alike[..., 3], first[..., 3])


def test_holes_whose_boxes_overlap_are_all_filled(
    gimp: GimpHost, warm: Profile, plug_in: Path
) -> None:
    profile = new_profile(gimp, plug_in, like=warm)
    with DaemonProcess(profile.runtime) as daemon:
        daemon.runtime()
        value: Any = profile.console("groups", timeout_s=300).value
    assert value == ["success", ""]
    mask = np.frombuffer((profile.out / "mask.raw").read_bytes(), np.uint8).reshape(400, 480)
    for name in ("filled", "edited"):
        layer = read_xcf(profile.out / f"{name}.xcf").layers[1]
        assert len(json.loads(result_of(layer).recipe)["groups"]) == 2
        alpha = np.zeros_like(mask)
        height, width = layer.pixels.shape[:2]
        alpha[layer.y : layer.y + height, layer.x : layer.x + width] = layer.pixels[..., 3]
        np.testing.assert_array_equal(alpha, mask)


def test_a_part_of_a_portrait_becomes_candidates(
    gimp: GimpHost, warm: Profile, plug_in: Path
) -> None:
    """With the model that ships: select a part, then fill it."""
    profile = new_profile(gimp, plug_in, like=warm)
    profile.out.mkdir()
    shutil.copy(PORTRAIT, profile.out)
    parts = ("eyes", "mouth")
    with DaemonProcess(profile.runtime, "--model", "portrait") as daemon:
        daemon.runtime()
        results: Any = profile.console(
            "part_fill", timeout_s=300, image=str(profile.out / "portrait.png"), parts=parts
        ).value
    for part, result in zip(parts, results, strict=True):
        assert result["status"] == [["success", ""], ["success", ""]]
        mask = np.frombuffer((profile.out / f"{part}.raw").read_bytes(), np.uint8)
        mask = mask.reshape(512, 512)
        assert mask.any()
        image = read_xcf(profile.out / f"{part}.xcf")
        fills = [layer for layer in image.layers if "seed" in layer.name]
        assert len(fills) == 4
        for layer in fills:
            alpha = np.zeros_like(mask)
            height, width = layer.pixels.shape[:2]
            alpha[layer.y : layer.y + height, layer.x : layer.x + width] = layer.pixels[..., 3]
            np.testing.assert_array_equal(alpha, mask)
        assert len({layer.pixels[..., :3].tobytes() for layer in fills}) == 4


def check(path: Path) -> None:
    before, after, edited = (
        read_xcf(path.parent / f"{path.name}-{state}.xcf")
        for state in ("before", "after", "edited")
    )
    known = before.layer("Background").pixels
    for image in (after, edited):
        np.testing.assert_array_equal(image.layer("Background").pixels, known)
    first, second = after.layers[1:3]
    assert not np.array_equal(first.pixels, second.pixels)
    assert first.pixels[..., -1].max() > 0
    assert result_of(first).seed == 3
    # Rendered again from the recipe alone, without an edit, it is the same fill.
    again = edited.layers[1]
    assert (again.x, again.y, again.pixels.shape) == (first.x, first.y, first.pixels.shape)
    np.testing.assert_array_equal(again.pixels, first.pixels)
    smooth, smooth_again = after.layers[3], edited.layers[4]
    assert json.loads(result_of(smooth).recipe)["method"] == "smooth"
    np.testing.assert_array_equal(smooth_again.pixels, smooth.pixels)
