"""The dialogs' behavior against a daemon, without a window."""

from __future__ import annotations

import json
import queue
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import pytest
from eventually import eventually
from fake_daemon import FakeDaemon, Script, color_of
from inpaint_client import (
    Box,
    Capture,
    DaemonInfo,
    DaemonNotFoundError,
    Edits,
    Endpoint,
    FillJob,
    Method,
    Picture,
    ProgramNotFoundError,
    RecipeSource,
    SmoothFill,
    StyleLevel,
    Worker,
    parse_endpoint,
    seed_sequence,
)
from inpaint_client.session.abilities import NO_EDITS, ONE_CANDIDATE
from inpaint_gimp.app.presenter import Presenter
from inpaint_gimp.app.state import Phase, State
from inpaint_gimp.runs.layers import Rendering, layer_name, short_name
from inpaint_gimp.runs.mixing import NOTHING, Mix, Other, first_pad, nothing_there
from inpaint_gimp.translation import CATALOG
from inpaint_protos.sentences import DOMAIN
from inpaint_protos.status.v1.status_pb2 import ErrorInfo
from inpaint_protos.v1 import inpaint_pb2 as pb

CROP = Picture(16, 16, 3, bytes(16 * 16 * 3))
HOLE = Picture(16, 16, 1, bytes([255]) * 256)
BOX = Box(0, 0, 16, 16)
CAPTURE = Capture(crop=CROP, hole=HOLE, crop_box=BOX, document=BOX.extent)


class Window:
    """Records what it is asked to show; its event loop runs in the test's thread."""

    def __init__(self) -> None:
        self.turns: queue.Queue[Callable[[], None]] = queue.Queue()
        self.info: DaemonInfo | None = None
        self.states: list[State] = []
        self.notice = ""
        self.why_fixed = ""
        self.strips: list[list[int]] = []  # the seeds shown, each time the strip changed
        self.renderings: list[Rendering] = []
        self.edits: Edits = {}
        self.mix = Mix()
        self.others: Sequence[Other] = ()

    def show_info(self, info: DaemonInfo) -> None:
        self.info = info

    def show_state(self, state: State) -> None:
        self.states.append(state)

    def show_notice(self, text: str) -> None:
        self.notice = text

    def show_renderings(self, renderings: list[Rendering], chosen: int) -> None:
        self.renderings = list(renderings)
        self.strips.append([each.candidate.seed for each in renderings])

    def show_rendering(self, index: int, rendering: Rendering) -> None:
        self.renderings[index] = rendering

    def show_edits(self, edits: Edits) -> None:
        self.edits = edits

    def show_mix(self, mix: Mix) -> None:
        self.mix = mix

    def show_others(self, others: Sequence[Other]) -> None:
        self.others = others

    def show_fixed(self, why: str) -> None:
        self.why_fixed = why

    def other(self, label: str) -> int:
        """The key of what can be mixed with."""
        return next(each.key for each in self.others if each.label == label)

    def until(self, condition: Callable[[], bool]) -> None:
        """Take turns until the condition holds."""
        end = time.monotonic() + 20
        while not condition():
            self.turns.get(timeout=max(0.01, end - time.monotonic()))()

    def settle(self) -> None:
        """Take the turns that are there."""
        while not self.turns.empty():
            self.turns.get()()


def job(count: int = 3, **values: object) -> FillJob:
    return FillJob(
        capture=CAPTURE,
        seeds=seed_sequence(7, count),
        **values,  # type: ignore[arg-type]
    )


def source(rendering: Rendering) -> RecipeSource:
    return RecipeSource(
        recipe=rendering.unmixed,
        attachment=rendering.candidate.attachment,
        capture=CAPTURE,
    )


@pytest.fixture
def window() -> Window:
    return Window()


@pytest.fixture
def daemon() -> Iterator[FakeDaemon]:
    with FakeDaemon(Script()) as running:
        yield running


@pytest.fixture
def presenter(window: Window, daemon: FakeDaemon) -> Iterator[Presenter]:
    worker = Worker(lambda: parse_endpoint(daemon.address))
    yield Presenter(window, worker, window.turns.put)
    worker.close()


