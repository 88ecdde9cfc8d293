"""The procedures as scripts call them, in a real GIMP: targets, recipes, failures."""

from __future__ import annotations

import json
import os
import signal
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fake_daemon import color_of
from fake_process import fake_daemon
from gimp_host import Profile, wait_for
from gimp_layers import result_of
from relay import Relay
from xcf import read_xcf

pytestmark = pytest.mark.hosts

FILLED = ["Seed 3 · Inpaint · fake", ["1 · seed 3"]]
HOLE = [20, 10, 30, 20]


def test_targets(user: Profile) -> None:
    results: dict[str, Any] = user.console("targets", timeout_s=300).value

    def done(name: str, tree: list[Any], box: list[int] | None = None) -> None:
        assert results.pop(name) == ["success", "", tree, *([box] if box else [])], name

    def refused(name: str, *words: str) -> None:
        status, error, tree, box = results.pop(name)
        assert (status, box) == ("execution-error", None), name
        assert "\n" not in error
        for word in words:
            assert word in error, name
        assert not any("Inpaint" in str(entry) for entry in tree)

    done("plain", [FILLED, "Background"], HOLE)
    done("erased", [FILLED, "Background"], [5, 6, 7, 8])
    done("two_layers_visible", [FILLED, "Upper", "Background"], HOLE)
    done("no_layer_selected", [FILLED, "Background"], HOLE)
    done("layer_mask", [FILLED, "Background"], HOLE)
    done("channel_visible", [FILLED, "Background"], HOLE)
    done("group", [FILLED, ["Group", ["Inside"]], "Background"], HOLE)
    done("inside_a_group", [["Group", [FILLED, "Inside"]], "Background"])
    done("offset_layer", [FILLED, "Small", "Background"], HOLE)
    done("side_by_side", ["1 · seed 3", "-2 · seed 4", "Background"])
    refused("no_selection", "Nothing is selected", "Select the region")
    refused("indexed", "indexed", "Image > Mode > RGB")
    refused("two_layers_one_as_source", "2 layers", "Select one layer")
    refused("channel_as_source", "Select one layer")
    refused("selection_beside_the_layer", "outside the layer “Small”")
    refused("layer_off_canvas", "“Away” is outside the canvas")
    refused("floating", "floating selection", "Anchor")
    refused("bad_edits", "“smile” is not an edit", "NAME=VALUE")

    status, error, tree = results.pop("again_uses_the_last_values_and_another_seed")
    assert (status, error) == ("success", "")
    # Scripts leave no last values: the defaults are four candidates. The newest are seen.
    assert len(tree[0][1]) == 4
    assert tree[1:] == [FILLED, "Background"]
    assert results.pop("selection_stays_with_the_layer") == ["Background"]
    assert results == {}


def test_a_fill_goes_above_every_fill_that_it_overlaps(user: Profile) -> None:
    seen: list[Any] = user.console("overlaps").value["seen"]

    def group(seed: int) -> list[Any]:
        names = [f"1 · seed {seed}", f"-2 · seed {seed + 1}"]
        return [f"Seed {seed} · Inpaint · fake", names]

    side_by_side = ["1 · seed 11", "-2 · seed 12"]
    upper: list[Any] = [group(7), group(5), group(3)]
    expected: list[tuple[list[Any], int]] = [
        ([group(3)], 3),
        ([group(5), group(3)], 5),
        (upper, 7),
        ([*upper, group(9)], 9),
        ([*upper, *side_by_side, group(9)], 11),
        ([*upper, group(13), *side_by_side, group(9)], 13),
    ]
    *filled, chosen = seen
    for (tree, color), (layers, seed) in zip(filled, expected, strict=True):
        assert tree == [*layers, "Background"]
        assert color == [round(255 * value) for value in color_of(seed)]
    assert chosen[1] == [round(255 * value) for value in color_of(8)]


