"""A real daemon that is killed or stopped in the middle of a fill."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from queue import SimpleQueue

import pytest
from daemons import DaemonProcess, noise, square_hole
from eventually import eventually
from inpaint_client import (
    BlockingClient,
    Box,
    Candidate,
    Capture,
    Client,
    ConnectionLostError,
    Done,
    Endpoint,
    Extent,
    Failed,
    FillEvent,
    FillJob,
    Message,
    NotRespondingError,
    Picture,
    Resumed,
    Worker,
    parse_endpoint,
)
from inpaint_client.daemon import _spawn
from inpaint_client.session.killed_notice import KilledNotice

WIDTH, HEIGHT = 48, 40
JOB = FillJob(
    capture=Capture(
        crop=Picture(WIDTH, HEIGHT, 3, noise(WIDTH, HEIGHT).tobytes()),
        hole=Picture(WIDTH, HEIGHT, 1, square_hole(WIDTH, HEIGHT).tobytes()),
        crop_box=Box(0, 0, WIDTH, HEIGHT),
        document=Extent(WIDTH, HEIGHT),
    ),
    seeds=(11, 12, 13, 14),
    variants=({},),
)


def endpoint(daemon: DaemonProcess) -> Endpoint:
    runtime = daemon.runtime()
    return parse_endpoint(runtime["address"], runtime["token"])


class Daemons:
    """Finds the daemon in a folder, or starts one if there is none, as `ensure_daemon` does."""

    def __init__(self, folder: Path, stack: ExitStack, most: int = 2) -> None:
        self.started: list[DaemonProcess] = []
        self._folder, self._stack, self._most = folder, stack, most

    def locate(self) -> Endpoint:
        running = self.started and self.started[-1].process.poll() is None
        if not running and len(self.started) < self._most:
            self.started.append(self._stack.enter_context(DaemonProcess(self._folder, slow_s=0.4)))
        return endpoint(self.started[-1])

    def kill(self) -> None:
        self.started[-1].process.kill()
        self.started[-1].ended()


@contextmanager
def daemons(folder: Path, most: int = 2) -> Iterator[Daemons]:
    with ExitStack() as stack:
        yield Daemons(folder, stack, most)


def pixels(candidates: list[Candidate]) -> dict[tuple[int, int, int], bytes]:
    return {(c.index, c.variant, c.seed): bytes(c.patches[0].fill.data) for c in candidates}


def test_after_a_kill_the_missing_candidates_come_from_the_next_daemon(tmp_path: Path) -> None:
    messages: SimpleQueue[Message] = SimpleQueue()
    with daemons(tmp_path) as some:
        worker = Worker(some.locate)
        run = worker.submit(JOB, messages.put)
        seen: list[Message] = []
        while not (seen and isinstance(seen[-1], Done | Failed)):
            seen.append(messages.get(timeout=120))
            count = sum(isinstance(message, Candidate) for message in seen)
            if count == 3 and len(some.started) == 1:  # the second one without its variant
                some.kill()
        assert run.wait(10)
        assert isinstance(seen[-1], Done), seen[-1]
        assert sum(isinstance(message, Resumed) for message in seen) == 1
        candidates = [message for message in seen if isinstance(message, Candidate)]
        assert len(candidates) == len(pixels(candidates)) == 8
        info = worker.call(lambda client: client.info()).result(60)
        news = KilledNotice()
        sentence = news.news(info)
        assert sentence is not None
        assert "killed while it was working (Fill model=tiny crop=48x40x3 seeds=4" in sentence
        assert news.news(info) is None
        worker.close()
        with BlockingClient(some.locate) as client:
            whole = [event for event in client.fill(JOB) if isinstance(event, Candidate)]
        assert pixels(candidates) == pixels(whole)


def test_a_fill_that_kills_every_daemon_ends_with_what_helps(tmp_path: Path) -> None:
    messages: SimpleQueue[Message] = SimpleQueue()
    with daemons(tmp_path) as some:
        worker = Worker(some.locate)
        worker.submit(JOB, messages.put)
        killed = 0
        while not isinstance(message := messages.get(timeout=120), Failed):
            if isinstance(message, Candidate) and killed < len(some.started):
                some.kill()
                killed += 1
        worker.close()
    assert killed == 2
    assert type(message.error) is ConnectionLostError
    assert "stopped twice" in str(message.error)
    assert "memory" in str(message.error)


def test_without_another_daemon_the_first_error_is_reported(tmp_path: Path) -> None:
    messages: SimpleQueue[Message] = SimpleQueue()
    with daemons(tmp_path, most=1) as some:
        where = some.locate()
        worker = Worker(lambda: where, patience_s=0.5)
        worker.submit(JOB, messages.put)
        while not isinstance(message := messages.get(timeout=120), Failed):
            if isinstance(message, Candidate):
                some.kill()
        worker.close()
    assert type(message.error) is ConnectionLostError
    assert "was lost" in str(message.error)


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGSTOP")
def test_a_suspended_daemon_is_distinguished_from_a_slow_one(tmp_path: Path) -> None:
    async def fill(client: Client, stop: bool, timeout_s: float | None) -> list[FillEvent]:
        events = []
        async for event in client.fill(JOB, timeout_s):
            events.append(event)
            if isinstance(event, Candidate) and stop:
                daemon.process.send_signal(signal.SIGSTOP)
        return events

    async def body() -> None:
        async with Client(endpoint(daemon), quiet_s=0.2) as client:
            for timeout_s in (None, 1.5):
                with pytest.raises(NotRespondingError) as caught:
                    await fill(client, stop=True, timeout_s=timeout_s)
                assert "does not answer" in str(caught.value)
                assert "End the process inpaint-server" in str(caught.value)
                assert "fewer candidates" not in str(caught.value)
                with pytest.raises(NotRespondingError):
                    await client.info(timeout_s=0.5)
                daemon.process.send_signal(signal.SIGCONT)
            # Each rendering takes longer than what counts as quiet, and is waited for.
            assert isinstance((await fill(client, stop=False, timeout_s=None))[-1], Done)

    with DaemonProcess(tmp_path, slow_s=0.5) as daemon:
        asyncio.run(body())


def test_a_daemon_that_was_started_from_here_and_killed_leaves_a_line_in_its_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    log = tmp_path / "server.log"
    process = _spawn([sys.executable, "-c", "import time; time.sleep(60)"], log)
    os.kill(process.pid, signal.SIGKILL)
    assert eventually(lambda: "was killed by signal 9" in log.read_text(), 20)