def color(rendering: Rendering) -> tuple[int, ...]:
    return tuple(rendering.candidate.patches[0].fill.data[:3])


def is_shown(presenter: Presenter, index: int, edits: Edits) -> bool:
    return presenter.strip.renderings[index].edits == edits


def expected(seed: int, **edits: float) -> tuple[int, ...]:
    return tuple(round(255 * value) for value in color_of(seed, edits))


def filled(presenter: Presenter, window: Window, **values: Any) -> None:
    presenter.fill(job(**values), source)
    window.until(lambda: presenter.state.phase is Phase.READY)


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


def test_a_slider_renders_the_chosen_one_again(
    presenter: Presenter, window: Window, daemon: FakeDaemon
) -> None:
    filled(presenter, window)
    before = window.renderings[0]
    presenter.sliders.slide({"smile": 2.0})
    window.until(lambda: window.renderings[0] is not before)
    assert color(window.renderings[0]) == expected(7, smile=2.0)
    assert window.renderings[0].edits == {"smile": 2.0}
    assert window.renderings[0].candidate.attachment
    assert daemon.service.edits[-1].session_id == "session-1"
    assert not daemon.service.edits[-1].HasField("source")  # the image is sent only once
    assert len(daemon.service.routing_keys) == 2
    assert len(set(daemon.service.routing_keys)) == 1


def test_only_the_last_position_of_a_moving_slider_counts(
    presenter: Presenter, window: Window, daemon: FakeDaemon
) -> None:
    filled(presenter, window, count=1)
    for value in range(1, 30):
        presenter.sliders.slide({"smile": value / 10})
    window.until(lambda: presenter.strip.renderings[0].edits == {"smile": 2.9})
    assert len(daemon.service.edits) == 2  # the first at once, and the last


def test_without_the_session_the_recipe_is_sent(
    presenter: Presenter, window: Window, daemon: FakeDaemon
) -> None:
    filled(presenter, window, count=1)
    daemon.service.sessions.clear()
    presenter.sliders.slide({"smile": 1.0})
    window.until(lambda: bool(presenter.strip.renderings[0].edits))
    assert daemon.service.edits[-1].HasField("source")
    assert color(presenter.strip.renderings[0]) == expected(7, smile=1.0)


def test_a_slider_that_moves_while_the_session_is_found_gone_is_followed(
    presenter: Presenter, window: Window, daemon: FakeDaemon
) -> None:
    filled(presenter, window, count=1)
    daemon.service.sessions.clear()
    for value in (1.0, 2.0):
        presenter.sliders.slide({"smile": value})
    window.until(lambda: not presenter.sliders.is_rendering)
    assert color(presenter.strip.renderings[0]) == expected(7, smile=2.0)


def test_a_recipes_session_is_no_other_candidates(
    presenter: Presenter, window: Window, daemon: FakeDaemon
) -> None:
    """The session that a recipe opens holds that one candidate, whatever its index was."""
    filled(presenter, window, count=3)
    daemon.service.sessions.clear()
    for index, value in ((2, 1.0), (0, 2.0), (2, 3.0)):
        presenter.choose(index)
        wanted = {"smile": value}
        presenter.sliders.slide(wanted)
        window.until(partial(is_shown, presenter, index, wanted))
        window.until(lambda: not presenter.sliders.is_rendering)
    assert [color(each) for each in presenter.strip.renderings] == [
        expected(7, smile=2.0),
        expected(8),
        expected(9, smile=3.0),
    ]
    last = daemon.service.edits[-1]
    assert (last.HasField("source"), last.index) == (False, 0)


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


def test_a_smooth_candidate_is_neither_changed_nor_mixed_with(
    presenter: Presenter, window: Window, daemon: FakeDaemon
) -> None:
    filled(presenter, window, count=2, smooth=SmoothFill.ALWAYS)
    assert window.why_fixed == ""
    assert [each.label for each in window.others] == ["2 · seed 8"]
    presenter.choose(2)
    assert "without the model" in window.why_fixed
    assert list(window.others) == []
    presenter.sliders.slide({"smile": 1.0})
    assert not presenter.sliders.is_rendering
    presenter.choose(1)
    assert window.why_fixed == ""
    presenter.sliders.slide({"smile": 1.0})
    window.until(lambda: is_shown(presenter, 1, {"smile": 1.0}))
    assert len(daemon.service.edits) == 1
    assert not any(state.is_error for state in window.states)


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


