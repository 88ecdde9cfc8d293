"""Selecting parts of faces from the docker."""

from __future__ import annotations

import asyncio

import pytest
from fake_daemon import FakeDaemon, Script, part_box
from inpaint_client.geometry import Box, Extent
from inpaint_client.segments import Part
from inpaint_krita.app.state import NoticeAction
from inpaint_krita.host.qt import QtWidgets
from inpaint_krita.host.selection import KeptSelection
from inpaint_protos.sentences import DOMAIN
from inpaint_protos.status.v1.status_pb2 import ErrorInfo
from inpaint_protos.v1 import inpaint_pb2 as pb
from krita_docker import Docker, fill, until

# The docker's tests have a document of 96 x 64 px, which is sent as it is.


def choose(docker: Docker, label: str) -> None:
    menu = docker.panel.form.select.menu()
    assert menu is not None
    next(each for each in menu.actions() if each.text() == label).trigger()


def wait(docker: Docker) -> None:
    until(lambda: not docker.controller.state.is_selecting)


def selected(docker: Docker) -> bytes:
    selection = docker.document.selection()
    assert selection is not None
    return bytes(selection.pixelData(0, 0, *docker.document.extent))


def test_each_entry_selects_its_part(docker: Docker, daemon: FakeDaemon) -> None:
    labels = ["Hair", "Skin", "Eyes", "Brows", "Mouth", "Glasses", "Background"]
    for label, part in zip(labels, Part, strict=True):
        choose(docker, label)
        assert docker.controller.state.is_selecting
        wait(docker)
        header = daemon.service.segments[-1]
        assert list(map(int, header.parts)) == [part]
        assert (header.image.width, header.image.height) == (96, 64)
        x, y, width, height = part_box(part, 96, 64)  # type: ignore[arg-type]
        coverage = selected(docker)
        middle = (y + height // 2) * 96
        assert coverage[middle + x + width // 2] == 255
        assert coverage[middle + x] == 128
        assert coverage[middle + x - 1] == 0
        assert sum(map(bool, coverage)) == Box(x, y, width, height).extent.area
    assert docker.controller.state.notice is None
    assert not daemon.service.fills


@pytest.mark.parametrize(
    ("selection", "faces"),
    [(Box(5, 5, 30, 50), [0]), (Box(60, 20, 8, 8), [1]), (Box(0, 0, 96, 64), [0, 1])],
)
def test_a_selection_says_whose_part_is_meant(
    docker: Docker, script: Script, selection: Box, faces: list[int]
) -> None:
    """Of two faces side by side, in an image that is sent at half its size."""
    script.faces = 2
    docker.document.extent = Extent(2 * 1024, 512)
    scaled = Box(*(px * 1024 // 48 for px in selection)).extent
    box = Box(selection.x * 1024 // 48, selection.y * 8, scaled.width, selection.height * 8)
    docker.document.selected = KeptSelection(box, b"\xff" * box.extent.area)
    choose(docker, "Eyes")
    wait(docker)
    x, y, width, height = part_box(pb.PART_EYES, 512, 256)
    row = selected(docker)[2 * (y + height // 2) * 2048 :][:2048]
    assert [row[2 * (face * 512 + x + width // 2)] == 255 for face in (0, 1)] == [
        face in faces for face in (0, 1)
    ]


def test_with_nothing_selected_the_part_is_that_of_all_faces(
    docker: Docker, script: Script
) -> None:
    script.faces = 2
    docker.document.selected = None
    choose(docker, "Eyes")
    wait(docker)
    x, y, width, height = part_box(pb.PART_EYES, 48, 64)
    row = selected(docker)[(y + height // 2) * 96 :][:96]
    assert row[x + width // 2] == row[48 + x + width // 2] == 255


def test_a_large_document_is_sent_reduced(docker: Docker, daemon: FakeDaemon) -> None:
    docker.document.extent = Extent(4000, 1001)
    choose(docker, "Hair")
    wait(docker)
    seen = daemon.service.segments[-1].image
    assert (seen.width, seen.height) == (1333, 333)
    assert len(selected(docker)) == 4000 * 1001
    assert selected(docker)[500 * 4000 + 700] == 255


def test_while_it_works_nothing_else_begins(docker: Docker, script: Script) -> None:
    script.delay_s = 0.2
    choose(docker, "Skin")
    panel = docker.panel
    assert not panel.form.select.isEnabled()
    assert not panel.run_row.go.isEnabled()
    assert panel.status.words.text() == "Finding the faces…"
    docker.controller.run()  # by its shortcut
    docker.controller.select(Part.HAIR)
    assert not docker.controller.state.progress.is_running
    wait(docker)
    assert panel.form.select.isEnabled()
    assert panel.run_row.go.isEnabled()
    assert panel.status.words.text() == "Ready on no device"
    fill(docker)
    assert docker.controller.state.run is not None


def test_during_a_fill_nothing_is_selected(
    docker: Docker, daemon: FakeDaemon, script: Script
) -> None:
    script.delay_s = 0.1
    docker.panel.run_row.go.click()
    until(lambda: docker.controller.state.progress.is_running)
    assert not docker.panel.form.select.isEnabled()
    docker.controller.select(Part.HAIR)
    until(lambda: not docker.controller.is_busy)
    assert not daemon.service.segments


def test_no_face_is_one_sentence_with_a_remedy(docker: Docker) -> None:
    before = docker.document.selected
    docker.document.has_face = False
    choose(docker, "Hair")
    wait(docker)
    notice = docker.controller.state.notice
    assert notice is not None
    assert notice.text == (
        "No face was found in the image. Turn the image until the face is upright, or select "
        "the region by hand."
    )
    assert notice.action is NoticeAction.NONE
    assert docker.panel.notice.isVisible()
    assert docker.document.selected is before
    docker.document.has_face = True
    choose(docker, "Hair")
    wait(docker)
    assert docker.controller.state.notice is None


def test_a_background_that_is_nowhere_is_not_selected(docker: Docker) -> None:
    before = docker.document.selected
    docker.document.has_face = False  # then the fake daemon sends no masks at all
    choose(docker, "Background")
    wait(docker)
    assert "does not show this part" in docker.panel.notice.words.text()
    assert docker.document.selected is before


def test_an_older_daemon_is_named_and_nothing_is_filled_instead(
    docker: Docker, daemon: FakeDaemon, script: Script
) -> None:
    script.fail = "UNIMPLEMENTED"
    script.reason = ErrorInfo(
        reason="UNKNOWN_METHOD", domain=DOMAIN, metadata={"name": "/inpaint.v1.Inpaint/Segment"}
    )
    choose(docker, "Hair")
    wait(docker)
    notice = docker.controller.state.notice
    assert notice is not None
    assert notice.is_problem
    assert "version" in notice.text
    assert notice.action is NoticeAction.NONE  # "Try again" would fill
    docker.controller.run_notice_action()
    assert not docker.controller.is_busy
    assert not daemon.service.fills


@pytest.mark.parametrize("event", ["resized", "closed"])
def test_an_answer_for_a_document_that_changed_is_dropped(
    docker: Docker, script: Script, daemon: FakeDaemon, event: str
) -> None:
    script.delay_s = 0.3
    before = docker.document.selected
    choose(docker, "Hair")
    until(lambda: daemon.service.segments)
    if event == "resized":
        docker.document.extent = Extent(97, 64)
        wait(docker)
        assert docker.controller.state.notice is None
    else:
        docker.document.is_open = False
        docker.host.document = None
        docker.controller.document_changed()
        until(lambda: not docker.daemon_connection._runs)
        QtWidgets.QApplication.processEvents()
    assert docker.document.selected is before


def test_without_a_document_the_button_is_off_and_the_action_says_why(docker: Docker) -> None:
    docker.host.document = None
    docker.controller.document_changed()
    assert not docker.panel.form.select.isEnabled()
    docker.controller.select(Part.HAIR)
    assert docker.panel.notice.words.text() == "Open an image first."


def test_a_daemon_that_is_gone_is_the_same_as_for_a_fill(
    docker: Docker, daemon: FakeDaemon
) -> None:
    future = asyncio.run_coroutine_threadsafe(daemon._server.stop(0), daemon._loop)
    future.result(20)
    choose(docker, "Hair")
    wait(docker)
    notice = docker.controller.state.notice
    assert notice is not None
    assert notice.is_problem
    assert docker.controller.state.connection.phase.name == "FAILED"
    assert docker.panel.form.select.isEnabled()
    assert not docker.daemon_connection._runs
