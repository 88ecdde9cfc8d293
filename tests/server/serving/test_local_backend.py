"""The backend of one machine, without gRPC."""

from __future__ import annotations

import asyncio
import pickle
import subprocess
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from daemons import header, noise, square_hole
from inpaint_protos.v1 import inpaint_pb2 as pb
from inpaint_server.config import Limits, ServerConfig
from inpaint_server.errors import NotFoundError, RequestError, ResourceExhaustedError
from inpaint_server.filling.specs import EditSpec, FillSpec, ImageHeader
from inpaint_server.scheduling.work_marker import WorkMarker
from inpaint_server.serving.answers import (
    Accepted,
    Answer,
    Done,
    FinishedCandidate,
    FrameChosen,
    Progress,
)
from inpaint_server.serving.assembly import local_backend
from inpaint_server.serving.backend import Caller
from inpaint_server.serving.local_backend import LocalBackend
from inpaint_server.wire import parsing


class InMemory:
    """An upload that is complete."""

    def __init__(self, *images: bytes) -> None:
        self._images = images
        self.present = sum(map(len, images))

    async def images(self, shapes: Sequence[ImageHeader]) -> Sequence[bytes]:
        assert len(shapes) == len(self._images)
        return self._images


IMAGES = InMemory(noise(48, 40).tobytes(), square_hole(48, 40).tobytes())


def fill_spec(**fields: Any) -> FillSpec:
    return parsing.fill_spec(header(**fields), Limits())


def edit_spec(session_id: str, value: float) -> EditSpec:
    edit = pb.Edit(name="brighter", value=value)
    return parsing.edit_spec(pb.EditHeader(session_id=session_id, edits=[edit]), Limits())


def run(folder: Path, body: Callable[[LocalBackend], Awaitable[None]], **settings: Any) -> None:
    async def running() -> None:
        backend = local_backend(
            ServerConfig(device="cpu", models=("tiny",), threads=1, **settings),
            WorkMarker(folder / "server.work"),
            session_prefix="here.",
        )
        try:
            await asyncio.wait_for(body(backend), 60)
        finally:
            backend.stop()

    asyncio.run(running())


async def everything(answers: AsyncGenerator[Answer, None]) -> list[Answer]:
    async with aclosing(answers):
        return [answer async for answer in answers]


def candidates(answers: Sequence[Answer]) -> list[FinishedCandidate]:
    return [each for each in answers if isinstance(each, FinishedCandidate)]


def test_a_fill_answers_with_values(tmp_path: Path) -> None:
    async def body(backend: LocalBackend) -> None:
        answers = await everything(backend.fill(fill_spec(seeds=[1, 2]), IMAGES, Caller()))
        kinds = [type(answer) for answer in answers]
        one = [FinishedCandidate, Progress]
        assert kinds == [Accepted, FrameChosen, Progress, *one, *one, Done]
        assert [each.seed for each in candidates(answers)] == [1, 2]
        (first, _) = candidates(answers)
        assert first.attachment
        (patch,) = first.patches
        assert patch.fill.shape == (*patch.coverage.shape, 3)

    run(tmp_path, body)


def test_answers_survive_the_way_to_another_process(tmp_path: Path) -> None:
    async def body(backend: LocalBackend) -> None:
        answers = await everything(backend.fill(fill_spec(seeds=[1]), IMAGES, Caller()))
        for answer in [*answers, await backend.describe()]:
            copy = pickle.loads(pickle.dumps(answer))  # noqa: S301 (our own bytes)
            if isinstance(answer, FinishedCandidate):
                assert copy.recipe == answer.recipe
                np.testing.assert_array_equal(copy.patches[0].fill, answer.patches[0].fill)
            else:
                assert copy == answer

    run(tmp_path, body)


def test_a_session_can_be_edited_by_an_id_that_begins_with_its_backend(tmp_path: Path) -> None:
    async def body(backend: LocalBackend) -> None:
        accepted, *filled = await everything(backend.fill(fill_spec(seeds=[1]), IMAGES, Caller()))
        assert isinstance(accepted, Accepted)
        assert accepted.session_id.startswith("here.")
        edits = [
            await everything(backend.edit(edit_spec(accepted.session_id, v), InMemory(), Caller()))
            for v in (0.0, 2.0)
        ]
        (before,), (same,), (after,) = map(candidates, (filled, *edits))
        np.testing.assert_array_equal(same.patches[0].fill, before.patches[0].fill)
        assert (after.patches[0].fill != before.patches[0].fill).any()

    run(tmp_path, body)


def test_an_error_is_raised_before_the_first_answer(tmp_path: Path) -> None:
    async def body(backend: LocalBackend) -> None:
        with pytest.raises(NotFoundError, match="elsewhere"):
            await everything(backend.edit(edit_spec("elsewhere", 1.0), InMemory(), Caller()))
        with pytest.raises(NotFoundError, match="nobody"):
            await everything(backend.fill(fill_spec(model="nobody"), IMAGES, Caller()))

    run(tmp_path, body)


def test_memory_is_reserved_before_the_images_are_received(tmp_path: Path) -> None:
    class Unread:
        present = 0

        async def images(self, shapes: Sequence[ImageHeader]) -> Sequence[bytes]:
            raise AssertionError("the request should have been refused")

    async def body(backend: LocalBackend) -> None:
        with pytest.raises(ResourceExhaustedError):
            await everything(backend.fill(fill_spec(seeds=[1]), Unread(), Caller()))

    run(tmp_path, body, limits=Limits(max_pending_bytes=1000))


def test_a_reader_that_stops_frees_everything(tmp_path: Path) -> None:
    async def body(backend: LocalBackend) -> None:
        async with aclosing(backend.fill(fill_spec(count=60), IMAGES, Caller())) as answers:
            async for answer in answers:
                if isinstance(answer, FinishedCandidate):
                    break
        assert backend.parts.admission.reserved == 0
        assert not (tmp_path / "server.work").exists()
        while backend.parts.engine._open:
            await asyncio.sleep(0.01)

    run(tmp_path, body)


def subclasses(kind: type[RequestError]) -> list[type[RequestError]]:
    return [kind, *(each for one in kind.__subclasses__() for each in subclasses(one))]


@pytest.mark.parametrize("kind", subclasses(RequestError), ids=lambda kind: kind.__name__)
def test_errors_survive_the_way_to_another_process(kind: type[RequestError]) -> None:
    error = kind.__new__(kind)
    RequestError.__init__(error, "QUEUE_FULL", limit=7)
    vars(error)["field"] = "crop"
    copy = pickle.loads(pickle.dumps(error))  # noqa: S301 (our own bytes)
    assert type(copy) is kind
    assert str(copy) == str(error)
    assert vars(copy) == vars(error)
    assert copy.retry_after_s == error.retry_after_s


@pytest.mark.slow
def test_the_core_imports_neither_grpc_nor_protobuf() -> None:
    """So that another protocol or another engine can stand in front of it."""
    code = (
        "import sys, inpaint_server.serving.assembly\n"
        "print(*sorted({m.split('.')[0] for m in sys.modules} & {'grpc', 'grpclib', 'google'}))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.split() == []