def test_recipes_survive_saving_and_are_edited_after_reopening(user: Profile) -> None:
    results: dict[str, Any] = user.console("recipes", timeout_s=200).value
    filled, edited = (read_xcf(user.out / f"{name}.xcf") for name in ("filled", "edited"))
    first, variant, second, second_variant = filled.layers[1:5]
    for layer, seed, edits in ((first, 5, {}), (second, 6, {}), (second_variant, 6, {"smile": 2})):
        result = result_of(layer)
        recipe = json.loads(result.recipe)
        assert (recipe["seed"], recipe["edits"]) == (result.seed, result.edits) == (seed, edits)
        assert result.attachment.startswith(b"\x89PNG")
    assert result_of(variant).attachment == result_of(first).attachment

    status, error, tree = results["edited"]
    assert (status, error) == ("success", "")
    assert tree[0][1] == [
        "1 · seed 5",
        "-1 · seed 5 · Smile +2",
        "2 · seed 6 · Smile -1",
        "-2 · seed 6",
        "-2 · seed 6 · Smile +2",
    ]
    new = edited.layer("2 · seed 6 · Smile -1")
    old = filled.layer("2 · seed 6")
    assert (new.x, new.y) == (old.x, old.y)
    np.testing.assert_array_equal(new.pixels[..., 3], old.pixels[..., 3])
    color = [round(255 * value) for value in color_of(6, {"smile": -1})]
    assert (new.pixels[new.pixels[..., 3] > 0][:, :3] == color).all()
    assert json.loads(result_of(new).recipe)["edits"] == result_of(new).edits == {"smile": -1}
    np.testing.assert_array_equal(
        edited.layer("Background").pixels, filled.layer("Background").pixels
    )

    assert results["earlier"] == [
        ["inpaint-attachment", "inpaint-origin", "inpaint-recipe"],
        "success",
        "",
    ]
    of_earlier = read_xcf(user.out / "earlier-edited.xcf").layer(new.name)
    np.testing.assert_array_equal(of_earlier.pixels, new.pixels)
    assert result_of(of_earlier) == result_of(new)
    assert of_earlier.parasites.keys() == new.parasites.keys()

    assert results["replaced"][2][0][1][0] == "1 · seed 5 · Smile +3"
    assert len(results["replaced"][2][0][1]) == 4
    status, error, before, after = results["moved"]
    assert (status, error, after) == ("success", "", before)
    assert results["group"][:2] == ["success", ""]
    assert results["group"][2][0][1][0] == "1 · seed 5 · Age +1"
    assert results["scaled"][0] == "execution-error"
    assert "resized or cropped" in results["scaled"][1]
    assert results["no_fill"][0] == "execution-error"
    assert "Select one layer created by Inpaint (StyleGAN)." in results["no_fill"][1]
    assert results["copied_layer_keeps_its_recipe"] == ["inpaint-attachment", "inpaint-fill"]


def untouched(result: dict[str, Any]) -> None:
    assert result["tree"] == ["Background"]
    assert result["layer_is_as_before"]
    assert not result["is_dirty"]


def test_no_daemon_at_the_address(lonely: Profile) -> None:
    lonely.environment["INPAINT_SERVER"] = "127.0.0.1:9"
    result = lonely.console("one_fill").value
    assert result["status"] == "execution-error"
    assert "No daemon answers at 127.0.0.1:9." in str(result["error"])
    untouched(result)


def test_no_daemon_and_none_installed(lonely: Profile) -> None:
    result = lonely.console("one_fill").value
    assert result["status"] == "execution-error"
    assert "inpaint-server was not found" in str(result["error"])
    untouched(result)


def test_the_daemon_is_started_when_none_runs(lonely: Profile) -> None:
    """The chroot has no daemon of its own: a script there asks this test to start one."""
    script = lonely.folder / "bin" / "inpaint-server"
    asked = lonely.folder / "asked"
    script.write_text(f"#!/bin/sh\ntouch {asked}\nexec sleep 60\n")
    script.chmod(0o755)
    with ThreadPoolExecutor(1) as pool:
        run = pool.submit(lonely.console, "one_fill", candidates=1)
        wait_for(asked.exists, "the plug-in to start a daemon", 60)
        with fake_daemon("--runtime", str(lonely.runtime)):
            result = run.result().value
    assert (result["status"], result["error"]) == ("success", "")


