"""The studio of docs/guide/studio.md: a real Envoy in front of three real daemons."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import pytest
from cluster import (
    RECIPE,
    TOKEN,
    Daemon,
    Envoy,
    EnvoyMissingError,
    Studio,
    envoy_program,
    make_certificates,
    studio,
)
from daemons import noise, square_hole
from eventually import eventually
from inpaint_client import (
    Accepted,
    BlockingClient,
    Box,
    Candidate,
    Capture,
    Done,
    EditJob,
    Extent,
    FillEvent,
    FillJob,
    NotFoundError,
    Picture,
    RecipeSource,
    Resumed,
    UnauthenticatedError,
    UnavailableError,
)

pytestmark = [pytest.mark.cluster, pytest.mark.slow]

SLOW_S = 0.15
GRACE_S = 3
SETTINGS = f"alone_unload_s: 0\ngrace_s: {GRACE_S}\n"
EDITS = {"brighter": 1.0}


def require_envoy() -> None:
    """Skip the test without Envoy; with REQUIRE_CLUSTER=1 it fails."""
    try:
        envoy_program()
    except EnvoyMissingError as error:
        if os.environ.get("REQUIRE_CLUSTER"):
            raise
        pytest.skip(f"{error}; run `make test-cluster`")


def job(seeds: range = range(4), side: int = 48) -> FillJob:
    return FillJob(
        capture=Capture(
            crop=Picture(side, side, 3, noise(side, side).tobytes()),
            hole=Picture(side, side, 1, square_hole(side, side).tobytes()),
            crop_box=Box(0, 0, side, side),
            document=Extent(side, side),
        ),
        seeds=tuple(seeds),
    )


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    require_envoy()
    folder = tmp_path_factory.mktemp("studio")
    with studio(folder, slow_s=SLOW_S, settings=SETTINGS) as some:
        yield some
        for daemon in some.daemons:  # the guard of connections leaves the health checks alone
            assert "connections_without_a_call" not in daemon.log


@pytest.fixture
def whole(running: Studio) -> Iterator[Studio]:
    """The studio with all its daemons; those that the test stops are started again afterward."""
    yield running
    for daemon in running.daemons:
        if daemon.is_stopping:
            daemon.process.wait(60)
            daemon.start()
    running.wait_until_healthy()


@pytest.fixture
def client(whole: Studio) -> Iterator[BlockingClient]:
    with BlockingClient(whole.endpoint) as client:
        yield client


T = TypeVar("T")


def of_kind(events: list[FillEvent], kind: type[T]) -> list[T]:
    return [event for event in events if isinstance(event, kind)]


def pixels(events: list[FillEvent]) -> dict[tuple[int, int], bytes]:
    return {(c.index, c.seed): bytes(c.patches[0].fill.data) for c in of_kind(events, Candidate)}


def edit_of(fill: FillJob, events: list[FillEvent], *, with_source: bool = True) -> EditJob:
    [accepted], first = of_kind(events, Accepted), of_kind(events, Candidate)[0]
    source = RecipeSource(recipe=first.recipe, attachment=first.attachment, capture=fill.capture)
    return EditJob(
        session_id=accepted.session_id,
        routing_key=accepted.routing_key,
        source=source if with_source else None,
        edits=EDITS,
    )


def home(studio: Studio, events: list[FillEvent]) -> Daemon:
    """Return the daemon that answered, once Envoy has logged the request."""
    [accepted] = of_kind(events, Accepted)
    return daemon_of(studio, accepted.routing_key)


def daemon_of(studio: Studio, key: str) -> Daemon:
    """Return the daemon to which Envoy sends what has this key."""
    found: list[str] = []

    def is_logged() -> bool:
        found[:] = [each["daemon"] for each in studio.envoy.requests() if each["key"] == key]
        return bool(found)

    assert eventually(is_logged)
    return next(d for d in studio.daemons if found[-1] == f"127.0.0.1:{d.port}")


def test_the_recipe_is_valid_as_it_stands(tmp_path: Path) -> None:
    """With the addresses of the guide. Only the files are elsewhere."""
    require_envoy()
    make_certificates(tmp_path)
    config = tmp_path / "envoy.yaml"
    config.write_text(RECIPE.read_text("utf-8").replace("/etc/inpaint", str(tmp_path)))
    arguments = ["--config-path", str(config), "--mode", "validate"]
    ended = subprocess.run([envoy_program(), *arguments], capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
    assert "[warning]" not in ended.stderr  # Envoy warns of settings that it will drop


def test_the_front_answers_like_a_daemon(client: BlockingClient, whole: Studio) -> None:
    assert client.is_serving()
    assert client.info().models[0].name == "tiny"
    events = list(client.fill(job()))
    assert isinstance(events[-1], Done)
    assert len(pixels(events)) == 4


def test_a_wrong_token_is_refused_by_the_daemon_and_none_is_logged(whole: Studio) -> None:
    for token in ("a-wrong-token-of-nobody", ""):
        with BlockingClient(lambda token=token: whole.endpoint(token)) as stranger:  # type: ignore[misc]
            with pytest.raises(UnauthenticatedError) as caught:
                list(stranger.fill(job()))
            assert caught.value.code in ("TOKEN_WRONG", "TOKEN_MISSING")
    assert eventually(
        lambda: any(each["status"] == "Unauthenticated" for each in whole.envoy.requests())
    )
    logged = (whole.envoy.folder / "access.log").read_text() + whole.envoy.admin(
        "GET", "/config_dump"
    )
    assert TOKEN not in logged
    assert "a-wrong-token" not in logged


def test_fills_spread_and_their_edits_stay(client: BlockingClient, whole: Studio) -> None:
    keys = set()
    for seed in range(12):
        fill = job(range(seed, seed + 1))
        events = list(client.fill(fill))
        [accepted] = of_kind(events, Accepted)
        keys.add(accepted.routing_key)
        edit = edit_of(fill, events, with_source=False)
        for value in (0.5, 1.0):
            [again] = of_kind(list(client.edit(replace(edit, edits={"brighter": value}))), Accepted)
            assert again.session_id == accepted.session_id

    def found() -> dict[str, list[str]]:
        by_key = defaultdict(list)
        for each in whole.envoy.requests():
            if each["key"] in keys:
                by_key[each["key"]].append(each["daemon"])
        return by_key

    assert eventually(lambda: sum(map(len, found().values())) == 36)
    assert all(len(set(daemons)) == 1 for daemons in found().values())
    assert len({daemons[0] for daemons in found().values()}) >= 2  # one in 2**17 fails to


@pytest.mark.parametrize("how", ["kill", "drain"])
def test_an_edit_outlives_the_daemon_of_its_fill(
    client: BlockingClient, whole: Studio, how: str
) -> None:
    fill = job(range(7, 8))
    events = list(client.fill(fill))
    edit = edit_of(fill, events)
    expected = pixels(list(client.edit(edit)))
    daemon = home(whole, events)
    daemon.kill() if how == "kill" else daemon.drain()
    # In the editors, sliders send the session alone first, and the image once they are told.
    with pytest.raises(NotFoundError):
        list(client.edit(replace(edit, source=None)))
    again = list(client.edit(edit))
    assert not of_kind(again, Resumed)
    assert pixels(again) == expected
    [accepted] = of_kind(again, Accepted)
    assert accepted.session_id != edit.session_id
    assert accepted.routing_key != edit.routing_key
    assert daemon_of(whole, accepted.routing_key) is not daemon


@pytest.mark.parametrize("what", ["fill", "edit"])
def test_what_runs_on_a_daemon_that_is_killed_goes_on(
    client: BlockingClient, whole: Studio, what: str
) -> None:
    fill = job()
    whole_fill = list(client.fill(fill))
    expected = pixels(whole_fill)
    daemon = home(whole, whole_fill)
    edit = edit_of(fill, whole_fill)
    if what == "edit":
        expected = pixels(list(client.edit(edit)))
    events: list[FillEvent] = []
    for event in client.fill(fill) if what == "fill" else client.edit(edit):
        events.append(event)
        if (
            what == "fill"
            and len(of_kind(events, Candidate)) == 2
            and daemon.process.poll() is None
        ):
            running = next(d for d in whole.daemons if d.process.poll() is None and _works(d))
            running.kill()
            daemon = running
        if what == "edit" and isinstance(event, Accepted) and daemon.process.poll() is None:
            daemon.kill()
    assert isinstance(events[-1], Done)
    assert pixels(events) == expected
    assert len(of_kind(events, Resumed)) == (1 if what == "fill" else 0)
    assert daemon.process.poll() is not None


def _works(daemon: Daemon) -> bool:
    """Return whether a daemon is working on a request: then its note of the work has content."""
    note = daemon.folder / "inpaint" / "server.work"
    return bool(note.exists() and note.stat().st_size > 0)


def test_draining_loses_nothing(whole: Studio) -> None:
    """Artists fill and edit all the time while one daemon after the other is drained."""
    stop = threading.Event()
    seen: list[list[FillEvent]] = []

    def artist(number: int) -> int:
        done = 0
        with BlockingClient(whole.endpoint) as client:
            while not stop.is_set():
                fill = job(range(10 * number, 10 * number + 2))
                events = list(client.fill(fill))
                seen.append(events)
                edited = list(client.edit(edit_of(fill, events)))
                assert isinstance(events[-1], Done)
                assert isinstance(edited[-1], Done)
                done += 1
        return done

    with ThreadPoolExecutor(4) as threads:
        artists = [threads.submit(artist, number) for number in range(4)]
        try:
            for number in (0, 1):
                daemon = whole.daemons[number]
                time.sleep(1)
                daemon.drain()
                assert daemon.process.wait(60) == 0
                daemon.start()
                whole.wait_until_healthy()
        finally:
            stop.set()
        assert all(artist.result(60) > 0 for artist in artists)
    assert not any(of_kind(events, Resumed) for events in seen)  # running fills ended in time
    by_seeds = defaultdict(set)
    for events in seen:
        by_seeds[min(pixels(events))].add(tuple(sorted(pixels(events).items())))
    assert all(len(different) == 1 for different in by_seeds.values())


def test_a_fill_that_takes_longer_than_the_grace_goes_on_elsewhere(
    client: BlockingClient, whole: Studio
) -> None:
    fill = job(range(round((GRACE_S + 2) / SLOW_S)))
    events: list[FillEvent] = []
    drained: list[Daemon] = []
    for event in client.fill(fill):
        events.append(event)
        if isinstance(event, Candidate) and not drained:
            drained = [daemon for daemon in whole.daemons if _works(daemon)]
            drained[0].drain()
    assert isinstance(events[-1], Done)
    assert [c.index for c in of_kind(events, Candidate)] == list(range(len(fill.seeds)))
    assert len(of_kind(events, Resumed)) == 1
    assert drained[0].process.wait(60) == 0


def test_a_daemon_that_comes_back_takes_part_again(client: BlockingClient, whole: Studio) -> None:
    daemon = whole.daemons[2]
    daemon.kill()
    whole.wait_until_healthy(0, 1)
    for seed in range(4):
        assert isinstance(list(client.fill(job(range(seed, seed + 1))))[-1], Done)
    daemon.start()
    whole.wait_until_healthy()
    before = daemon.answered()["Fill", "OK"]

    def takes_part() -> bool:
        list(client.fill(job(range(1))))
        return daemon.answered()["Fill", "OK"] > before

    assert eventually(takes_part, 60)


@pytest.mark.skipif(not hasattr(signal, "SIGSTOP"), reason="no SIGSTOP")
def test_a_suspended_daemon_is_noticed(client: BlockingClient, whole: Studio) -> None:
    """As one whose machine was switched off or has lost its network."""
    fill = job(range(10))
    events: list[FillEvent] = []
    stopped: list[Daemon] = []
    try:
        for event in client.fill(fill):
            events.append(event)
            if isinstance(event, Candidate) and not stopped:
                stopped = [daemon for daemon in whole.daemons if _works(daemon)]
                stopped[0].process.send_signal(signal.SIGSTOP)
    finally:
        for daemon in stopped:
            daemon.process.send_signal(signal.SIGCONT)
    assert isinstance(events[-1], Done)
    assert [c.index for c in of_kind(events, Candidate)] == list(range(10))
    assert len(of_kind(events, Resumed)) == 1


def test_without_any_daemon_the_client_is_told(whole: Studio) -> None:
    for daemon in whole.daemons:
        daemon.kill()
    with BlockingClient(whole.endpoint, patience_s=0.5) as client:
        with pytest.raises(UnavailableError, match="No daemon behind this address"):
            list(client.fill(job()))
        whole.daemons[0].start()
        whole.wait_until_healthy(0)
        assert isinstance(list(client.fill(job()))[-1], Done)


def test_after_a_restart_of_envoy_a_fill_goes_on(client: BlockingClient, whole: Studio) -> None:
    fill = job()
    expected = pixels(list(client.fill(fill)))
    events: list[FillEvent] = []
    has_restarted = False
    for event in client.fill(fill):
        events.append(event)
        if isinstance(event, Candidate) and not has_restarted:
            has_restarted = True
            whole.envoy.close()
            whole.envoy.start()
    assert pixels(events) == expected
    assert len(of_kind(events, Resumed)) == 1


def test_an_old_connection_ends_without_interrupting_anything(tmp_path: Path) -> None:
    require_envoy()

    def soon(envoy: Envoy) -> None:
        envoy.manager["common_http_protocol_options"]["max_connection_duration"] = "1s"
        envoy.manager["drain_timeout"] = "0.5s"

    with (
        studio(tmp_path, 1, slow_s=SLOW_S, settings=SETTINGS, change=soon) as some,
        BlockingClient(some.endpoint) as client,
    ):
        for _ in range(2):
            events = list(client.fill(job(range(24))))  # 3.6 s
            assert not of_kind(events, Resumed)
            assert [c.index for c in of_kind(events, Candidate)] == list(range(24))
        assert some.envoy.counter("http.artists.downstream_cx_max_duration_reached") >= 2
        assert some.envoy.counter("http.artists.downstream_cx_total") >= 2
        assert some.daemons[0].answered()["Fill", "OK"] == 2


@pytest.fixture(scope="module")
def unaware(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    """A studio whose Envoy does not notice that a daemon drains, and sends it requests."""
    require_envoy()

    def rarely(envoy: Envoy) -> None:
        [check] = envoy.cluster["health_checks"]
        check |= {"interval": "600s", "no_traffic_interval": "1s"}
        check |= {"no_traffic_healthy_interval": "600s", "unhealthy_interval": "1s"}

    folder = tmp_path_factory.mktemp("unaware")
    settings = SETTINGS.replace(f"grace_s: {GRACE_S}", "grace_s: 120\nlimits: {max_seeds: 240}")
    with studio(folder, 2, slow_s=SLOW_S, settings=settings, change=rarely) as some:
        yield some


def test_a_draining_daemon_passes_requests_on(unaware: Studio) -> None:
    """Small ones through Envoy, which has all of their bytes; large ones through the client."""
    with ExitStack() as stack:
        holding = stack.enter_context(BlockingClient(unaware.endpoint))
        held = holding.fill(job(range(240)))  # takes four times as long as everything below
        next(event for event in held if isinstance(event, Candidate))
        [draining] = [daemon for daemon in unaware.daemons if _works(daemon)]
        [other] = set(unaware.daemons) - {draining}
        draining.drain()
        assert eventually(lambda: "health=NOT_SERVING reason='the daemon is" in draining.log, 20)
        assert unaware.envoy.healthy() == {daemon.port for daemon in unaware.daemons}
        client = stack.enter_context(BlockingClient(unaware.endpoint))
        requests = unaware.envoy.requests
        for _ in range(10):
            assert isinstance(list(client.fill(job(range(1))))[-1], Done)
        assert eventually(lambda: sum(each["status"] == "OK" for each in requests()) == 10)
        assert not any(each["status"] == "Unavailable" for each in requests())
        assert any(each["attempts"] == 2 for each in requests())  # Envoy asked the other one
        for _ in range(10):
            assert isinstance(list(client.fill(job(range(1), side=1600)))[-1], Done)
        assert eventually(lambda: sum(each["status"] == "OK" for each in requests()) == 20)
        assert any(each["status"] == "Unavailable" for each in requests())  # the client did
        assert not any(each["status"] == "Unknown" for each in requests())
        assert other.answered()["Fill", "OK"] == 20
        assert draining.answered()["Fill", "UNAVAILABLE"] > 0
        assert isinstance(list(held)[-1], Done)
