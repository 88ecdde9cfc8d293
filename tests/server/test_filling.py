"""Fills and edits as steps, with a model and without a daemon: batches, memory, what is kept."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from daemons import header, noise, square_hole
from inpaint_model import Inpainter, tiny_inpainter
from inpaint_model.pictures import DocumentPicture
from inpaint_server import convert
from inpaint_server.budget import Budget
from inpaint_server.config import Limits
from inpaint_server.device_models import DeviceModels
from inpaint_server.engine import PAUSE
from inpaint_server.errors import OutOfMemory
from inpaint_server.filling import Event, Placed, fill_steps, warm_up_steps
from inpaint_server.models import BundleLoader, ModelRegistry


class Counting(BundleLoader):
    """Notes how many candidates are rendered at a time; more than `room` do not fit."""

    def __init__(self, room: int = 99) -> None:
        super().__init__(torch.device("cpu"))
        self.room = room
        self.batches: list[int] = []

    def load(self, source: str) -> Inpainter:
        inpainter = tiny_inpainter()
        render = inpainter.render

        def counting(encoding: Any, ws_out: Any) -> Any:
            self.batches.append(len(ws_out))
            if len(ws_out) > self.room:
                raise torch.OutOfMemoryError("planted")
            return render(encoding, ws_out)

        inpainter.render = counting  # type: ignore[method-assign]
        return inpainter


def events_of(loader: Counting, count: int, batch_size: int) -> list[Event]:
    models = ModelRegistry(["tiny"], loader)
    home = DeviceModels(loader, Budget(largest_batch=batch_size))
    order = convert.fill_order(header(seeds=[1], count=count), Limits())
    picture = DocumentPicture(noise(48, 40))
    choices = models.choices("", ())
    return list(fill_steps(home, choices, order, picture, square_hole(48, 40), None))


def indices(events: list[Event]) -> list[int]:
    return [r.index for event in events if isinstance(event, list) for r in event]


@pytest.mark.parametrize(
    ("count", "batch_size", "batches"),
    [
        (1, 8, [1]),
        (4, 1, [1, 1, 1, 1]),
        (4, 8, [1, 2, 1]),
        (12, 8, [1, 8, 2, 1]),
        (20, 8, [1, 8, 8, 2, 1]),
        (8, 6, [1, 4, 2, 1]),
    ],
)
def test_the_first_candidate_is_rendered_alone_the_others_in_batches(
    count: int, batch_size: int, batches: list[int]
) -> None:
    loader = Counting()
    assert indices(events_of(loader, count, batch_size)) == list(range(count))
    assert loader.batches == batches


def test_on_the_cpu_the_second_candidate_waits_until_the_first_is_sent() -> None:
    events = events_of(Counting(), count=3, batch_size=1)
    assert [indices([event]) for event in events[-4:]] == [[0], [], [1], [2]]
    assert events[-3] is PAUSE
    assert events.count(PAUSE) == 1


def test_a_warmed_device_has_run_every_size_of_batch() -> None:
    loader = Counting()
    models = ModelRegistry(["tiny"], loader)
    home = DeviceModels(loader, Budget(largest_batch=8))
    for _ in warm_up_steps(home, models.find("")):
        pass
    assert loader.batches == [8, 4, 2, 1]


def test_batches_that_do_not_fit_are_halved_and_stay_small() -> None:
    loader = Counting(room=2)
    assert indices(events_of(loader, 10, 8)) == list(range(10))
    assert loader.batches == [1, 8, 4, 2, 2, 2, 2, 1]


def test_without_room_for_one_candidate() -> None:
    with pytest.raises(OutOfMemory, match="does not suffice for one candidate"):
        events_of(Counting(room=0), 4, 8)


def test_what_a_session_keeps_is_counted() -> None:
    (scene,) = [e.scene for e in events_of(Counting(), 2, 1) if isinstance(e, Placed)]
    assert scene.encodings
    encoded = sum(part.nbytes for part in scene.encodings.groups[0])
    pictures = scene.picture.pixels.nbytes + scene.coverage.nbytes
    assert encoded > 0
    assert scene.num_bytes > encoded + pictures + sum(
        codes.nbytes for made in scene.candidates.values() for codes in made.codes
    )
    with_encodings = scene.num_bytes
    scene.encodings = None
    assert with_encodings - scene.num_bytes == encoded
