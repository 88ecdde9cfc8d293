"""What a model cannot do is disabled in the docker, which says why."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from fake_daemon import FakeDaemon, Script
from inpaint_client.session.abilities import NO_EDITS, ONE_CANDIDATE
from inpaint_krita import text
from inpaint_krita.app.connection_state import Phase
from krita_docker import Docker, add_more, bgra, center, fill, mix_with, seeds, until


@pytest.fixture(autouse=True)
def english() -> Iterator[None]:
    yield
    text.CATALOG.use_languages(["en"])


def check_again(docker: Docker) -> None:
    """Ask the daemon for its models again, as the docker does when it is opened."""
    before = docker.controller.state.connection.info
    docker.controller.open()
    until(lambda: docker.controller.state.connection.info is not before)
    until(lambda: docker.controller.state.connection.phase is Phase.READY)


@pytest.fixture
def single(docker: Docker, script: Script) -> Docker:
    """The docker with a model that makes one candidate; three are set."""
    script.single_candidate = True
    check_again(docker)
    return docker


@pytest.fixture
def fixed(docker: Docker, script: Script) -> Docker:
    """The docker with a model whose fills cannot be edited."""
    script.no_edits = True
    check_again(docker)
    return docker


def test_able_models_keep_all_controls(docker: Docker) -> None:
    fill(docker)
    panel = docker.panel
    assert panel.form.candidates.isEnabled()
    assert panel.form.candidates.value() == 3
    assert panel.form.candidates.toolTip() == "Number of candidates to create"
    assert panel.results.more.isEnabled()
    assert "new seeds" in panel.results.more.toolTip()
    assert panel.mix.other.isEnabled()
    assert panel.edits.sliders


def test_one_candidate_is_asked_for_and_the_count_says_why(
    single: Docker, daemon: FakeDaemon
) -> None:
    count = single.panel.form.candidates
    assert (count.isEnabled(), count.value(), count.toolTip()) == (False, 1, ONE_CANDIDATE)
    assert single.controller.state.fill_settings.candidates == 3  # for other models
    fill(single)
    assert single.controller.state.notice is None
    assert list(daemon.service.fills[-1].seeds) == [5]
    assert seeds(single) == [5]


def test_more_candidates_are_not_offered(single: Docker, daemon: FakeDaemon) -> None:
    fill(single)
    more = single.panel.results.more
    assert (more.isEnabled(), more.toolTip()) == (False, ONE_CANDIDATE)
    single.controller.add_candidates()  # by its shortcut
    assert not single.controller.is_busy
    notice = single.controller.state.notice
    assert notice is not None
    assert (notice.text, notice.is_problem) == (ONE_CANDIDATE, False)
    assert not daemon.service.edits
    assert seeds(single) == [5]


def test_the_one_candidate_is_edited_and_mixed(single: Docker) -> None:
    fill(single)
    single.panel.edits.sliders["smile"].spin.setValue(1.0)
    until(lambda: center(single, 0) == bgra(5, 1.0) and not single.controller.is_busy)
    assert single.panel.mix.other.isEnabled()


def test_a_model_without_edits_has_no_sliders_and_no_mixing(
    fixed: Docker, daemon: FakeDaemon
) -> None:
    fill(fixed)
    panel = fixed.panel
    assert not panel.edits.sliders
    assert panel.edits._empty.text() == NO_EDITS
    assert not panel.edits.add.isVisible()
    assert not panel.edits.apply.isVisible()
    assert (panel.mix.other.isEnabled(), panel.mix.other.toolTip()) == (False, NO_EDITS)
    mix_with(fixed, "2 · seed 6")
    assert panel.mix.other.currentText() == "None"
    fixed.controller.add_variant()
    fixed.controller.edit("smile", 1.0)
    assert not fixed.controller.is_busy
    assert not daemon.service.edits
    add_more(fixed)
    assert seeds(fixed) == [5, 6, 7, 8, 9, 10]
    assert fixed.controller.state.notice is None


def test_edits_set_for_an_earlier_model_are_not_sent(
    docker: Docker, daemon: FakeDaemon, script: Script
) -> None:
    docker.controller.set_option(edits_for_new=True, also_without_edits=True, candidates=1)
    docker.controller.edit("smile", 1.0)
    script.no_edits = True
    check_again(docker)
    fill(docker)
    assert docker.controller.state.notice is None
    assert not daemon.service.fills[-1].edits
    assert seeds(docker) == [5]


def test_a_fill_of_another_model_stays_fixed_among_the_sliders_of_an_able_one(
    docker: Docker, daemon: FakeDaemon, script: Script
) -> None:
    """The sliders are those of the next run; the chosen candidate has its own model."""
    script.no_edits, script.larger = True, "able"
    check_again(docker)
    docker.controller.set_option(model="fake")
    fill(docker)
    docker.controller.set_option(model="able")
    assert docker.controller.state.is_fixed
    assert docker.panel.mix.other.toolTip() == NO_EDITS
    docker.controller.edit("smile", 1.0)
    assert not docker.controller.is_busy
    assert not daemon.service.edits


def test_the_reasons_are_german_in_a_german_docker(docker: Docker, script: Script) -> None:
    text.CATALOG.use_languages(["de"])
    script.single_candidate = script.no_edits = True
    check_again(docker)
    assert "nur eine Füllung" in docker.panel.form.candidates.toolTip()
    assert "weder bearbeiten noch mischen" in docker.panel.edits._empty.text()