def test_an_opened_fill_is_edited_by_its_recipe_first_and_its_session_then(
    presenter: Presenter, window: Window, daemon: FakeDaemon
) -> None:
    filled(presenter, window, count=1)
    made = presenter.strip.renderings[0]
    presenter.close()
    fresh = Presenter(window, presenter._worker, window.turns.put)
    fresh.open(made, source)
    fresh.connect()
    window.until(lambda: fresh.state.phase is Phase.READY)
    for value in (1.0, 2.0):
        wanted = {"smile": value}
        fresh.sliders.slide(wanted)
        window.until(partial(is_shown, fresh, 0, wanted))
    first, second = daemon.service.edits
    assert first.HasField("source")
    assert second.session_id
    assert not second.HasField("source")


# --- mixing

LEVELS = tuple(StyleLevel)
GREEN = Other(17, "Green")


class Layers:
    """An image with one layer whose style to copy, green, that may be emptied."""

    def __init__(self) -> None:
        self.is_empty = False
        self.looks = 0

    def others(self, recipe: str) -> Sequence[Other]:
        return (GREEN,)

    def look(self, key: int) -> tuple[Picture, Box]:
        self.looks += 1
        if key != GREEN.key or self.is_empty:
            raise nothing_there()
        return Picture(1, 1, 4, bytes((0, 255, 0, 255))), Box(2, 3, 4, 4)


def mixed_color(own: int, other: tuple[float, ...], amount: float) -> tuple[int, ...]:
    pairs = zip(color_of(own), other, strict=True)
    return tuple(round(255 * (a + amount * (b - a))) for a, b in pairs)


def until_mixed(presenter: Presenter, window: Window, mix: Mix) -> Rendering:
    """What the chosen one is once nothing is rendered any more."""
    window.until(lambda: not presenter.sliders.is_rendering)
    rendering = presenter.strip.renderings[presenter.strip.chosen]
    assert rendering.mix == mix
    return rendering


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


def test_the_others_of_the_run_and_the_layers_are_offered(
    presenter: Presenter, window: Window
) -> None:
    presenter.fill(job(), source, Layers())
    window.until(lambda: presenter.state.phase is Phase.READY)
    assert [each.label for each in window.others] == [
        "2 · seed 8",
        "3 · seed 9",
        "Layer: Green",
    ]
    presenter.choose(1)
    presenter.sliders.slide({}, Mix(window.other("1 · seed 7")))
    window.until(lambda: not presenter.sliders.is_rendering)
    presenter.choose(0)
    assert window.others[0].label == "2 · seed 8 · mixed"


def test_another_result_is_mixed_in_and_taken_out_again(
    presenter: Presenter, window: Window, daemon: FakeDaemon
) -> None:
    filled(presenter, window)
    plain = presenter.strip.renderings[0]
    mix = Mix(window.other("3 · seed 9"), (StyleLevel.COLORS,), 0.25)
    presenter.sliders.slide({}, mix)
    mixed = until_mixed(presenter, window, mix)
    assert color(mixed) == mixed_color(7, color_of(9), 0.25)
    assert layer_name(mixed) == "1 · seed 7 · mixed"
    sent = daemon.service.edits[-1]
    assert (list(sent.mixing.levels), sent.mixing.amount) == ([3], 0.25)
    assert json.loads(sent.mixing.recipe)["seed"] == 9
    assert sent.session_id
    assert mixed.mixed is not None
    assert mixed.mixed.unmixed == plain.candidate.recipe
    assert (mixed.mixed.recipe, mixed.mixed.tattoo) == (sent.mixing.recipe, 0)
    presenter.sliders.slide({}, Mix())
    back = until_mixed(presenter, window, Mix())
    assert (color(back), back.mixed) == (color(plain), None)
    assert not daemon.service.edits[-1].HasField("mixing")


