"""The candidate that is filled without the model, in the docker."""

from __future__ import annotations

import pytest
from fake_daemon import SMOOTH_COLOR, FakeDaemon, Script
from fake_krita import FakeDocument
from inpaint_client.requests import SmoothFill
from inpaint_krita.ui.results import caption_of
from krita_docker import (
    Docker,
    add_more,
    bgra,
    center,
    fill,
    mix_with,
    seeds,
    until,
)


def smooth_bgra() -> bytes:
    red, green, blue = (round(255 * each) for each in SMOOTH_COLOR)
    return bytes([blue, green, red, 255])


def wish_smooth(docker: Docker, key: str) -> None:
    """Choose in the list, as the artist does."""
    box = docker.panel.form.smooth
    at = box.findData(key)
    box.setCurrentIndex(at)
    box.activated.emit(at)


def is_smooth(docker: Docker) -> list[bool]:
    run = docker.controller.state.run
    assert run is not None
    return [result.is_smooth for result in run.results]


def test_a_smooth_candidate_is_the_last(docker: Docker, daemon: FakeDaemon) -> None:
    assert docker.panel.form.smooth.currentText() == "When likely better"
    fill(docker)
    assert SmoothFill(daemon.service.fills[-1].smooth) is SmoothFill.AUTO
    assert is_smooth(docker) == [False] * 3
    docker.document.root.children.pop()
    wish_smooth(docker, "always")
    fill(docker)
    assert docker.controller.state.notice is None
    group = docker.document.root.children[1]
    assert [layer.title for layer in group.children] == [
        "4 · smooth",
        "3 · seed 7",
        "2 · seed 6",
        "1 · seed 5",
    ]
    assert [layer.is_visible for layer in group.children] == [False, False, False, True]
    assert [center(docker, i) for i in range(4)] == [bgra(5), bgra(6), bgra(7), smooth_bgra()]
    run = docker.controller.state.run
    assert run is not None
    assert is_smooth(docker) == [False, False, False, True]
    assert [caption_of(result) for result in run.results] == ["5", "6", "7", "smooth"]
    until(lambda: all(docker.controller.state.strip.thumbnails))
    wish_smooth(docker, "never")
    fill(docker)
    assert SmoothFill(daemon.service.fills[-1].smooth) is SmoothFill.NEVER


def test_a_smooth_candidate_that_is_awaited_has_its_caption(docker: Docker, script: Script) -> None:
    docker.controller.set_option(smooth="always", candidates=1)
    script.delay_s = 0.3
    docker.panel.run_row.go.click()
    until(lambda: docker.controller.state.strip.count == 2)
    run = docker.controller.state.run
    assert run is not None
    assert not run.results[1].recipe
    assert [caption_of(result) for result in run.results] == ["5", "smooth"]
    docker.panel.run_row.stop.click()
    until(lambda: not docker.controller.is_busy)
    assert is_smooth(docker) == [False]
    assert [each.title for each in docker.document.root.children[1].children] == ["1 · seed 5"]


def test_a_smooth_candidate_follows_edited_ones_and_is_plain(docker: Docker) -> None:
    docker.controller.set_option(
        smooth="always", candidates=2, edits_for_new=True, also_without_edits=True
    )
    docker.controller.edit("smile", 1.0)
    fill(docker)
    assert [center(docker, i) for i in range(5)] == [
        bgra(5), bgra(5, 1.0), bgra(6), bgra(6, 1.0), smooth_bgra()
    ]  # fmt: skip
    run = docker.controller.state.run
    assert run is not None
    assert run.results[4].edits == {}
    assert (run.results[4].index, run.results[4].variant) == (2, -1)


def test_nothing_changes_a_smooth_candidate_and_the_docker_explains_why(
    docker: Docker, daemon: FakeDaemon
) -> None:
    docker.controller.set_option(smooth="always")
    fill(docker)
    edits, mix = docker.panel.edits, docker.panel.mix
    assert mix.other.findText("4 · smooth") < 0
    edits.sliders["smile"].spin.setValue(1.0)
    docker.controller.choose(3)  # before the edit was sent
    assert not edits.sliders["smile"].isEnabled()
    assert not edits.add.isEnabled()
    assert not mix.other.isEnabled()
    assert "without the model" in edits._empty.text()
    assert "without the model" in mix.other.toolTip()
    mix_with(docker, "2 · seed 6")
    assert mix.other.currentText() == "None"
    edits.apply.click()  # now the sliders are those of the next run
    assert edits.sliders["smile"].isEnabled()
    edits.sliders["smile"].spin.setValue(2.0)
    until(docker.panel.run_row.remark.isVisible)
    assert not edits.add.isEnabled()
    docker.controller.add_variant()
    assert not docker.controller.is_busy
    assert not daemon.service.edits
    assert [center(docker, i) for i in range(4)] == [bgra(5), bgra(6), bgra(7), smooth_bgra()]
    docker.controller.choose(0)
    assert edits.sliders["smile"].isEnabled()
    assert mix.other.isEnabled()
    assert "without the model" not in edits._empty.text()
    assert "without the model" not in mix.other.toolTip()


@pytest.mark.parametrize("is_forgotten", [False, True])
def test_more_candidates_come_from_another_one_than_the_smooth(
    docker: Docker, daemon: FakeDaemon, is_forgotten: bool
) -> None:
    docker.controller.set_option(smooth="always", candidates=2)
    fill(docker)
    docker.controller.choose(2)
    if is_forgotten:
        daemon.service.sessions.clear()
    add_more(docker)
    assert docker.controller.state.notice is None
    assert is_smooth(docker) == [False, False, True, False, False]
    assert [center(docker, i) for i in range(5)] == [
        bgra(5), bgra(6), smooth_bgra(), bgra(7), bgra(8)
    ]  # fmt: skip
    run = docker.controller.state.run
    assert run is not None
    assert [result.index for result in run.results] == [0, 1, 2, 3, 4]


def test_more_candidates_when_only_the_smooth_one_is_left(docker: Docker) -> None:
    docker.controller.set_option(smooth="always", candidates=1)
    fill(docker)
    docker.controller.delete(0)
    assert is_smooth(docker) == [True]
    add_more(docker)
    assert is_smooth(docker) == [True, False]
    assert seeds(docker) == [0, 6]


def test_a_smooth_candidate_is_kept_and_found_again(docker: Docker) -> None:
    docker.controller.set_option(smooth="always")
    fill(docker)
    docker.controller.choose(3)
    docker.panel.results.keep.click()
    until(lambda: docker.controller.state.run and docker.controller.state.run.kept)
    assert docker.document.root.children[1].title == "Smooth · Inpaint"
    copy = FakeDocument()
    copy.annotations = docker.document.annotations
    copy.root, copy.layers = docker.document.root, docker.document.layers
    docker.host.document = copy
    docker.controller.document_changed()
    assert is_smooth(docker) == [True]  # the others are gone for good
    assert docker.controller.state.is_smooth_chosen
    assert not docker.panel.edits.sliders["smile"].isEnabled()
