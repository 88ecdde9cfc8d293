"""The behavior of the dialogs against a daemon, without a window."""

from __future__ import annotations

import pytest
from eventually import eventually
from fake_daemon import FakeDaemon, Script
from gimp_dialog import Window, color, expected, filled, is_shown, job, source
from inpaint_client import (
    DaemonNotFoundError,
    Edits,
    Endpoint,
    Method,
    ProgramNotFoundError,
    SmoothFill,
    Worker,
    parse_endpoint,
)
from inpaint_client.session.abilities import NO_EDITS, ONE_CANDIDATE
from inpaint_gimp.app.presenter import Presenter
from inpaint_gimp.app.state import Phase
from inpaint_gimp.runs.layers import layer_name, short_name
from inpaint_gimp.translation import CATALOG
from inpaint_protos.sentences import DOMAIN
from inpaint_protos.status.v1.status_pb2 import ErrorInfo
from inpaint_protos.v1 import inpaint_pb2 as pb


def test_connecting_shows_what_the_daemon_can_do(presenter: Presenter, window: Window) -> None:
    presenter.connect()
    assert presenter.state.phase is Phase.CONNECTING
    window.until(lambda: presenter.state.phase is Phase.IDLE)
    assert window.info is not None
    assert [d.name for d in window.info.models[0].directions] == ["smile", "age", "light"]


def test_a_missing_daemon_is_reported_with_the_remedy(window: Window) -> None:
    def locate() -> Endpoint:
        raise DaemonNotFoundError("No daemon is running on this machine.", "Start it.")

    worker = Worker(locate)
    presenter = Presenter(window, worker, window.turns.put)
    presenter.connect()
    window.until(lambda: presenter.state.phase is Phase.UNREACHABLE)
    assert presenter.state.status == "No daemon is running on this machine. Start it."
    assert presenter.state.is_error
    assert not presenter.state.lacks_program
    worker.close()


def test_a_missing_program_can_be_chosen(window: Window) -> None:
    def locate() -> Endpoint:
        raise ProgramNotFoundError("inpaint-server was not found.")

    worker = Worker(locate)
    presenter = Presenter(window, worker, window.turns.put)
    presenter.connect()
    window.until(lambda: presenter.state.phase is Phase.UNREACHABLE)
    assert presenter.state.lacks_program
    worker.close()


def test_candidates_appear_one_by_one(presenter: Presenter, window: Window) -> None:
    filled(presenter, window)
    assert window.strips == [[], [7], [7, 8], [7, 8, 9]]
    assert [state.phase for state in window.states].count(Phase.READY) == 1
    assert color(window.renderings[1]) == expected(8)


def test_the_most_natural_candidate_is_first_and_chosen(
    presenter: Presenter, window: Window, daemon: FakeDaemon
) -> None:
    daemon.service.script.scored = True
    filled(presenter, window)
    assert window.strips == [[], [7], [7, 8], [7, 8, 9], [9, 8, 7]]
    assert presenter.strip.chosen == 0
    assert presenter.state.status.endswith("The most natural candidate is first.")
    presenter.choose(1)
    more(presenter, window, 1, {})  # seed 10 is the least natural
    assert window.strips[-1] == [9, 8, 7, 10]
    assert presenter.strip.chosen == 1


def test_variants_follow_their_candidate(presenter: Presenter, window: Window) -> None:
    filled(
        presenter,
        window,
        count=2,
        edits={"age": 1.0},
        variants=({"smile": 2.0},),
    )
    assert window.strips[-1] == [7, 7, 8, 8]
    assert [each.edits for each in presenter.strip.renderings][:2] == [
        {"age": 1.0},
        {"age": 1.0, "smile": 2.0},
    ]


def test_choosing_shows_that_ones_edits(presenter: Presenter, window: Window) -> None:
    filled(presenter, window, count=1, variants=({"smile": 2.0},))
    presenter.choose(1)
    assert presenter.strip.chosen == 1
    assert window.edits == {"smile": 2.0}


def test_a_copy_is_kept_while_the_sliders_go_on(presenter: Presenter, window: Window) -> None:
    filled(presenter, window, count=2)
    presenter.sliders.slide({"smile": 1.0})
    presenter.keep()  # while the edit is on its way: the slot moves, not the place
    window.until(lambda: bool(presenter.strip.renderings[0].edits))
    assert window.strips[-1] == [7, 7, 8]
    assert [color(each) for each in presenter.strip.renderings] == [
        expected(7, smile=1.0),
        expected(7),
        expected(8),
    ]