def test_sliders_and_mixing_go_together(
    presenter: Presenter, window: Window, daemon: FakeDaemon
) -> None:
    filled(presenter, window)
    mix = Mix(window.other("2 · seed 8"), LEVELS, 1.0)
    presenter.sliders.slide({"smile": 2.0}, mix)
    assert layer_name(until_mixed(presenter, window, mix)).endswith(" · Smile +2, mixed")
    sent = daemon.service.edits[-1]
    assert (sent.edits[0].value, sent.mixing.amount) == (2.0, 1.0)


def test_of_a_moving_amount_only_the_last_counts(
    presenter: Presenter, window: Window, daemon: FakeDaemon
) -> None:
    filled(presenter, window)
    other = window.other("2 · seed 8")
    for value in range(1, 20):
        presenter.sliders.slide({}, Mix(other, LEVELS, value / 20))
    until_mixed(presenter, window, Mix(other, LEVELS, 0.95))
    assert [edit.mixing.amount for edit in daemon.service.edits] == [0.05, 0.95]


@pytest.mark.parametrize("mix", [Mix(-2, (), 0.5), Mix(-2, LEVELS, 0.0)])
def test_a_mixing_of_nothing_asks_for_nothing(
    presenter: Presenter, window: Window, daemon: FakeDaemon, mix: Mix
) -> None:
    filled(presenter, window)
    presenter.sliders.slide({}, mix)
    assert not presenter.sliders.is_rendering
    assert daemon.service.edits == []


def test_a_layer_is_read_each_time(
    presenter: Presenter, window: Window, daemon: FakeDaemon
) -> None:
    layers = Layers()
    presenter.fill(job(), source, layers)
    window.until(lambda: presenter.state.phase is Phase.READY)
    for amount in (0.5, 1.0):
        mix = Mix(GREEN.key, (StyleLevel.COLORS,), amount)
        presenter.sliders.slide({}, mix)
        mixed = until_mixed(presenter, window, mix)
        assert color(mixed) == mixed_color(7, (0, 1, 0), amount)
    assert layers.looks == 2  # it may have been moved
    assert daemon.service.edits[-1].mixing.picture_box.x == 2
    assert mixed.mixed is not None
    assert (mixed.mixed.recipe, mixed.mixed.tattoo) == ("", 17)


def test_a_layer_that_shows_nothing_leaves_all_as_it_was(
    presenter: Presenter, window: Window
) -> None:
    layers = Layers()
    presenter.fill(job(), source, layers)
    window.until(lambda: presenter.state.phase is Phase.READY)
    kept = Mix(GREEN.key, (StyleLevel.COLORS,), 0.5)
    presenter.sliders.slide({}, kept)
    before = until_mixed(presenter, window, kept)
    layers.is_empty = True
    window.mix = Mix(GREEN.key, (StyleLevel.COLORS,), 1.0)
    presenter.sliders.slide({}, window.mix)
    assert presenter.state == State(
        Phase.READY, "The layer to mix with is empty or was deleted.", is_error=True
    )
    assert (window.mix, presenter.strip.renderings[0]) == (kept, before)
    presenter.sliders.slide({}, kept)  # what is shown already
    assert not presenter.state.is_error


def test_without_the_session_a_mixed_one_starts_from_what_it_was(
    presenter: Presenter, window: Window, daemon: FakeDaemon
) -> None:
    filled(presenter, window)
    other = window.other("2 · seed 8")
    presenter.sliders.slide({}, Mix(other, LEVELS, 1.0))
    until_mixed(presenter, window, Mix(other, LEVELS, 1.0))
    daemon.service.sessions.clear()
    presenter.sliders.slide({}, Mix(other, LEVELS, 0.5))
    assert color(until_mixed(presenter, window, Mix(other, LEVELS, 0.5))) == mixed_color(
        7, color_of(8), 0.5
    )
    assert json.loads(daemon.service.edits[-1].source.recipe)["mixed"] is False


def test_each_result_has_its_own_mixing_and_a_copy_keeps_it(
    presenter: Presenter, window: Window
) -> None:
    filled(presenter, window)
    mix = Mix(window.other("2 · seed 8"), LEVELS, 0.5)
    presenter.sliders.slide({}, mix)
    until_mixed(presenter, window, mix)
    presenter.keep()
    assert window.others[0].label == "1 · copy 1 · seed 7 · mixed"
    presenter.sliders.slide({}, Mix())
    until_mixed(presenter, window, Mix())
    assert [each.mix for each in presenter.strip.renderings[:2]] == [Mix(), mix]
    presenter.choose(1)
    assert window.mix == mix
    presenter.choose(2)
    assert window.mix == Mix()


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


