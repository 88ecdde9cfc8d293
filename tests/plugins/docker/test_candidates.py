"""Candidates are added to a run, deleted, starred and kept."""

from __future__ import annotations

from fake_daemon import FakeDaemon, Script
from inpaint_krita.host.qt import QtCore, QtGui, QtWidgets
from krita_docker import (
    Docker,
    add_more,
    bgra,
    center,
    chosen_seed,
    click,
    fill,
    press,
    seeds,
    until,
)


def test_more_candidates_join_the_run(docker: Docker, daemon: FakeDaemon) -> None:
    fill(docker)
    click(docker.panel.results.grid, docker.panel.results.grid.star_box(1).center())
    docker.panel.edits.sliders["smile"].spin.setValue(1.0)
    until(lambda: center(docker, 0) == bgra(5, 1.0) and not docker.controller.is_busy)
    asked = len(daemon.service.edits)
    docker.controller.set_option(candidates=2, edits_for_new=True)
    add_more(docker)
    assert docker.controller.state.notice is None
    assert seeds(docker) == [5, 6, 7, 8, 9]
    assert [center(docker, i) for i in range(5)] == [
        bgra(5, 1.0), bgra(6), bgra(7), bgra(8, 1.0), bgra(9, 1.0)
    ]  # fmt: skip
    assert chosen_seed(docker) == 5
    run = docker.controller.state.run
    assert run is not None
    assert [result.starred for result in run.results] == [False, True, False, False, False]
    assert [result.index for result in run.results] == [0, 1, 2, 3, 4]
    assert run.results[4].edits == {"smile": 1.0}
    assert len(docker.controller.state.strip.thumbnails) == 5
    until(lambda: all(docker.controller.state.strip.thumbnails))
    assert len(docker.document.annotations) == 1
    sent = daemon.service.edits[asked:]
    assert [edit.seed for edit in sent] == [8, 9]
    assert all(edit.session_id and not edit.HasField("source") for edit in sent)
    assert len(set(daemon.service.routing_keys)) == 1  # also of the slider's edits before
    docker.controller.choose(4)
    docker.panel.edits.sliders["smile"].spin.setValue(2.0)  # by its recipe
    until(lambda: center(docker, 4) == bgra(9, 2.0))
    add_more(docker)
    assert seeds(docker) == [5, 6, 7, 8, 9, 10, 11]


def test_more_candidates_each_with_and_without_edits(docker: Docker) -> None:
    docker.controller.set_option(edits_for_new=True, also_without_edits=True, candidates=1)
    docker.controller.edit("smile", 1.0)
    fill(docker)
    docker.controller.choose(1)
    add_more(docker)
    assert [center(docker, i) for i in range(4)] == [bgra(5), bgra(5, 1.0), bgra(6), bgra(6, 1.0)]
    run = docker.controller.state.run
    assert run is not None
    assert [(each.index, each.variant) for each in run.results] == [
        (0, -1),
        (0, 0),
        (1, -1),
        (1, 0),
    ]


def test_more_candidates_are_plain_unless_asked_for(docker: Docker) -> None:
    fill(docker)
    docker.panel.edits.sliders["smile"].spin.setValue(1.0)
    until(lambda: center(docker, 0) == bgra(5, 1.0) and not docker.controller.is_busy)
    add_more(docker)
    assert [center(docker, i) for i in (0, 3)] == [bgra(5, 1.0), bgra(8)]


def test_a_daemon_that_has_forgotten_the_run_adds_to_it_by_the_recipe(
    docker: Docker, daemon: FakeDaemon
) -> None:
    fill(docker)
    daemon.service.sessions.clear()
    add_more(docker)
    assert docker.controller.state.notice is None
    assert [center(docker, i) for i in range(3, 6)] == [bgra(8), bgra(9), bgra(10)]
    assert [edit.HasField("source") for edit in daemon.service.edits] == [False, True, False, False]


def test_cancelled_additions_keep_what_came(docker: Docker, script: Script) -> None:
    fill(docker)
    docker.controller.choose(1)
    script.delay_s = 0.3
    docker.panel.results.more.click()
    until(lambda: any(docker.controller.state.strip.thumbnails[3:]))
    docker.panel.run_row.stop.click()
    until(lambda: not docker.controller.is_busy)
    assert seeds(docker) == [5, 6, 7, 8]
    assert chosen_seed(docker) == 6
    (more,) = (layer for layer in docker.document.root.walk() if layer.title.endswith("more"))
    assert [layer.title for layer in more.children] == ["4 · seed 8"]


def test_additions_to_a_run_that_was_undone_meanwhile_are_a_sentence(
    docker: Docker, script: Script
) -> None:
    fill(docker)
    script.delay_s = 0.3
    docker.panel.results.more.click()
    docker.document.root.children.pop()
    until(lambda: not docker.controller.is_busy)
    notice = docker.controller.state.notice
    assert notice is not None
    assert "no longer in the image" in notice.text
    assert seeds(docker) == [5, 6, 7]


