"""Where results are placed, what is read, what is shown: all decisions made without Krita."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import pytest
from inpaint_client.capture import Capture
from inpaint_client.errors import (
    ConnectionLostError,
    DaemonNotFoundError,
    InpaintError,
    InputError,
    NotRespondingError,
    ProgramNotFoundError,
    RequestCancelledError,
    StartFailedError,
    UnauthenticatedError,
)
from inpaint_client.geometry import Box, Extent, Frame
from inpaint_client.images import Picture
from inpaint_client.info import DaemonInfo, Direction, Model
from inpaint_client.requests import MAX_SEED, FrameMode
from inpaint_client.session.history import (
    PastRun,
    Result,
    pack,
)
from inpaint_client.session.run_status import RunStatus, Stage
from inpaint_krita.app.connection_state import ConnectionState, Phase, RecoveryAction, after_failure
from inpaint_krita.app.progress import describe
from inpaint_krita.app.state import Notice, NoticeAction
from inpaint_krita.host.layer_placement import position_above, source_of
from inpaint_krita.runs.fill_settings import FillSettings, fill_job, usable_edits
from inpaint_krita.runs.run_history import MAX_RUNS, PREFIX, RunHistory


@dataclass(eq=False)
class Layer:
    """A node with the part of Krita's interface that decisions use."""

    title: str
    kind: str = "paintlayer"
    parent: Layer | None = None
    is_visible: bool = True
    is_locked: bool = False
    children: list[Layer] = field(default_factory=list)

    def __post_init__(self) -> None:
        if self.parent is not None:
            self.parent.children.append(self)

    def type(self) -> str:
        return self.kind

    def name(self) -> str:
        return self.title

    def visible(self) -> bool:
        return self.is_visible

    def locked(self) -> bool:
        return self.is_locked

    def parentNode(self) -> Layer | None:  # noqa: N802
        return self.parent

    def childNodes(self) -> list[Layer]:  # noqa: N802
        return self.children


ROOT = Layer("root", "grouplayer")


HOLE = Box(10, 10, 20, 20)


def no_fill(_: object) -> Box | None:
    return None


class TestSpot:
    def test_above_the_active_layer(self) -> None:
        layer = Layer("face", parent=ROOT)
        assert position_above(layer, HOLE, no_fill) == (ROOT, layer, "")

    def test_a_locked_or_hidden_layer_is_no_obstacle_itself(self) -> None:
        layer = Layer("face", parent=ROOT, is_locked=True, is_visible=False)
        assert position_above(layer, HOLE, no_fill) == (ROOT, layer, "")

    def test_a_mask_counts_as_its_layer(self) -> None:
        layer = Layer("face", parent=ROOT)
        assert position_above(Layer("m", "transparencymask", layer), HOLE, no_fill).above is layer

    @pytest.mark.parametrize("flaw", ["hidden", "locked"])
    def test_not_inside_a_group_where_it_could_not_be_seen_or_changed(self, flaw: str) -> None:
        group = Layer("g", "grouplayer", ROOT, flaw != "hidden", flaw == "locked")
        inner = Layer("inner", "grouplayer", group)
        insert_position = position_above(Layer("face", parent=inner), HOLE, no_fill)
        assert (insert_position.parent, insert_position.above) == (ROOT, group)
        assert flaw in insert_position.notice
        assert "“g”" in insert_position.notice

    def test_never_inside_the_group_of_an_earlier_run(self) -> None:
        group = Layer("run", "grouplayer", ROOT)
        far = Box(100, 100, 5, 5)
        insert_position = position_above(
            Layer("Seed 5", parent=group), HOLE, lambda node: far if node is group else None
        )
        assert (insert_position.parent, insert_position.above) == (ROOT, group)

    def test_above_the_highest_earlier_fill_that_it_overlaps(self) -> None:
        root = Layer("root", "grouplayer")
        face = Layer("face", parent=root)
        first, second = (Layer(name, "grouplayer", root) for name in ("first", "second"))
        Layer("drawn later", parent=root)
        far = Layer("far", "grouplayer", root)
        boxes: dict[object, Box] = {
            first: HOLE,
            second: HOLE.grow(-5),
            far: Box(100, 100, 5, 5),
        }

        def fill_box(layer: object) -> Box | None:
            return boxes.get(layer)

        assert position_above(face, HOLE, fill_box) == (root, second, "")
        assert position_above(Layer("Seed 5", parent=first), HOLE, fill_box).above is second
        assert position_above(far, HOLE, fill_box).above is far

    def test_above_the_earlier_fill_next_to_the_hidden_group(self) -> None:
        root = Layer("root", "grouplayer")
        group = Layer("g", "grouplayer", root, is_visible=False)
        fill = Layer("run", "grouplayer", root)
        insert_position = position_above(
            Layer("face", parent=group), HOLE, lambda node: HOLE if node is fill else None
        )
        assert (insert_position.parent, insert_position.above) == (root, fill)
        assert "“g”" in insert_position.notice

    def test_the_root_has_no_place_above_it(self) -> None:
        with pytest.raises(ValueError, match="root"):
            position_above(ROOT, HOLE, no_fill)