def test_filling_again_forgets_the_mixing(presenter: Presenter, window: Window) -> None:
    filled(presenter, window)
    mix = Mix(window.other("2 · seed 8"))
    presenter.sliders.slide({}, mix)
    window.mix = mix
    until_mixed(presenter, window, mix)
    filled(presenter, window, count=1)
    assert (window.mix, list(window.others)) == (Mix(), [])


def test_what_the_daemon_refuses_is_not_kept(
    presenter: Presenter, window: Window, daemon: FakeDaemon
) -> None:
    filled(presenter, window)
    before = presenter.strip.renderings[0]
    daemon.service.script.fail = "INVALID_ARGUMENT"
    wanted: Edits = {"smile": 1.0}
    window.mix, window.edits = Mix(window.other("2 · seed 8")), wanted
    presenter.sliders.slide(window.edits, window.mix)
    window.until(lambda: presenter.state.is_error)
    assert (window.mix, window.edits) == (Mix(), {})  # where the controls are is what is shown
    assert presenter.strip.renderings[0] is before
    assert not presenter.sliders.is_rendering


def connected(presenter: Presenter, window: Window) -> None:
    presenter.connect()
    window.until(lambda: presenter.state.phase is Phase.IDLE)


def pad_of(window: Window, x: float, y: float) -> Mix:
    pad = first_pad(window.others)
    assert pad is not None
    return Mix().with_pad(pad.moved(x, y))


def test_a_dot_in_the_pad_mixes_several(
    presenter: Presenter, window: Window, daemon: FakeDaemon
) -> None:
    connected(presenter, window)
    filled(presenter, window)
    plain = presenter.strip.renderings[0]
    mix = pad_of(window, 0.5, 0.25)
    presenter.sliders.slide({}, mix)
    mixed = until_mixed(presenter, window, mix)
    # The empty corner, with a share of 0.125, is the mean of its neighbors.
    shares = {7: 0.375, 8: 0.4375, 9: 0.1875}
    expected = [
        255 * sum(share * color_of(seed)[channel] for seed, share in shares.items())
        for channel in range(3)
    ]
    assert color(mixed) == pytest.approx(expected, abs=1)
    assert mixed.mixed is not None
    assert [json.loads(each)["seed"] for each in mixed.mixed.recipes] == [8, 9]
    assert (mixed.mixed.x, mixed.mixed.y) == (0.5, 0.25)
    presenter.sliders.slide({}, pad_of(window, 0, 0))
    back = until_mixed(presenter, window, pad_of(window, 0, 0))
    assert (color(back), back.mixed) == (color(plain), None)


def test_one_drag_of_the_dot_is_one_step_to_undo(presenter: Presenter, window: Window) -> None:
    connected(presenter, window)
    filled(presenter, window)
    start = pad_of(window, 0, 0)
    drag(presenter, window, {}, mix=start)
    for step in range(1, 9):
        presenter.sliders.slide({}, pad_of(window, step / 8, step / 8))
    presenter.sliders.rest()
    until_mixed(presenter, window, pad_of(window, 1, 1))
    presenter.sliders.undo()
    assert window.mix == start
    until_mixed(presenter, window, start)
    presenter.sliders.undo()
    assert window.mix == Mix()


def test_a_daemon_that_is_older_refuses_to_mix_several(
    presenter: Presenter, window: Window, daemon: FakeDaemon
) -> None:
    daemon.service.script.max_mixings = 0
    connected(presenter, window)
    filled(presenter, window)
    window.mix = pad_of(window, 0.5, 0.5)
    presenter.sliders.slide({}, window.mix)
    assert presenter.state.is_error
    assert "older" in presenter.state.status
    assert window.mix == Mix()
    assert daemon.service.edits == []