def test_a_deleted_candidate_leaves_the_strip_and_a_neighbor_is_chosen(docker: Docker) -> None:
    fill(docker)
    grid = docker.panel.results.grid
    group = docker.document.root.children[1]
    docker.controller.choose(1)
    press(grid, QtCore.Qt.Key.Key_Delete)
    assert seeds(docker) == [5, 7]
    assert chosen_seed(docker) == 7
    click(grid, grid.star_box(1).center())
    assert docker.controller.state.run is not None
    assert [each.starred for each in docker.controller.state.run.results] == [False, True]
    docker.controller.delete(1)
    assert chosen_seed(docker) == 5
    assert [layer.title for layer in group.children] == ["1 · seed 5"]
    docker.controller.delete(0)  # the last one takes the group along
    assert [layer.title for layer in docker.document.root.children] == ["Background"]
    assert not docker.controller.state.run_is_attached


def test_an_undone_deletion_brings_the_candidate_back(docker: Docker) -> None:
    fill(docker)
    group = docker.document.root.children[1]
    before = list(group.children)
    docker.controller.delete(0)
    assert (seeds(docker), chosen_seed(docker)) == ([6, 7], 6)
    group.children[:] = before  # as Krita's undo does
    docker.controller._check_document()
    assert (seeds(docker), chosen_seed(docker)) == ([5, 6, 7], 5)
    docker.controller.delete(2)
    group.children[:] = before
    docker.controller._check_document()
    assert (seeds(docker), chosen_seed(docker)) == ([5, 6, 7], 5)


def test_undone_additions_are_not_listed(docker: Docker) -> None:
    fill(docker)
    docker.controller.set_option(candidates=1)
    add_more(docker)
    group = docker.document.root.children[1]
    docker.controller.choose(3)
    more = group.children.pop()
    docker.controller._check_document()
    assert (seeds(docker), chosen_seed(docker)) == ([5, 6, 7], 7)
    group.children.append(more)
    docker.controller._check_document()
    assert (seeds(docker), chosen_seed(docker)) == ([5, 6, 7, 8], 8)


def test_keep_takes_all_that_are_starred(docker: Docker) -> None:
    fill(docker)
    docker.controller.set_option(candidates=2)
    add_more(docker)
    keep = docker.panel.results.keep
    assert keep.text() == "Keep this one"
    for place in (1, 4):
        docker.controller.star(place)
    assert keep.text() == "Keep starred (2)"
    docker.controller.choose(3)
    group = docker.document.root.children[1]
    keep.click()
    until(lambda: docker.controller.state.run_is_kept)
    kept = [f"Seed {seed} · Inpaint · Constant colors" for seed in (6, 9)]
    # They are renamed one after the other, after they have been moved.
    until(lambda: sorted(layer.title for layer in docker.document.root.children[1:]) == kept)
    assert docker.document.root.children[0].title == "Background"
    assert seeds(docker) == [6, 9]
    assert chosen_seed(docker) == 9  # next to the one that was chosen, which is not kept
    assert {layer.title for layer in group.children} == {"1 · seed 5", "3 · seed 7"}
    assert not keep.isEnabled()
    docker.panel.edits.sliders["smile"].spin.setValue(1.0)
    until(lambda: center(docker, 1) == bgra(9, 1.0))


def test_keep_takes_the_only_one_that_is_starred(docker: Docker) -> None:
    fill(docker)
    docker.controller.star(2)
    docker.panel.results.keep.click()
    until(lambda: docker.controller.state.run_is_kept)
    assert [layer.kind for layer in docker.document.root.children] == ["paintlayer"] * 2
    assert "Seed 7" in docker.document.root.children[1].title


def test_keep_refuses_if_the_layers_would_appear_different(docker: Docker) -> None:
    fill(docker)
    group = docker.document.root.children[1]
    mask = type(group)("a mask", "transparencymask", group)
    group.children.append(mask)
    for place in (0, 1):
        docker.controller.star(place)
    before = list(group.children)
    docker.panel.results.keep.click()
    until(lambda: docker.controller.state.notice)
    notice = docker.controller.state.notice
    assert notice is not None
    assert "mask" in notice.text
    assert group.children == before
    group.children.remove(mask)
    docker.panel.results.keep.click()
    until(lambda: docker.controller.state.run_is_kept)


def test_a_candidate_has_a_menu(docker: Docker) -> None:
    fill(docker)
    grid = docker.panel.results.grid

    def entries() -> list[QtGui.QAction]:
        place = grid.cell(1).center()
        reason = QtGui.QContextMenuEvent.Reason.Mouse
        event = QtGui.QContextMenuEvent(reason, place, grid.mapToGlobal(place))
        QtWidgets.QApplication.sendEvent(grid, event)
        (menu,) = (each for each in grid.findChildren(QtWidgets.QMenu) if each.isVisible())
        found = [entry for entry in menu.actions() if not entry.isSeparator()]
        menu.hide()
        return found

    star, delete, sheet = entries()
    assert (star.text(), delete.text()) == ("Add star", "Delete this candidate")
    assert sheet.text() == "Save contact sheet…"
    sheet.trigger()
    assert docker.host.proposed is not None
    star.trigger()
    star, delete, _sheet = entries()
    assert star.text() == "Remove star"
    delete.trigger()
    assert seeds(docker) == [5, 7]
    assert "(2)" in docker.panel.history.currentText()