def test_a_daemon_that_dies_in_the_middle_leaves_the_image_alone(lonely: Profile) -> None:
    with fake_daemon("--delay", "1") as daemon, ThreadPoolExecutor(1) as pool:
        lonely.environment["INPAINT_SERVER"] = daemon.address
        run = pool.submit(lonely.console, "one_fill", candidates=20)
        daemon.wait_for("sent 2")  # so the first has arrived
        daemon.kill()
        result = run.result().value
    assert result["status"] == "execution-error"
    assert "was lost" in str(result["error"]) or "incomplete answer" in str(result["error"])
    untouched(result)


def test_a_plug_in_that_is_killed_frees_the_daemon_and_leaves_the_image_alone(
    lonely: Profile,
) -> None:
    """What GIMP's own Cancel does: it ends the plug-in's process."""
    with fake_daemon("--delay", "1") as daemon, ThreadPoolExecutor(1) as pool:
        lonely.environment["INPAINT_SERVER"] = daemon.address
        run = pool.submit(lonely.console, "one_fill", candidates=20)
        daemon.wait_for("sent 1")
        kill_plug_in(lonely)
        daemon.wait_for("cancelled ", timeout_s=10)
        result = run.result().value
    assert result["status"] != "success"
    untouched(result)


def test_another_daemon_continues_a_fill(lonely: Profile) -> None:
    with (
        fake_daemon("--delay", "1") as first,
        fake_daemon() as second,
        Relay([first.address, second.address]) as relay,
        ThreadPoolExecutor(1) as pool,
    ):
        lonely.environment["INPAINT_SERVER"] = relay.address
        run = pool.submit(lonely.console, "one_fill", candidates=4)
        first.wait_for("sent 2")
        first.kill()
        result = run.result().value
    assert (result["status"], result["error"]) == ("success", "")
    assert len(result["tree"][0][1]) == 4


@pytest.mark.parametrize(
    ("fail", "words"),
    [("RESOURCE_EXHAUSTED", "fewer candidates"), ("INTERNAL", "on demand")],
)
def test_refusals_arrive_unchanged(lonely: Profile, fail: str, words: str) -> None:
    with fake_daemon("--fail", fail) as daemon:
        lonely.environment["INPAINT_SERVER"] = daemon.address
        result = lonely.console("one_fill").value
    assert result["status"] == "execution-error"
    assert words in str(result["error"])
    untouched(result)


def test_scripts_ask_for_what_the_model_can_make(lonely: Profile) -> None:
    with fake_daemon("--single-candidate", "--no-edits") as daemon:
        lonely.environment["INPAINT_SERVER"] = daemon.address
        one = lonely.console("one_fill", candidates=4, new_seed=False, seed=3).value
        assert (one["status"], one["error"]) == ("success", "")
        assert one["tree"] == [FILLED, "Background"]
        refused = lonely.console("one_fill", edits="smile=1").value
    assert refused["status"] == "execution-error"
    assert "INVALID_ARGUMENT" in str(refused["error"]) or "cannot be edited" in str(
        refused["error"]
    )
    untouched(refused)


def test_repetitions_leave_out_edits_that_were_set_for_another_model(lonely: Profile) -> None:
    folder = lonely.gimp_folder / "plug-in-settings"
    folder.mkdir(exist_ok=True)
    last = folder / "GimpProcedureConfigRun-plug-in-inpaint-stylegan.last"
    last.write_text('(edits "smile=1")\n(variants "age=1")\n(smooth "never")\n')
    with fake_daemon("--single-candidate", "--no-edits") as daemon:
        lonely.environment["INPAINT_SERVER"] = daemon.address
        *outcome, tree = lonely.console("again").value["elsewhere"]
    assert outcome == ["success", "", "success", ""]  # again, and GIMP's own repetition
    assert [len(group[1]) for group in tree[:2]] == [1, 1]


def kill_plug_in(user: Profile) -> None:
    """End the plug-in process that runs in this profile."""
    entry = str(user.plug_ins / "inpaint-gimp" / "inpaint-gimp.py")
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                words = (folder / "cmdline").read_bytes().decode().split("\0")
            except OSError:
                continue
            if entry in words:
                os.kill(int(folder.name), signal.SIGKILL)
                return
    raise AssertionError("the plug-in does not run")
