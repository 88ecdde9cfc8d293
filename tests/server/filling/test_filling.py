"""Fills and edits as steps, with a model and without a daemon: batches, memory, what is kept."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from daemons import header, noise, square_hole
from inpaint_model import Inpainter
from inpaint_model.document.document_image import DocumentImage
from inpaint_model.document.hole import Hole
from inpaint_model.inference.tiny import tiny_inpainter
from inpaint_protos.v1 import inpaint_pb2 as pb
from inpaint_server.config import Limits
from inpaint_server.errors import DeviceOutOfMemoryError
from inpaint_server.filling.filling import (
    Encoded,
    Event,
    RenderJoint,
    edit_steps,
    fill_steps,
    warm_up_steps,
)
from inpaint_server.models.budget import Budget
from inpaint_server.models.device_models import DeviceModels
from inpaint_server.models.registry import BundleLoader, ModelRegistry
from inpaint_server.scheduling.engine import PAUSE, Engine, Job, Steps
from inpaint_server.wire import parsing

EDIT = pb.Edit(name="brighter", value=2.0)


class Counting(BundleLoader):
    """Notes how many candidates are rendered at a time; more than `room` do not fit."""

    def __init__(self, room: int = 99) -> None:
        super().__init__(torch.device("cpu"))
        self.room = room
        self.batches: list[int] = []
        self.samples: list[int] = []

    def rendered(self, count: int) -> None:
        """So many at a time are about to be rendered."""

    def load(self, source: str) -> Inpainter:
        inpainter = tiny_inpainter()
        render, sample = inpainter.render, inpainter.sample

        def counting_sample(encoding: Any, seeds: Any, truncation_psi: float = 1.0) -> Any:
            self.samples.append(len(seeds))
            return sample(encoding, seeds, truncation_psi)

        def counting(encoding: Any, ws_out: Any) -> Any:
            self.batches.append(len(ws_out))
            self.rendered(len(ws_out))
            if len(ws_out) > self.room:
                raise torch.OutOfMemoryError("planted")
            return render(encoding, ws_out)

        inpainter.render, inpainter.sample = counting, counting_sample  # type: ignore[method-assign]
        return inpainter


def steps_of(loader: Counting, count: int) -> Callable[[DeviceModels], Steps[Event]]:
    """A fill with so many candidates."""
    spec = parsing.fill_spec(header(seeds=[1], count=count), Limits())
    choices = ModelRegistry(["tiny"], loader).candidate_models("", ())
    image, hole = DocumentImage(noise(48, 40)), Hole(square_hole(48, 40))
    return lambda models: fill_steps(models, choices, spec, image, hole, None)


def events_of(loader: Counting, count: int, batch_size: int) -> list[Event]:
    return list(steps_of(loader, count)(DeviceModels(loader, Budget(largest_batch=batch_size))))


async def everything(job: Job[Any, Any]) -> list[Any]:
    return [result async for result in job.results()]


def iter_once() -> Steps[None]:
    yield None


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
    with pytest.raises(DeviceOutOfMemoryError, match="not have enough memory for one candidate"):
        events_of(Counting(room=0), 4, 8)


def test_seeds_are_sampled_like_they_are_rendered() -> None:
    """The first alone, so that it is there early; the codes do not depend on the batches."""
    (alone,) = [e.served.session for e in events_of(Counting(), 6, 1) if isinstance(e, Encoded)]
    loader = Counting()
    (batched,) = [e.served.session for e in events_of(loader, 6, 4) if isinstance(e, Encoded)]
    assert loader.samples == [1, 4, 1]
    for k, made in alone.candidates.items():
        np.testing.assert_array_equal(batched.candidates[k].codes, made.codes)


def test_after_a_cancel_no_further_batch_is_rendered() -> None:
    rendering, go_on = threading.Event(), threading.Event()

    class Slow(Counting):
        def rendered(self, count: int) -> None:
            if len(self.batches) == 3:
                rendering.set()
                assert go_on.wait(20)

    async def body() -> None:
        loader = Slow()
        engine = Engine([DeviceModels(loader, Budget(largest_batch=4))], 4)
        engine.start()
        job, _ = engine.submit(steps_of(loader, 40))
        reader = asyncio.create_task(everything(job))
        assert await asyncio.to_thread(rendering.wait, 20)
        job.cancel()
        go_on.set()
        events = await asyncio.wait_for(reader, 20)
        await everything(engine.submit(lambda models: iter_once())[0])
        engine.stop()
        assert loader.batches == [1, 4, 4], "the batch that ran, and none after it"
        assert len(indices(events)) in (1 + 4, 1 + 4 + 4)

    asyncio.run(body())


def test_candidates_of_several_requests_are_rendered_together() -> None:
    """And are what they are alone."""
    loader = Counting()
    models = DeviceModels(loader, Budget(largest_batch=8))
    fills = [steps_of(loader, count)(models) for count in (1, 3)]
    joints = [next(e for e in fill if isinstance(e, RenderJoint)) for fill in fills]
    assert [(joint.size, joint.most) for joint in joints] == [(1, 8), (1, 8)]
    first, second = joints
    shared = first.together([second])
    assert loader.batches == [], "not one by one"
    results = [fill.send(made) for fill, made in zip(fills, shared, strict=True)]
    assert results == shared
    (alone,) = [e[0] for e in events_of(Counting(), 1, 1) if isinstance(e, list)]
    for (rendering,) in shared:
        assert np.abs(rendering.outputs[0] - alone.outputs[0]).max() <= 1 / 255
        assert rendering.unedited is None
    rest = list(fills[1])
    assert indices(rest) == [1, 2], "and it goes on as ever"
    assert loader.batches == [2]


def test_an_edit_rides_along_and_keeps_what_it_is_fitted_to() -> None:
    loader = Counting()
    models = DeviceModels(loader, Budget(largest_batch=8))
    (served,) = [e.served for e in steps_of(loader, 1)(models) if isinstance(e, Encoded)]
    spec = parsing.edit_spec(pb.EditHeader(session_id="s", edits=[EDIT]), Limits())
    edit, fill = edit_steps(models, served, 0, spec), steps_of(loader, 1)(models)
    joints = [next(e for e in work if isinstance(e, RenderJoint)) for work in (edit, fill)]
    (edited,), (plain,) = joints[1].together([joints[0]])[::-1]
    assert edited.unedited is not None
    assert np.abs(edited.unedited[0] - plain.outputs[0]).max() <= 1 / 255
    assert np.abs(edited.outputs[0] - plain.outputs[0]).max() > 1 / 255
    (alone,) = [
        e[0] for e in edit_steps(DeviceModels(loader), served, 0, spec) if isinstance(e, list)
    ]
    assert np.abs(edited.outputs[0] - alone.outputs[0]).max() <= 1 / 255


def test_an_edit_on_another_device_encodes_for_itself() -> None:
    """What is on a device serves only there; the same codes give the same image."""
    loader = Counting()
    home, other = DeviceModels(loader), DeviceModels(Counting())
    events = list(steps_of(loader, 1)(home))
    (served,) = [e.served for e in events if isinstance(e, Encoded)]
    assert served.home is home
    spec = parsing.edit_spec(pb.EditHeader(session_id="s"), Limits())
    images = []
    for models in (home, other, home):
        results = [e for e in edit_steps(models, served, 0, spec) if isinstance(e, list)]
        images.append(results[0][0].outputs[0])
        assert served.home is models
    np.testing.assert_array_equal(images[0], images[1])
    np.testing.assert_array_equal(images[0], images[2])


def test_what_a_session_keeps_is_counted() -> None:
    (session,) = [e.served.session for e in events_of(Counting(), 2, 1) if isinstance(e, Encoded)]
    assert session.encodings
    encoded = sum(part.nbytes for part in session.encodings.groups[0].values())
    images = session.image.pixels.nbytes + session.hole.coverage.nbytes
    assert encoded > 0
    assert session.num_bytes > encoded + images + sum(
        codes.nbytes for made in session.candidates.values() for codes in made.codes
    )
    with_encodings = session.num_bytes
    session.encodings = None
    assert with_encodings - session.num_bytes == encoded