class TestSource:
    def test_all_visible(self) -> None:
        assert source_of(Layer("face", parent=ROOT), True) == (None, False, "")

    @pytest.mark.parametrize(
        ("kind", "rendered"), [("paintlayer", False), ("grouplayer", True), ("vectorlayer", True)]
    )
    def test_a_layer(self, kind: str, rendered: bool) -> None:
        layer = Layer("x", kind, ROOT)
        assert source_of(layer, False) == (layer, rendered, "")

    def test_a_mask_stands_for_its_layer(self) -> None:
        layer = Layer("face", parent=ROOT)
        assert source_of(Layer("m", "filtermask", layer), False).node is layer

    def test_a_filter_layer_has_no_image(self) -> None:
        source = source_of(Layer("blur", "filterlayer", ROOT), False)
        assert source.node is None
        assert "“blur”" in source.notice

    def test_a_hidden_layer_is_used_with_a_notice(self) -> None:
        source = source_of(Layer("face", parent=ROOT, is_visible=False), False)
        assert source.node is not None
        assert "hidden" in source.notice


RUN = PastRun(
    document=Extent(640, 480),
    hole_box=Box(10, 20, 2, 3),
    coverage=bytes(range(6)),
    results=(Result(5, "{a}", '{"seed":5}'),),
)


class Annotations:
    """The annotations of a document, in memory."""

    def __init__(self, **stored: bytes) -> None:
        self.stored = {PREFIX + key: data for key, data in stored.items()} | {"exif": b"{}"}

    def annotation_names(self) -> list[str]:
        return list(self.stored)

    def annotation(self, name: str) -> bytes:
        return self.stored[name]

    def annotate(self, name: str, description: str, data: bytes) -> None:
        self.stored[name] = data

    def remove_annotation(self, name: str) -> None:
        del self.stored[name]


class TestRunBook:
    def test_reads_our_annotations_oldest_first_and_leaves_what_is_damaged(self) -> None:
        without_selection = pack(replace(RUN, coverage=b""))
        document = Annotations(k2=pack(RUN), k1=pack(RUN), k0=b"{", k3=without_selection)
        book = RunHistory(document)
        assert [run.key for run in book.runs] == ["k1", "k2"]
        assert book.last == replace(RUN, key="k2")
        assert len(document.stored) == 5

    def test_the_oldest_runs_are_forgotten(self) -> None:
        document = Annotations()
        book = RunHistory(document)
        for number in range(MAX_RUNS + 2):
            book.put(replace(RUN, key=f"{number:03}"))
        assert len(book.runs) == MAX_RUNS
        assert sorted(document.stored)[1] == PREFIX + "002"
        book.drop(book.runs[0])
        assert PREFIX + "002" not in document.stored


class TestConnection:
    @pytest.mark.parametrize(
        ("error", "is_remote", "phase", "recover"),
        [
            (DaemonNotFoundError("none"), False, Phase.MISSING, RecoveryAction.START),
            (DaemonNotFoundError("none"), True, Phase.FAILED, RecoveryAction.RECONNECT),
            (
                ProgramNotFoundError("no program"),
                False,
                Phase.FAILED,
                RecoveryAction.CHOOSE_PROGRAM,
            ),
            (StartFailedError("exited immediately"), False, Phase.FAILED, RecoveryAction.SHOW_LOG),
            (UnauthenticatedError("no token"), True, Phase.FAILED, RecoveryAction.SETTINGS),
            (InputError("no address"), False, Phase.FAILED, RecoveryAction.SETTINGS),
            (ConnectionLostError("broke"), False, Phase.FAILED, RecoveryAction.RECONNECT),
            (NotRespondingError("Nothing comes."), False, Phase.FAILED, RecoveryAction.RECONNECT),
        ],
    )
    def test_each_failure_has_words_and_a_button(
        self, error: InpaintError, is_remote: bool, phase: Phase, recover: RecoveryAction
    ) -> None:
        connection = after_failure(error, is_remote)
        assert (connection.phase, connection.recover) == (phase, recover)
        assert connection.words
        assert connection.recovery_label

    def test_ready_names_the_device_and_needs_no_recovery(self) -> None:
        connection = ConnectionState(Phase.READY, DaemonInfo(device="the GPU", version="1"))
        assert "the GPU" in connection.words
        assert connection.recovery_label == ""


