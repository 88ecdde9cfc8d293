"""The sliders and the mixing of the dialogs against a daemon, without a window."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import partial

import pytest
from fake_daemon import FakeDaemon, color_of
from gimp_dialog import Window, color, expected, filled, is_shown, job, source
from inpaint_client import (
    Box,
    Edits,
    Picture,
    SmoothFill,
    StyleLevel,
)
from inpaint_gimp.app.presenter import Presenter
from inpaint_gimp.app.state import Phase, State
from inpaint_gimp.runs.layers import Rendering, layer_name
from inpaint_gimp.runs.mixing import NOTHING, Mix, Other, first_pad, nothing_there


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
