"""Selecting parts of a face in a real GIMP."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from fake_daemon import FakeDaemon, Script, part_box
from fake_process import fake_daemon
from gimp_host import Profile, wait_for
from inpaint_protos.v1 import inpaint_pb2 as pb
from numpy.typing import NDArray
from PIL import Image

pytestmark = pytest.mark.hosts


def test_parts_become_soft_selections_and_nothing_else_changes(lonely: Profile) -> None:
    with FakeDaemon() as daemon:
        lonely.environment["INPAINT_SERVER"] = daemon.address
        results: dict[str, Any] = lonely.console("parts", timeout_s=200).value
    for name, result in results["selected"].items():
        assert result == {
            "status": ["success", ""],
            "tree": ["Empty", "Background"],
            "channels": 0,
            "is_same_layer_selected": True,
            "is_layer_as_before": True,
        }, name
        raw = np.frombuffer((lonely.out / f"{name}.raw").read_bytes(), np.uint8)
        if name.startswith("large"):
            check_enlarged(raw.reshape(100, 3100), name)
        else:
            np.testing.assert_array_equal(raw.reshape(40, 61), small_mask(61, 40), err_msg=name)
    sent = [header.image for header in daemon.service.segments]
    assert [(each.width, each.height, each.channels) for each in sent[:5]] == [
        (61, 40, 3),
        (61, 40, 3),
        (61, 40, 3),
        (61, 40, 1),
        (61, 40, 3),
    ]
    assert (sent[5].width, sent[5].height) == (1033, 33)
    x, y, width, height = part_box(pb.PART_MOUTH, 61, 40)
    assert results["indexed"] == [["success", ""], [1, x, y, x + width, y + height]]
    check_refused(results["refused"])


def small_mask(width: int, height: int) -> NDArray[np.uint8]:
    x, y, columns, rows = part_box(pb.PART_MOUTH, width, height)
    mask = np.zeros((height, width), np.uint8)
    mask[y : y + rows, x : x + columns] = 128
    mask[y + 1 : y + rows - 1, x + 1 : x + columns - 1] = 255
    return mask


def check_enlarged(mask: NDArray[np.uint8], name: str) -> None:
    """It lies where the small one does, and passes softly through all values between."""
    small = small_mask(1033, 33)
    means = mask[:99, :3099].reshape(33, 3, 1033, 3).mean((1, 3))
    np.testing.assert_allclose(means, small, atol=45, err_msg=name)  # its own softness
    assert np.abs(means - small).mean() < 2
    assert len(np.unique(mask)) > 8
    np.testing.assert_array_equal(mask[50, 3 * (small[16] == 255).argmax() + 6 :][:30], 255)


def check_refused(refused: dict[str, Any]) -> None:
    for name, words in (
        ("no face", ("No face was found", "by hand")),
        ("no such face", ("no face 2; 1 found", "up to 1")),
        ("floating", ("floating selection", "Anchor")),
    ):
        (status, error), bounds = refused[name]
        assert status == "execution-error"
        assert all(word in error for word in words), error
        assert bounds in ([1, 0, 0, 40, 40], None)


def test_a_selection_says_whose_part_is_meant(lonely: Profile) -> None:
    """By the entries of the menu; scripts give the number of a face."""
    boxes = {"left": (50, 100, 600, 600), "right": (1100, 350, 60, 60), "beside": (0, 0, 9, 9)}
    with FakeDaemon(Script(faces=2)) as daemon:
        lonely.environment["INPAINT_SERVER"] = daemon.address
        found: dict[str, Any] = lonely.console("whose_part", timeout_s=120, boxes=boxes).value
    x, y, width, height = part_box(pb.PART_EYES, 750, 800)
    one, two = ([1, k * 750 + x, y, k * 750 + x + width, y + height] for k in (0, 1))
    both = [1, x, y, 750 + x + width, y + height]
    assert found == {"left": one, "right": two, "beside": both, "number 2": two, "number 0": both}


def test_errors_of_the_daemon_arrive(lonely: Profile) -> None:
    """An older daemon has no such call, which is gRPC's status UNIMPLEMENTED."""
    with fake_daemon("--fail", "UNIMPLEMENTED") as daemon:
        lonely.environment["INPAINT_SERVER"] = daemon.address
        results: dict[str, Any] = lonely.console("parts", timeout_s=200).value
    for name in ("u8", "large"):
        status, error = results["selected"][name]["status"]
        assert status == "execution-error"
        assert "UNIMPLEMENTED on demand" in error
    (_, _), bounds = results["refused"]["no such face"]
    assert bounds == [1, 0, 0, 40, 40]  # still the feathered rectangle


@pytest.mark.next_host
def test_one_undo_brings_back_the_selection(lonely: Profile, screen: str) -> None:
    draw = np.random.default_rng(0).integers(0, 256, (300, 400, 3), np.uint8)
    Image.fromarray(draw).save(lonely.folder / "image.png")
    with FakeDaemon() as daemon:
        lonely.environment["INPAINT_SERVER"] = daemon.address
        with lonely.window(screen) as live:
            answer = live.start(
                "interactive",
                image=str(lonely.folder / "image.png"),
                selection=[160, 110, 80, 80],
                procedure="plug-in-inpaint-stylegan-select-mouth",
            )
            assert live.result(answer)["status"] == "success", live.log()
            after = live.run("selection")
            live.key("GIMP$", "ctrl+z")
            wait_for(lambda: live.run("selection") != after, "the undo", 20)
            undone = live.run("selection")
            live.key("GIMP$", "ctrl+y")
            wait_for(lambda: live.run("selection") == after, "the redo", 20)
    x, y, width, height = part_box(pb.PART_MOUTH, 400, 300)
    rest = {"tree": ["Background"], "channels": [], "selected": ["Background"]}
    assert after == {"bounds": [1, x, y, x + width, y + height], **rest}
    non_empty, left, top, right, bottom = undone.pop("bounds")
    assert non_empty
    assert (left <= 160, top <= 110, right >= 240, bottom >= 190) == (True,) * 4
    assert undone == rest
