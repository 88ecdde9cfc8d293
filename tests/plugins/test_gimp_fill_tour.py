"""Which bubble of the fill dialog's tour is shown, and what is remembered of it."""

from __future__ import annotations

from pathlib import Path

import pytest
from inpaint_client import SettingsFile
from inpaint_client.session.tour import Stop
from inpaint_gimp.app.fill_tour import FillTour
from inpaint_gimp.app.memory import Memory, memory_file
from inpaint_gimp.app.state import Phase, State

IDLE, READING, DONE = State(Phase.IDLE, ""), State(Phase.RUNNING, ""), State(Phase.READY, "", 1.0)


class Dialog:
    """Records what the tour shows."""

    def __init__(self, path: Path) -> None:
        self.file = SettingsFile(path, Memory)
        self.shown: list[Stop | None] = []
        self.tour = FillTour(self.file, self.shown.append)
        self.tour.follow(IDLE, has_candidates=False)

    @property
    def is_seen(self) -> bool:
        return self.file.load().tour_seen


@pytest.fixture
def dialog(tmp_path: Path) -> Dialog:
    return Dialog(tmp_path / "gimp.json")


def test_the_bubbles_follow_the_artist(dialog: Dialog) -> None:
    tour = dialog.tour
    tour.begin_if_new()
    tour.follow(READING, has_candidates=False)
    tour.follow(READING, has_candidates=True)
    assert dialog.shown == [Stop.SELECTION, None]
    tour.follow(DONE, has_candidates=True)
    assert (dialog.shown[-1], tour.shown) == (Stop.CANDIDATES, Stop.CANDIDATES)
    assert not dialog.is_seen
    tour.leave()
    assert dialog.shown == [Stop.SELECTION, None, Stop.CANDIDATES, None]
    assert dialog.is_seen


def test_the_button_leads_through_all_of_it_before_anything_is_done(dialog: Dialog) -> None:
    tour = dialog.tour
    tour.begin_if_new()
    tour.next()
    assert dialog.shown == [Stop.SELECTION, Stop.FILL]
    tour.next()  # the last bubble waits for candidates
    assert tour.shown is None
    tour.follow(READING, has_candidates=False)
    tour.follow(DONE, has_candidates=True)
    assert tour.shown is Stop.CANDIDATES
    tour.next()
    assert tour.shown is None
    assert dialog.is_seen


def test_a_closed_tour_does_not_come_back_by_itself(dialog: Dialog, tmp_path: Path) -> None:
    dialog.tour.begin_if_new()
    dialog.tour.close()
    dialog.tour.follow(READING, has_candidates=False)
    dialog.tour.follow(DONE, has_candidates=True)
    assert dialog.shown == [Stop.SELECTION, None]
    later = Dialog(tmp_path / "gimp.json")
    later.tour.begin_if_new()
    assert later.shown == []
    later.tour.begin()  # asked for
    assert later.shown == [Stop.SELECTION]


def test_a_dialog_that_is_closed_before_the_end_shows_the_tour_again(
    dialog: Dialog, tmp_path: Path
) -> None:
    dialog.tour.begin_if_new()
    dialog.tour.next()
    dialog.tour.leave()
    assert not dialog.is_seen
    later = Dialog(tmp_path / "gimp.json")
    later.tour.begin_if_new()
    assert later.shown == [Stop.SELECTION]


def test_asking_for_the_tour_shows_what_fits_now(dialog: Dialog) -> None:
    dialog.tour.follow(DONE, has_candidates=True)
    dialog.tour.begin()
    assert dialog.shown == [Stop.CANDIDATES]
    dialog.tour.follow(IDLE, has_candidates=False)  # all were deleted
    assert dialog.tour.shown is None
    dialog.tour.begin()
    assert dialog.tour.shown is Stop.SELECTION


def test_no_bubble_covers_an_error(dialog: Dialog) -> None:
    dialog.tour.begin_if_new()
    dialog.tour.follow(State(Phase.UNREACHABLE, "No daemon.", is_error=True), has_candidates=False)
    assert dialog.tour.shown is None
    dialog.tour.follow(IDLE, has_candidates=False)
    assert dialog.tour.shown is Stop.SELECTION
    dialog.tour.follow(READING, has_candidates=False)
    dialog.tour.follow(State(Phase.IDLE, "Out of memory.", is_error=True), has_candidates=False)
    assert dialog.tour.shown is None


def test_a_damaged_file_costs_no_more_than_the_tour_again(tmp_path: Path) -> None:
    path = tmp_path / "gimp.json"
    for damage in (b"\xff\x00", b"[1]", b'{"tour_seen": "yes"}'):
        path.write_bytes(damage)
        dialog = Dialog(path)
        dialog.tour.begin_if_new()
        assert dialog.shown == [Stop.SELECTION]
        dialog.tour.close()
        assert dialog.is_seen


def test_a_folder_that_cannot_be_written_costs_no_more_than_the_tour_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").touch()
    dialog = Dialog(tmp_path / "file" / "gimp.json")  # in a folder that cannot be made
    dialog.tour.begin_if_new()
    dialog.tour.close()
    assert dialog.shown == [Stop.SELECTION, None]
    assert "cannot be written" in caplog.text
    assert not dialog.is_seen


def test_the_memory_is_beside_the_connection_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", "/home/artist/.config")
    assert memory_file().path == Path("/home/artist/.config/inpaint/gimp.json")
