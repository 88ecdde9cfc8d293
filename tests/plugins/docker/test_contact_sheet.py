"""Saving a contact sheet from the docker."""

from __future__ import annotations

from pathlib import Path

import pytest
from fake_daemon import Script
from inpaint_client.geometry import Extent
from inpaint_client.session.contact_sheet import BACKGROUND, CONTEXT, arrange
from inpaint_krita.host.qt import QtGui
from krita_docker import Docker, bgra, fill, until


def save(docker: Docker, path: Path) -> str:
    """Save a sheet, and return the words of the notice."""
    docker.host.sheet = path
    docker.controller.save_contact_sheet()
    until(lambda: docker.controller.state.notice is not None)
    notice = docker.controller.state.notice
    assert notice is not None
    return notice.text


def rgb(image: QtGui.QImage, x: int, y: int) -> tuple[int, int, int]:
    color = image.pixelColor(x, y)
    return color.red(), color.green(), color.blue()


def test_the_sheet_shows_the_image_before_and_every_candidate(
    docker: Docker, tmp_path: Path
) -> None:
    fill(docker)
    docker.controller.star(1)
    docker.panel.edits.sliders["smile"].spin.setValue(1.0)
    until(lambda: docker.controller.is_busy)  # the sheet waits for the edit
    visible = [layer.is_visible for layer in docker.document.root.walk()]
    said = save(docker, tmp_path / "sheet.png")
    assert said == "The contact sheet was saved as “sheet.png”."
    assert docker.host.proposed is not None
    assert docker.host.proposed.name == "portrait contact sheet.png"
    assert [layer.is_visible for layer in docker.document.root.walk()] == visible
    assert [copy.is_open for copy in docker.document.copies] == [False]

    sheet = QtGui.QImage(str(tmp_path / "sheet.png"))
    side = round(24 * CONTEXT)
    layouts = (  # of one line, and with a second one below the edited candidate
        arrange(Extent(side, side), [line, 2 * line, line, line]) for line in range(99)
    )
    layout = next(each for each in layouts if each.extent == (sheet.width(), sheet.height()))
    places = [place.image for place in layout.places]
    shown = [rgb(sheet, place.x + side // 2, place.y + side // 2) for place in places[:2]]
    edited = bgra(5, 1.0)
    assert shown == [(120, 90, 60), (edited[2], edited[1], edited[0])]
    assert rgb(sheet, places[1].x + 2, places[1].y + 2) == (120, 90, 60)  # outside the selection
    assert rgb(sheet, 5, 5) == BACKGROUND
    assert sheet.colorSpace() == QtGui.QColorSpace(QtGui.QColorSpace.NamedColorSpace.SRgb)


@pytest.mark.parametrize("name", ["sheet.jpg", "sheet.JPEG"])
def test_a_name_chooses_jpeg(docker: Docker, tmp_path: Path, name: str) -> None:
    fill(docker)
    save(docker, tmp_path / name)
    assert (tmp_path / name).read_bytes()[:3] == b"\xff\xd8\xff"


def test_a_folder_that_is_gone_is_named(docker: Docker, tmp_path: Path) -> None:
    fill(docker)
    path = tmp_path / "gone" / "sheet.png"
    said = save(docker, path)
    assert said.startswith(f"“{path}” cannot be written (")
    assert said.endswith("Choose another folder.")


def test_the_document_s_folder_is_proposed(docker: Docker, tmp_path: Path) -> None:
    docker.document.file_name = str(tmp_path / "portrait.kra")
    fill(docker)
    docker.controller.save_contact_sheet()  # and the artist cancels
    assert docker.host.proposed == tmp_path / "portrait contact sheet.png"
    assert docker.controller.state.notice is None


def test_without_candidates_there_is_no_sheet(docker: Docker, tmp_path: Path) -> None:
    assert "no candidates" in save(docker, tmp_path / "sheet.png")
    fill(docker)
    docker.document.root.children.pop()  # undone
    docker.controller.dismiss()
    assert "no candidates" in save(docker, tmp_path / "sheet.png")
    assert not list(tmp_path.glob("sheet*"))


def test_a_run_in_progress_comes_first(docker: Docker, tmp_path: Path, script: Script) -> None:
    script.delay_s = 0.1
    docker.controller.run()
    until(lambda: docker.controller.state.progress.done >= 1)
    docker.controller.save_contact_sheet()
    notice = docker.controller.state.notice
    assert notice is not None
    assert notice.text == "Wait for the run in progress, or cancel it."
    assert docker.host.proposed is None
    until(lambda: not docker.controller.is_busy)


def test_a_candidate_that_was_kept_is_shown(docker: Docker, tmp_path: Path) -> None:
    fill(docker)
    docker.panel.results.keep.click()
    until(lambda: docker.controller.state.run_is_kept)
    save(docker, tmp_path / "sheet.png")
    assert QtGui.QImage(str(tmp_path / "sheet.png")).width() < 700  # two columns


def test_an_image_that_is_closed_meanwhile_has_no_sheet(docker: Docker, tmp_path: Path) -> None:
    fill(docker)
    docker.host.sheet = tmp_path / "sheet.png"
    docker.controller.save_contact_sheet()
    docker.document.is_open = False
    until(lambda: docker.controller.state.notice is not None)
    notice = docker.controller.state.notice
    assert notice is not None
    assert notice.text == "The image was closed."
    assert not (tmp_path / "sheet.png").exists()