def test_stopping_keeps_what_has_arrived(window: Window) -> None:
    with FakeDaemon(Script(delay_s=0.3)) as daemon:
        worker = Worker(lambda: parse_endpoint(daemon.address))
        presenter = Presenter(window, worker, window.turns.put)
        presenter.fill(job(count=20), source)
        window.until(lambda: len(presenter.strip.renderings) == 1)
        presenter.stop()
        window.until(lambda: presenter.state.phase is Phase.READY)
        assert presenter.state.status == "Stopped."
        assert not presenter.state.is_error
        worker.close()
        assert eventually(lambda: daemon.service.cancelled == ["session-1"])


def test_after_closing_nothing_is_shown_and_the_daemon_is_free(window: Window) -> None:
    with FakeDaemon(Script(delay_s=0.3)) as daemon:
        worker = Worker(lambda: parse_endpoint(daemon.address))
        presenter = Presenter(window, worker, window.turns.put)
        presenter.fill(job(count=20), source)
        window.until(lambda: len(presenter.strip.renderings) == 1)
        presenter.close()
        worker.close()
        shown = len(window.states)
        window.settle()
        assert len(window.states) == shown
        assert eventually(lambda: daemon.service.cancelled == ["session-1"])


@pytest.mark.parametrize(("model", "kept"), [("fail:INTERNAL", 0), ("fail:NOT_FOUND:2", 2)])
def test_a_failed_fill_shows_why_and_keeps_what_has_arrived(
    presenter: Presenter, window: Window, model: str, kept: int
) -> None:
    presenter.fill(job(model=model), source)
    window.until(lambda: presenter.state.phase is not Phase.RUNNING)
    assert presenter.state.is_error
    assert "on demand" in presenter.state.status
    assert len(presenter.strip.renderings) == kept
    assert presenter.state.phase is (Phase.READY if kept else Phase.IDLE)


def test_a_warning_stays_until_the_next_fill(
    presenter: Presenter, window: Window, daemon: FakeDaemon
) -> None:
    daemon.service.script.warning = "Only the part inside the frame is filled."
    filled(presenter, window)
    assert presenter.state.status == "Done."
    presenter.sliders.slide({"smile": 1.0})
    window.until(lambda: is_shown(presenter, 0, {"smile": 1.0}))
    presenter.warn("Something else.")
    presenter.add_candidates(2, {})
    window.until(lambda: presenter.state.phase is Phase.READY)
    assert window.notice == "Only the part inside the frame is filled. Something else."
    daemon.service.script.warning = ""
    filled(presenter, window)
    assert window.notice == ""


ENLARGED = pb.Notice(
    code="ENLARGED", values={"resolution": "256", "times": "2.1"}, text="Enlarged.", is_detail=True
)


NEWER = pb.Notice(code="OF_A_NEWER_DAEMON", text="Something new.")


def test_the_daemon_speaks_the_artists_language(
    presenter: Presenter, window: Window, daemon: FakeDaemon
) -> None:
    script = daemon.service.script
    script.notices = (pb.Notice(code="ONLY_INSIDE", text="Only inside."), ENLARGED, NEWER)
    CATALOG.use_languages(["de"])
    try:
        filled(presenter, window)
        assert window.notice == (
            "Die Auswahl reicht über den Rahmen hinaus. Nur der Teil im Rahmen wird gefüllt. "
            "Something new."
        )
        assert presenter.state.status == (
            "Fertig. Mit 256 px gefüllt und auf das 2,1-Fache vergrößert."
        )
        script.fail = "RESOURCE_EXHAUSTED"
        script.reason = ErrorInfo(reason="QUEUE_FULL", domain=DOMAIN, metadata={"limit": "32"})
        presenter.fill(job(), source)
        window.until(lambda: presenter.state.is_error)
        assert presenter.state.status.startswith("Die Warteschlange ist voll: 32 Anfragen")
    finally:
        CATALOG.use_languages(["en"])
        script.fail, script.reason, script.notices = "", None, ()


def test_a_fill_that_continued_on_another_daemon_is_reported(
    presenter: Presenter, window: Window
) -> None:
    CATALOG.use_languages(["de"])
    try:
        presenter.fill(job(count=2, model="fail:END:1"), source)
        window.until(lambda: presenter.state.phase is Phase.READY)
    finally:
        CATALOG.use_languages(["en"])
    assert window.notice.startswith("Der Dienst hat mitten im Füllen aufgehört.")
    assert [each.candidate.index for each in presenter.strip.renderings] == [0, 1]
    assert [each.candidate.seed for each in presenter.strip.renderings] == [7, 8]


