"""What GIMP knows of the plug-in, in two languages; colors in another profile."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from fake_daemon import FakeDaemon, color_of
from gimp_host import Profile
from inpaint_gimp.runs.arguments import edit_arguments, fill_arguments, select_arguments
from xcf import read_xcf

pytestmark = pytest.mark.hosts

FILL, AGAIN, EDIT = (f"plug-in-inpaint-stylegan{end}" for end in ("", "-again", "-edit"))
SELECT = "plug-in-inpaint-stylegan-select"
EXAMPLE = "plug-in-inpaint-stylegan-example"


def test_procedures_are_declared_and_documented(lonely: Profile) -> None:
    known: dict[str, Any] = lonely.console("procedures").value
    assert [known[name]["label"] for name in (FILL, AGAIN, EDIT)] == [
        "_Inpaint (StyleGAN)…",
        "Inpaint _again with a new seed",
        "_Edit fill (StyleGAN)…",
    ]
    menu = "<Image>/Filters/Enhance"
    for name, declared, menus in (
        (EXAMPLE, (), [menu]),
        (FILL, fill_arguments(), [menu]),
        (AGAIN, (), [menu]),
        (EDIT, edit_arguments(), [menu]),
        (SELECT, select_arguments(), []),
        (f"{SELECT}-hair", (), [f"{menu}/Select part of a face"]),
        (f"{SELECT}-background", (), [f"{menu}/Select part of a face"]),
    ):
        procedure = known[name]
        assert procedure["menus"] == menus
        assert procedure["blurb"]
        assert procedure["help"]
        own = {k: v for k, v in procedure["arguments"].items() if not k.endswith("drawables")}
        own = {k: v for k, v in own.items() if k not in ("run-mode", "image")}
        assert own == {argument.name: argument.help for argument in declared}


def test_the_menus_speak_german(lonely: Profile) -> None:
    lonely.environment["LANGUAGE"] = "de_AT:de"
    known: dict[str, Any] = lonely.console("procedures").value
    assert known[EDIT]["label"] == "Füllung b_earbeiten (StyleGAN) …"
    assert known[f"{SELECT}-hair"]["label"] == "Haare"
    assert known[FILL]["arguments"]["candidates"] == "Anzahl der Vorschläge"


def test_profiles_are_honored_both_ways(lonely: Profile) -> None:
    with FakeDaemon() as daemon:
        lonely.environment["INPAINT_SERVER"] = daemon.address
        result: dict[str, Any] = lonely.console("colors").value
    assert "sRGB" not in str(result["profile"])
    # What was sent is sRGB, and what came back is meant as sRGB ...
    sent = list(daemon.service.fills[0].crop.data[:3])
    np.testing.assert_allclose(sent, (200, 100, 10), atol=2)
    color = [round(255 * value) for value in color_of(7)]
    np.testing.assert_allclose(result["fill"], color, atol=1)
    np.testing.assert_allclose(result["known"], (200, 100, 10), atol=2)
    # ... while the file stores both in the image's own profile.
    image = read_xcf(lonely.out / "adobe.xcf")
    for name, meant in (("Background", (200, 100, 10)), ("1 · seed 7", color)):
        stored = image.layer(name).pixels[0, 0, :3].astype(int)
        assert np.abs(stored - meant).max() > 4, name


def test_again_takes_the_last_values_and_a_new_seed(lonely: Profile) -> None:
    """As does GIMP's own Repeat, but that keeps the seed."""
    used_before(lonely, "(candidates 2)\n(new-seed no)\n(seed 7)\n(group no)\n")
    with FakeDaemon() as daemon:
        lonely.environment["INPAINT_SERVER"] = daemon.address
        result: dict[str, Any] = lonely.console("again").value
    for key, (first, second), count, seed, layers in (
        ("elsewhere", daemon.service.fills[:2], 2, 7, 5),
        ("in_this_image", daemon.service.fills[2:], 3, 9, 3),
    ):
        assert result[key][:4] == ["success", "", "success", ""]
        assert list(second.seeds) == [seed + k for k in range(count)]
        assert len(first.seeds) == count
        assert first.seeds[0] != seed
        assert len(result[key][4]) == layers


def used_before(user: Profile, values: str) -> None:
    """As if the dialog had been used with these values: GIMP's own file of last values."""
    folder = user.gimp_folder / "plug-in-settings"
    folder.mkdir()
    (folder / f"GimpProcedureConfigRun-{FILL}.last").write_text(values)