class TestProgress:
    def test_the_time_left_is_estimated_from_the_pace_since_the_first(self) -> None:
        status = RunStatus(Stage.RENDERING, 0, 3, 7, started=0.0, first_at=8.0, last_at=14.0)
        assert "3 of 7" in describe(status, 14.0)
        assert "about 8 s" in describe(status, 14.0)
        assert "about 5 s" in describe(status, 17.0)
        assert "left" not in describe(status, 22.5)

    def test_the_time_left_is_unknown_before_the_second(self) -> None:
        status = RunStatus(Stage.RENDERING, 0, 1, 7, started=0.0, first_at=10.0)
        assert "left" not in describe(status, 12.0)

    def test_long_runs_are_shown_in_minutes(self) -> None:
        assert "2:05 min" in describe(RunStatus(Stage.ENCODING), 125.0)


class TestWishes:
    def test_seeds_follow_each_other_round_the_end(self) -> None:
        assert FillSettings(seed=MAX_SEED, candidates=3).seeds == (MAX_SEED, 0, 1)

    def test_only_sliders_that_the_model_has_and_that_are_off_zero(self) -> None:
        model = Model("m", directions=(Direction("smile", "", -1, 1), Direction("age", "", -1, 1)))
        edits = usable_edits({"smile": 1.0, "age": 0.0, "beard": 2.0}, model)
        assert edits == {"smile": 1.0}
        assert usable_edits({"smile": 1.0}, None) == {}

    def test_the_job(self) -> None:
        captured = Capture(
            crop=Picture(4, 4, 3, bytes(48)),
            hole=Picture(4, 4, 1, bytes(16)),
            crop_box=Box(0, 0, 4, 4),
            document=Extent(4, 4),
        )
        edits = {"smile": 1.0}
        job = fill_job(FillSettings(candidates=2, seed=9, variety=0.5), captured, edits)
        assert (job.seeds, job.truncation_psi, job.edits, job.variants) == (
            (9, 10),
            0.5,
            edits,
            (),
        )
        assert job.capture is captured
        assert job.frame is FrameMode.AUTO
        both = fill_job(FillSettings(also_without_edits=True), captured, edits)
        assert both.edits == {}
        assert both.variants == (edits,)
        framed = fill_job(FillSettings(context="frame", frame_side=3.0), captured, {})
        assert framed.frame == Frame(0.0, 0.0, 3.0)
        assert fill_job(FillSettings(context="frame"), captured, {}).frame is FrameMode.AUTO


def test_cancelling_is_no_problem() -> None:
    from inpaint_krita.app.notices import notice_of

    assert not notice_of(RequestCancelledError("x")).is_problem
    assert notice_of(DaemonNotFoundError("Nobody.")).action_label


def test_a_message_does_not_take_the_place_of_one_that_was_not_dismissed() -> None:
    remark = Notice("Only a part is filled.", is_problem=False)
    cancelled = Notice("Cancelled.", is_problem=False)
    failed = Notice("It failed.", action=NoticeAction.AGAIN, action_label="Try again")
    assert remark.after(None) == remark
    both = cancelled.after(remark)
    assert both == Notice("Only a part is filled. Cancelled.", is_problem=False)
    assert cancelled.after(both) == both
    mixed = failed.after(remark)
    assert mixed.text == "Only a part is filled. It failed."
    assert (mixed.is_problem, mixed.action) == (True, NoticeAction.AGAIN)
    assert remark.after(failed).action is NoticeAction.AGAIN
    assert Notice("It failed again.").after(failed).text == "It failed again."