def test_what_the_last_daemon_was_killed_at_is_reported_once(
    presenter: Presenter, window: Window, daemon: FakeDaemon
) -> None:
    work = ["Fill model=portrait crop=8192x8192x3 seeds=4"]
    daemon.service.script.last_killed = pb.LastKilled(work=work, began_unix_s=5.0)
    presenter.connect()
    window.until(lambda: presenter.state.phase is Phase.IDLE)
    assert window.notice.startswith(
        f"The previous daemon was killed while it was working ({work[0]})."
    )
    presenter.dismiss()
    presenter.connect()
    window.until(lambda: presenter.state.phase is Phase.IDLE)
    assert window.notice == ""


def test_a_warning_that_was_dismissed_does_not_come_back_with_the_results(
    presenter: Presenter, window: Window, daemon: FakeDaemon
) -> None:
    daemon.service.script.warning = "Only the part inside the frame is filled."
    presenter.fill(job(), source)
    window.until(lambda: bool(window.notice))
    presenter.dismiss()
    window.until(lambda: presenter.state.phase is Phase.READY)
    assert window.notice == ""


def test_candidates_that_are_added_bring_no_second_smooth_one(
    presenter: Presenter, window: Window
) -> None:
    filled(presenter, window, count=2, smooth=SmoothFill.ALWAYS)
    presenter.add_candidates(1, {})
    window.until(
        lambda: len(presenter.strip.renderings) == 4 and presenter.state.phase is Phase.READY
    )
    methods = [each.candidate.method for each in presenter.strip.renderings]
    assert methods == [Method.MODEL, Method.MODEL, Method.SMOOTH, Method.MODEL]
    assert [each.candidate.index for each in presenter.strip.renderings] == [0, 1, 2, 3]


def test_filling_again_starts_over(presenter: Presenter, window: Window) -> None:
    filled(presenter, window)
    filled(presenter, window, count=1)
    assert window.strips[-2:] == [[], [7]]


def numbers(presenter: Presenter) -> list[tuple[int, int]]:
    """Number and seed of each candidate in the strip."""
    return [(each.candidate.index, each.candidate.seed) for each in presenter.strip.renderings]


def more(presenter: Presenter, window: Window, count: int, edits: Edits) -> None:
    presenter.add_candidates(count, edits)
    assert presenter.state.phase is Phase.RUNNING
    window.until(lambda: presenter.state.phase is Phase.READY)


def test_more_candidates_join_those_in_the_strip(
    presenter: Presenter, window: Window, daemon: FakeDaemon
) -> None:
    filled(presenter, window, variants=({"age": 1.0},))
    presenter.choose(2)
    presenter.sliders.slide({"smile": 1.0})
    window.until(lambda: not presenter.sliders.is_rendering)
    more(presenter, window, 2, {"smile": 1.0})
    assert numbers(presenter)[::2] == [(0, 7), (1, 8), (2, 9), (3, 10), (4, 11)]
    assert presenter.strip.chosen == 2
    assert color(presenter.strip.renderings[2]) == expected(8, smile=1)
    assert color(presenter.strip.renderings[6]) == expected(10, smile=1)
    assert color(presenter.strip.renderings[7]) == expected(10, smile=1, age=1)
    assert layer_name(presenter.strip.renderings[6]) == "4 · seed 10 · Smile +1"
    first, second = daemon.service.fills
    assert (second.crop, second.frame, second.blending) == (first.crop, first.frame, first.blending)
    presenter.choose(8)
    presenter.sliders.slide({"smile": 2.0})
    window.until(lambda: not presenter.sliders.is_rendering)
    assert color(presenter.strip.renderings[8]) == expected(11, smile=2)
    assert daemon.service.edits[-1].index == 1


def test_more_candidates_of_a_daemon_that_refuses_leave_what_is_there(
    presenter: Presenter, window: Window, daemon: FakeDaemon
) -> None:
    filled(presenter, window, count=2)
    before = presenter.strip.renderings
    daemon.service.script.fail = "RESOURCE_EXHAUSTED"
    more(presenter, window, 2, {})
    assert presenter.state.is_error
    assert presenter.strip.renderings == before


