"""Filling several images or layers, from the dialog to the notice at the end."""

from __future__ import annotations

import pytest
from fake_daemon import FakeDaemon, Script, part_box
from fake_krita import FakeDocument, FakeLayer
from inpaint_client.geometry import Box, Extent
from inpaint_client.segments import Part
from inpaint_client.settings import ConnectionSettings
from inpaint_krita.app.batch import Order
from inpaint_krita.app.batch_report import Fate, Outcome, report
from inpaint_krita.host.qt import QtWidgets
from inpaint_krita.ui.batch_dialog import BatchDialog
from inpaint_protos.v1 import inpaint_pb2 as pb
from krita_docker import Docker, fill, until


def image(docker: Docker, title: str, is_selected: bool = True) -> FakeDocument:
    """Open another image behind the active one."""
    document = FakeDocument(Extent(80, 60))
    document.title = title
    if not is_selected:
        document.selected = None
    docker.host.others.append(document)
    return document


def dialog(docker: Docker) -> BatchDialog:
    docker.panel.open_batch()
    found = docker.panel.findChild(BatchDialog)
    assert found is not None
    return found


def run(docker: Docker, order: Order) -> str:
    """Run a batch, and return the words of the notice."""
    docker.controller.run_several(order)
    return finished(docker)


def finished(docker: Docker) -> str:
    until(lambda: not docker.controller.is_busy)
    notice = docker.controller.state.notice
    assert notice is not None
    return notice.text


def candidates(document: FakeDocument) -> list[list[str]]:
    """Return the names of the candidates of each run, from the bottom."""
    groups = [layer for layer in document.root.children if layer.kind == "grouplayer"]
    return [[layer.title for layer in reversed(group.children)] for group in groups]


def written(layer: FakeLayer, extent: Extent) -> bytes:
    """Return where a layer has pixels, one byte per pixel."""
    return bytes(layer.data[3::4]) if layer.data else bytes(extent.area)


THREE = ["1 · seed 5", "2 · seed 6", "3 · seed 7"]


def test_all_open_images_are_filled_but_those_without_a_selection(
    docker: Docker, daemon: FakeDaemon
) -> None:
    second, third = image(docker, "b.kra", is_selected=False), image(docker, "c.kra")
    shown = dialog(docker)
    assert shown.scope.currentText() == "All open images (3)"
    assert shown.what.currentText() == "Each image's selection"
    assert shown.note.text() == "1 image has no selection and is skipped."
    assert shown.candidates.text() == "As in the docker (3)"
    shown.accept()
    state = docker.controller.state
    assert state.progress.is_running
    row = docker.panel.run_row
    until(lambda: row.batch.text() == "3 of 3: c.kra")
    assert row.bar.value() >= 2 * 1000 // 3
    assert finished(docker) == (
        "2 images were filled, 1 was skipped. “b.kra”: Nothing is selected."
    )
    notice = docker.controller.state.notice
    assert notice is not None
    assert not notice.is_problem
    assert not docker.controller.state.progress.is_running
    assert candidates(docker.document) == candidates(third) == [THREE]
    assert candidates(second) == []
    assert len(daemon.service.fills) == 2
    for document in (docker.document, third):
        assert len(document.annotations) == 1  # it can be edited later, like any other run


def test_other_numbers_of_candidates_and_seeds(docker: Docker, daemon: FakeDaemon) -> None:
    image(docker, "b.kra")
    docker.controller.set_option(new_seed=True, context="frame", frame_side=40.0)
    run(docker, Order(candidates=2))
    seeds = [list(each.seeds) for each in daemon.service.fills]
    assert [len(each) for each in seeds] == [2, 2]
    assert seeds[0] != seeds[1]
    assert all(each.frame_mode != pb.FRAME_MODE_EXPLICIT for each in daemon.service.fills)
    assert docker.controller.state.fill_settings.candidates == 3
    assert docker.controller.state.fill_settings.context == "frame"