def drag(presenter: Presenter, window: Window, *steps: Edits, mix: Mix = NOTHING) -> None:
    """Move sliders through these values and release them."""
    for edits in steps:
        presenter.sliders.slide(edits, mix)
    presenter.sliders.rest()
    window.until(lambda: not presenter.sliders.is_rendering)


def test_one_drag_is_one_step_to_undo(presenter: Presenter, window: Window) -> None:
    filled(presenter, window)
    drag(presenter, window, {"smile": 0.5}, {"smile": 1.0}, {"smile": 2.0})
    drag(presenter, window, {"smile": 2.0, "age": -1.0})
    presenter.sliders.undo()
    assert window.edits == {"smile": 2.0}
    window.until(lambda: color(presenter.strip.renderings[0]) == expected(7, smile=2.0))
    presenter.sliders.undo()
    assert window.edits == {}
    window.until(lambda: color(presenter.strip.renderings[0]) == expected(7))
    presenter.sliders.undo()
    assert window.edits == {}, "nothing is left to undo"
    presenter.sliders.redo()
    presenter.sliders.redo()
    assert window.edits == {"smile": 2.0, "age": -1.0}
    window.until(lambda: presenter.strip.renderings[0].edits == {"smile": 2.0, "age": -1.0})
    presenter.sliders.redo()
    assert window.edits == {"smile": 2.0, "age": -1.0}


def test_undo_chooses_the_candidate_that_was_changed(presenter: Presenter, window: Window) -> None:
    filled(presenter, window)
    drag(presenter, window, {"smile": 1.0})
    presenter.choose(2)
    mix = Mix(other=window.other("2 · seed 8"), amount=1.0, levels=tuple(StyleLevel))
    drag(presenter, window, {}, mix=mix)
    assert color(presenter.strip.renderings[2]) == expected(8)
    presenter.sliders.undo()
    assert (presenter.strip.chosen, window.mix.other) == (2, None)
    window.until(lambda: color(presenter.strip.renderings[2]) == expected(9))
    presenter.sliders.undo()
    assert (presenter.strip.chosen, window.edits) == (0, {})
    window.until(lambda: color(presenter.strip.renderings[0]) == expected(7))
    presenter.sliders.redo()
    presenter.sliders.redo()
    assert (presenter.strip.chosen, window.mix) == (2, mix)
    window.until(lambda: color(presenter.strip.renderings[2]) == expected(8))


def test_steps_of_a_deleted_candidate_are_skipped(presenter: Presenter, window: Window) -> None:
    filled(presenter, window)
    drag(presenter, window, {"smile": 1.0})
    presenter.choose(1)
    drag(presenter, window, {"age": 1.0})
    presenter.delete()
    presenter.sliders.undo()
    assert (presenter.strip.chosen, window.edits) == (0, {})
    window.until(lambda: color(presenter.strip.renderings[0]) == expected(7))


def test_sliders_moved_before_the_fill_are_undone_until_then(
    presenter: Presenter, window: Window
) -> None:
    presenter.connect()
    presenter.sliders.slide({"smile": 0.5})  # from the last values, while the dialog is opened
    window.until(lambda: presenter.state.phase is Phase.IDLE)
    presenter.sliders.slide({"smile": 1.5})
    presenter.sliders.rest()
    presenter.sliders.undo()
    assert window.edits == {"smile": 0.5}
    presenter.sliders.undo()
    assert window.edits == {"smile": 0.5}
    presenter.sliders.redo()
    assert window.edits == {"smile": 1.5}
    filled(presenter, window, edits={"smile": 1.5})
    presenter.sliders.undo()
    assert window.edits == {"smile": 1.5}, "a new fill starts a new history"


def test_nothing_is_undone_during_a_fill(presenter: Presenter, window: Window) -> None:
    filled(presenter, window)
    drag(presenter, window, {"smile": 1.0})
    presenter.add_candidates(2, {"smile": 1.0})
    assert presenter.state.phase is Phase.RUNNING
    presenter.sliders.undo()
    window.until(lambda: presenter.state.phase is Phase.READY)
    assert presenter.strip.renderings[0].edits == {"smile": 1.0}
    presenter.sliders.undo()
    window.until(lambda: presenter.strip.renderings[0].edits == {})


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