def test_a_deleted_candidate_leaves_the_strip_and_the_next_is_chosen(
    presenter: Presenter, window: Window
) -> None:
    filled(presenter, window, count=3)
    presenter.choose(1)
    presenter.sliders.slide({"smile": 1.0})
    window.until(lambda: not presenter.sliders.is_rendering)
    presenter.choose(0)
    presenter.delete()
    assert (numbers(presenter), presenter.strip.chosen) == ([(1, 8), (2, 9)], 0)
    assert window.edits == {"smile": 1.0}
    assert window.strips[-1] == [8, 9]
    more(presenter, window, 1, {})
    assert numbers(presenter) == [(1, 8), (2, 9), (3, 10)]
    presenter.choose(2)
    presenter.delete()
    assert (numbers(presenter), presenter.strip.chosen) == ([(1, 8), (2, 9)], 1)
    more(presenter, window, 1, {})
    assert numbers(presenter)[-1] == (4, 11)  # what was deleted does not come again


def test_without_any_candidate_left_there_is_nothing_to_insert(
    presenter: Presenter, window: Window
) -> None:
    filled(presenter, window, count=1)
    presenter.delete()
    assert (presenter.state.phase, presenter.strip.renderings) == (Phase.IDLE, [])
    assert list(window.others) == []
    presenter.delete()
    filled(presenter, window, count=1)
    assert numbers(presenter) == [(0, 7)]


def test_copies_have_names_of_their_own(presenter: Presenter, window: Window) -> None:
    filled(presenter, window)
    presenter.keep()
    presenter.choose(1)
    presenter.keep()
    presenter.sliders.slide({"smile": 1.0})
    window.until(lambda: is_shown(presenter, 1, {"smile": 1.0}))
    names = [layer_name(each) for each in presenter.strip.renderings]
    assert names[:4] == [
        "1 · seed 7",
        "1 · copy 1 · seed 7 · Smile +1",
        "1 · copy 2 · seed 7",
        "2 · seed 8",
    ]
    assert len(set(names)) == len(names)
    assert [short_name(each) for each in presenter.strip.renderings[:3]] == [
        "1",
        "1, copy 1 *",
        "1, copy 2",
    ]


def test_a_model_that_makes_one_candidate_is_not_asked_for_more(
    presenter: Presenter, window: Window, daemon: FakeDaemon
) -> None:
    daemon.service.script.single_candidate = True
    presenter.connect()
    window.until(lambda: presenter.state.phase is Phase.IDLE)
    assert presenter.why_single() == ""  # nothing was filled yet
    filled(presenter, window, count=1)
    assert presenter.why_single() == ONE_CANDIDATE
    presenter.add_candidates(2, {})
    assert presenter.state.phase is Phase.READY
    assert len(daemon.service.fills) == 1
    presenter.sliders.slide({"smile": 1.0})
    window.until(lambda: is_shown(presenter, 0, {"smile": 1.0}))


def test_a_fill_that_cannot_be_edited_says_why(
    presenter: Presenter, window: Window, daemon: FakeDaemon
) -> None:
    daemon.service.script.no_edits = True
    presenter.connect()
    window.until(lambda: presenter.state.phase is Phase.IDLE)
    filled(presenter, window, count=2)
    assert window.why_fixed == NO_EDITS
    assert window.others == []
    presenter.sliders.slide({"smile": 1.0})
    assert not presenter.sliders.is_rendering
    presenter.add_candidates(1, {"smile": 1.0})  # set for another model
    window.until(lambda: presenter.state.phase is Phase.READY)
    assert not presenter.state.is_error
    assert [each.candidate.seed for each in presenter.strip.renderings] == [7, 8, 9]
    assert not daemon.service.edits


def test_an_opened_fill_that_cannot_be_edited_says_why_once_connected(
    presenter: Presenter, window: Window, daemon: FakeDaemon
) -> None:
    filled(presenter, window, count=1)
    (rendering,) = presenter.strip.renderings
    presenter.open(rendering, source)
    assert window.why_fixed == ""  # the daemon's models are not known yet
    daemon.service.script.no_edits = True
    presenter.connect()
    window.until(lambda: presenter.state.phase is Phase.READY)
    assert window.why_fixed == NO_EDITS


def test_the_reasons_are_translated(
    presenter: Presenter, window: Window, daemon: FakeDaemon
) -> None:
    daemon.service.script.single_candidate = daemon.service.script.no_edits = True
    CATALOG.use_languages(["de"])
    try:
        presenter.connect()
        window.until(lambda: presenter.state.phase is Phase.IDLE)
        filled(presenter, window, count=1)
        assert "nur eine Füllung" in presenter.why_single()
        assert "weder bearbeiten noch mischen" in window.why_fixed
    finally:
        CATALOG.use_languages(["en"])