def test_a_part_is_filled_without_changing_any_selection(
    docker: Docker, daemon: FakeDaemon
) -> None:
    other, plain = image(docker, "b.kra", is_selected=False), image(docker, "c.kra")
    plain.has_face = False
    own = docker.document.selected
    shown = dialog(docker)
    shown.what.setCurrentIndex(shown.what.findText("Eyes"))
    assert shown.note.text() == "Each image keeps its selection."
    shown.accept()
    until(lambda: docker.panel.status.words.text() == "Finding the faces…")
    assert finished(docker) == (
        "2 images were filled, 1 was skipped. “c.kra”: No face was found in the image. Turn the "
        "image until the face is upright, or select the region by hand."
    )
    assert docker.document.selected is own
    assert other.selected is None
    assert [list(map(int, each.parts)) for each in daemon.service.segments] == [[Part.EYES]] * 3
    for document in (docker.document, other):
        extent = document.extent
        box = Box(*part_box(Part.EYES, *extent))  # type: ignore[arg-type]
        (group,) = document.root.children[1:]
        covered = written(group.children[-1], extent)
        assert sum(map(bool, covered)) == box.extent.area
        assert covered[(box.y + box.height // 2) * extent.width + box.x + box.width // 2] == 255


def test_layers_are_filled_from_their_own_pixels(docker: Docker, daemon: FakeDaemon) -> None:
    document = docker.document
    fill(docker)  # an earlier fill, which is no layer of the artist's
    whole = Box.of_extent(document.extent)
    red = document.add_paint("red", whole, bytes([0, 0, 250, 255]))
    hidden = document.add_paint("hidden", whole, bytes([9, 9, 9, 255]))
    hidden.is_visible = False
    document.add_paint("locked", whole, bytes([9, 9, 9, 255])).is_locked = True
    document.add_paint("empty")
    document.add_paint("aside", Box(0, 0, 4, 4), bytes([9, 9, 9, 255]))
    green = document.add_paint("green", whole, bytes([0, 250, 0, 255]))
    active = document.active
    shown = dialog(docker)
    shown.scope.setCurrentIndex(1)
    assert shown.scope.currentText() == "Paint layers of this image (4)"
    assert shown.what.currentText() == "The selection, in each layer"
    shown.accept()
    assert finished(docker) == (
        "3 layers were filled, 4 were skipped. “hidden”: It is hidden. “locked”: It is locked. "
        "“empty”: It is empty. “aside”: It has no pixels inside the selection."
    )
    titles = [layer.title for layer in document.root.children]
    for layer in ("Background", "red", "green"):
        assert titles[titles.index(layer) + 1].startswith("Seed 5"), titles
    assert candidates(document) == [THREE] * 4
    sent = [each.crop.data[:3] for each in daemon.service.fills[1:]]
    assert sent == [bytes([120, 90, 60]), bytes([250, 0, 0]), bytes([0, 250, 0])]
    assert document.active is active
    assert bytes(red.data[:4]) == bytes([0, 0, 250, 255])
    # Once more: directly above each layer and its own fills, not above those of other layers.
    run(docker, Order(of_layers=True))
    kinds = [layer.kind for layer in document.root.children]
    start = document.root.children.index(red)
    assert kinds[start : start + 4] == ["paintlayer", "grouplayer", "grouplayer", "paintlayer"]
    assert document.root.children.index(green) == len(kinds) - 3


def test_cancel_keeps_what_is_done(docker: Docker, script: Script) -> None:
    second, third = image(docker, "b.kra"), image(docker, "c.kra")
    docker.controller.run_several(Order())
    until(lambda: docker.controller.state.batch == (2, 3, "b.kra"))
    script.delay_s = 0.3
    docker.panel.run_row.stop.click()
    said = finished(docker)
    assert candidates(docker.document) == [THREE]
    assert candidates(third) == []
    assert len(candidates(second)) <= 1
    assert said in (
        "1 image was filled, 2 were not reached.",
        "2 images were filled, 1 was not reached.",
    )


def test_cancel_while_a_part_is_looked_for(docker: Docker, script: Script) -> None:
    image(docker, "b.kra")
    script.delay_s = 0.5
    docker.controller.run_several(Order(part=Part.HAIR))
    until(lambda: docker.controller.state.is_selecting)
    docker.controller.cancel()
    assert finished(docker) == "No image was filled, 2 were not reached."
    assert candidates(docker.document) == []


def test_an_image_that_is_closed_meanwhile_is_reported(docker: Docker, script: Script) -> None:
    second, third = image(docker, "b.kra"), image(docker, "c.kra")
    script.delay_s = 0.1
    docker.controller.run_several(Order())
    until(lambda: docker.controller.state.progress.done >= 1)
    docker.host.document, docker.document.is_open = second, False
    docker.controller.document_changed()
    assert (
        finished(docker) == "2 images were filled, 1 failed. “portrait.kra”: The image was closed."
    )
    assert candidates(second) == candidates(third) == [THREE]
    notice = docker.controller.state.notice
    assert notice is not None
    assert notice.is_problem


def test_an_image_that_is_closed_behind_the_active_one(docker: Docker, script: Script) -> None:
    """Krita then tells the docker nothing."""
    second, third = image(docker, "b.kra"), image(docker, "c.kra")
    script.delay_s = 0.1
    docker.controller.run_several(Order())
    until(lambda: docker.controller.state.batch == (2, 3, "b.kra"))
    until(lambda: docker.controller.state.progress.done >= 1)
    second.is_open = False
    assert finished(docker) == "2 images were filled, 1 failed. “b.kra”: The image was closed."
    assert candidates(docker.document) == candidates(third) == [THREE]


def test_a_refusal_is_reported_and_the_batch_goes_on(docker: Docker, script: Script) -> None:
    second = image(docker, "b.kra")
    script.fail = "INVALID_ARGUMENT"
    docker.controller.run_several(Order())
    until(lambda: docker.controller.state.batch == (2, 2, "b.kra"))
    script.fail = ""
    said = finished(docker)
    assert said.startswith("1 image was filled, 1 failed. “portrait.kra”: "), said
    assert candidates(second) == [THREE]
    docker.controller.dismiss()
    assert docker.controller.state.notice is None  # it was told once


def test_the_batch_ends_when_no_daemon_is_left(docker: Docker) -> None:
    image(docker, "b.kra")
    image(docker, "c.kra")
    docker.controller.use_connection(ConnectionSettings(address="127.0.0.1:1"))
    said = run(docker, Order())
    assert said.startswith("No image was filled, 1 failed, 2 were not reached. “portrait.kra”: ")


def test_while_it_works_nothing_else_begins(docker: Docker, script: Script) -> None:
    image(docker, "b.kra")
    script.delay_s = 0.1
    docker.controller.run_several(Order())
    until(lambda: docker.controller.state.batch is not None)
    docker.controller.run()
    docker.controller.select(Part.HAIR)
    docker.controller.run_several(Order(of_layers=True))
    assert docker.controller.batch_offer() is None
    assert not docker.panel.run_row.go.isVisible()
    finished(docker)
    assert candidates(docker.document) == [THREE]


def test_nothing_to_fill_cannot_be_started(docker: Docker) -> None:
    docker.document.selected = None
    shown = dialog(docker)
    assert not shown.ok.isEnabled()
    shown.scope.setCurrentIndex(1)
    assert shown.note.text() == "Nothing is selected in this image."
    assert not shown.ok.isEnabled()
    shown.what.setCurrentIndex(shown.what.findText("Mouth"))
    assert shown.ok.isEnabled()
    assert shown.order == Order(of_layers=True, part=Part.MOUTH)
    shown.reject()
    assert not docker.controller.is_busy


def test_a_run_in_progress_comes_first(docker: Docker, script: Script) -> None:
    script.delay_s = 0.1
    docker.controller.run()
    docker.panel.open_batch()
    assert docker.panel.findChild(QtWidgets.QDialog) is None
    until(lambda: not docker.controller.is_busy)
    notice = docker.controller.state.notice
    assert notice is not None
    assert notice.text == "Wait for the run in progress, or cancel it."


@pytest.mark.parametrize(
    ("outcomes", "words"),
    [
        ([], "No layer was filled."),
        ([Outcome("a", Fate.FILLED)], "1 layer was filled."),
        (
            [Outcome(name, Fate.SKIPPED, "It is hidden.") for name in "abcde"],
            "No layer was filled, 5 were skipped. “a”, “b”, “c” and 2 more: It is hidden.",
        ),
        (
            [Outcome("a", Fate.FAILED, "No."), Outcome("b", Fate.NOT_REACHED)],
            "No layer was filled, 1 failed, 1 was not reached. “a”: No.",
        ),
    ],
)
def test_the_report_counts_and_names(outcomes: list[Outcome], words: str) -> None:
    assert report(outcomes, of_layers=True).text == words
