"""The client against a real gRPC server, on every transport and through every mishap."""

from __future__ import annotations

import asyncio
import errno
import socket
import subprocess
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from eventually import eventually
from fake_daemon import FakeDaemon, Script, color_of
from fake_listening import Listening
from inpaint_client import (
    Accepted,
    BlockingClient,
    Box,
    Candidate,
    Capture,
    Client,
    ConnectionLostError,
    DaemonNotFoundError,
    Done,
    EditJob,
    Extent,
    FillEvent,
    FillJob,
    FrameChosen,
    InpaintError,
    InvalidRequestError,
    NotFoundError,
    Picture,
    Progress,
    RecipeSource,
    RequestTimeoutError,
    Resumed,
    SampleType,
    TlsFiles,
    UnauthenticatedError,
    errors,
    parse_endpoint,
)
from inpaint_client.client import _translated
from inpaint_client.endpoint import Endpoint
from inpaint_client.events import Sending

Jobs = Callable[..., FillJob]


def connect(address: str, token: str = "", tls: TlsFiles | None = None) -> BlockingClient:
    return BlockingClient(lambda: parse_endpoint(address, token, tls), patience_s=0)


def test_a_fill_from_beginning_to_end(daemon: FakeDaemon, job: Jobs) -> None:
    fill = job(variants=({"smile": 2.0},), count=2)
    with connect(daemon.address) as client:
        events = list(client.fill(fill))
    kinds = [type(event) for event in events]
    assert kinds[:2] == [Accepted, FrameChosen]
    assert kinds[-1] is Done
    assert kinds[2:-1] == [Progress, *[Candidate, Progress] * 4]
    candidates = [event for event in events if isinstance(event, Candidate)]
    assert [(c.index, c.variant, c.seed) for c in candidates] == [
        (0, -1, 7),
        (0, 0, 7),
        (1, -1, 8),
        (1, 0, 8),
    ]
    [patch] = candidates[1].patches
    assert patch.box == (108, 205, 20, 10)
    assert patch.coverage.data == b"\xff" * 200
    assert patch.fill.data == bytes(round(255 * v) for v in color_of(7, {"smile": 2.0})) * 200
    assert [bool(c.attachment) for c in candidates] == [True, False, True, False]
    [seen] = daemon.service.fills
    assert seen.crop.data == fill.capture.crop.data
    assert seen.hole.data == fill.capture.hole.data


@pytest.mark.parametrize("sample_type", list(SampleType))
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_every_kind_of_image(
    daemon: FakeDaemon, job: Jobs, sample_type: SampleType, channels: int
) -> None:
    data = bytes(64 * 48 * channels * sample_type.size)
    crop = Picture(64, 48, channels, data, sample_type)
    with connect(daemon.address) as client:
        [candidate, *_] = [
            event for event in client.fill(job(crop=crop)) if isinstance(event, Candidate)
        ]
    fill = candidate.patches[0].fill
    assert (fill.channels, fill.sample_type) == (channels, sample_type)


def test_large_images_up_and_down(daemon: FakeDaemon) -> None:
    """25 MiB up in chunks and as much down in one message."""
    side = 2560
    crop = Picture(side, side, 3, b"\1\2\3" * (side * side))
    hole = Picture(side, side, 1, b"\xff" * (side * side))
    extent = Extent(side, side)
    box = Box.of_extent(extent)
    big = FillJob(capture=Capture(crop=crop, hole=hole, crop_box=box, document=extent))
    with connect(daemon.address) as client:
        events = list(client.fill(big))
    candidates = [event for event in events if isinstance(event, Candidate)]
    assert candidates[0].patches[0].fill.extent == (side, side)
    shares = [event.fraction for event in events if isinstance(event, Sending)]
    assert all(isinstance(event, Sending) for event in events[: len(shares)])
    assert shares == sorted(shares)
    assert (len(shares) > 10, shares[-1]) == (True, 1.0)
    assert daemon.service.fills[0].crop.data == crop.data


def test_the_other_requests(daemon: FakeDaemon) -> None:
    with connect(daemon.address) as client:
        info = client.info()
        assert client.is_serving()
        assert client.unload_model("fake")
        assert not client.info().models[0].loaded
        assert client.load_model("fake").name == "fake"
        with pytest.raises(NotFoundError, match="known: fake"):
            client.load_model("absent")
    assert (info.version, info.limits.max_side) == ("0.0-fake", 8192)
    model = info.model()
    assert model is info.model("fake")
    assert model is not None
    assert [d.name for d in model.directions] == ["smile", "age", "light"]
    assert info.model("absent") is None


def accepted(events: list[FillEvent]) -> Accepted:
    return next(event for event in events if isinstance(event, Accepted))


def test_what_belongs_to_one_session_has_one_routing_key(daemon: FakeDaemon, job: Jobs) -> None:
    """A proxy sends it to the daemon that has the session."""
    keys = daemon.service.routing_keys
    fill = job(count=1)
    with connect(daemon.address) as client:
        events = list(client.fill(fill))
        first, session = next(e for e in events if isinstance(e, Candidate)), accepted(events)
        assert keys == [session.routing_key]
        source = RecipeSource(
            recipe=first.recipe, attachment=first.attachment, capture=fill.capture
        )
        edit = EditJob(
            session_id=session.session_id, routing_key=session.routing_key, source=source
        )
        assert accepted(list(client.edit(edit))).routing_key == session.routing_key
        assert keys == [session.routing_key] * 2
        by_recipe = accepted(list(client.edit(replace(edit, session_id="gone"))))
        assert keys[2:] == [session.routing_key, by_recipe.routing_key]
        assert accepted(list(client.fill(fill))).routing_key == keys[-1]
        assert accepted(list(client.edit(EditJob(source=source)))).routing_key == keys[-1]
    assert len(set(keys)) == 4
    assert all(len(key) >= 16 and key.isascii() for key in keys)


def test_a_connection_that_has_become_old_is_replaced_and_finishes_its_calls(job: Jobs) -> None:
    """A proxy ends connections in this way now and then, and gRPC does."""
    script = Script(token="secret", delay_s=0.1)
    with FakeDaemon(script, Listening(max_age_s=0.5)) as daemon:
        endpoint = parse_endpoint(daemon.address, "secret")

        async def body() -> tuple[list[FillEvent], int]:
            async with Client(endpoint) as client:
                connections = {id(await client._channel.__connect__())}
                events = []
                async for event in client.fill(job(count=20)):
                    events.append(event)
                    if isinstance(event, Candidate) and event.index % 5 == 4:
                        await client.info()
                        connections.add(id(client._channel._protocol))
                return events, len(connections)

        events, connections = asyncio.run(body())
    assert [event.index for event in events if isinstance(event, Candidate)] == list(range(20))
    assert isinstance(events[-1], Done)
    assert connections >= 2
    assert len(daemon.service.fills) == 1


def test_edit_by_session_and_by_recipe(daemon: FakeDaemon, job: Jobs) -> None:
    fill = job(count=1)
    edits = {"age": 3.0}
    with connect(daemon.address) as client:
        events = list(client.fill(fill))
        session = next(e.session_id for e in events if isinstance(e, Accepted))
        first = next(e for e in events if isinstance(e, Candidate))
        source = RecipeSource(
            recipe=first.recipe,
            attachment=first.attachment,
            capture=fill.capture,
        )
        by_session = list(client.edit(EditJob(session_id=session, edits=edits)))
        by_recipe = list(client.edit(EditJob(source=source, edits=edits)))
        with pytest.raises(NotFoundError, match="expired"):
            list(client.edit(EditJob(session_id="gone")))
        sent = len(daemon.service.edits)
        both = EditJob(session_id=session, source=source, edits=edits)
        by_both = list(client.edit(both))
        by_what_is_left = list(client.edit(replace(both, session_id="gone")))
    with_source = [edit.HasField("source") for edit in daemon.service.edits[sent:]]
    assert with_source == [False, False, True]  # only when the session is gone
    one, *others = (
        next(e for e in events if isinstance(e, Candidate))
        for events in (by_session, by_recipe, by_both, by_what_is_left)
    )
    for other in others:
        assert one.patches == other.patches
    assert one.patches != first.patches


# --- transports ----------------------------------------------------------------------------------


def test_unix_socket(tmp_path: Path, job: Jobs) -> None:
    with FakeDaemon(Script(token="t"), Listening(unix=str(tmp_path / "s.sock"))) as daemon:
        assert daemon.address.startswith("unix:")
        with connect(daemon.address, "t") as client:
            assert isinstance(list(client.fill(job()))[-1], Done)
    with connect(daemon.address) as client, pytest.raises(DaemonNotFoundError, match=r"s\.sock"):
        client.info()


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An authority, and what it signed for the server and a client."""
    folder = tmp_path_factory.mktemp("certificates")

    def openssl(*arguments: str) -> None:
        try:
            subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)
        except FileNotFoundError:
            pytest.skip("openssl is not installed")

    key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
    authority = ("-x509", *key, "-keyout", "ca.key", "-out", "ca.pem", "-days", "2")
    openssl("req", *authority, "-subj", "/CN=Test authority")
    for name in ("server", "client"):
        openssl("req", *key, "-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj", "/CN=x")
        (folder / "ext").write_text("subjectAltName=DNS:localhost\n")
        signed = ("-in", f"{name}.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial")
        openssl("x509", "-req", *signed, "-out", f"{name}.pem", "-days", "2", "-extfile", "ext")
    return folder


def test_tls(certificates: Path, job: Jobs) -> None:
    listening = Listening(
        tls_cert=str(certificates / "server.pem"), tls_key=str(certificates / "server.key")
    )
    with FakeDaemon(Script(token="t"), listening) as daemon:
        with connect(daemon.address, "t", TlsFiles(str(certificates / "ca.pem"))) as client:
            assert isinstance(list(client.fill(job()))[-1], Done)
        with (
            connect(daemon.address, "t") as client,
            pytest.raises(DaemonNotFoundError, match="not trusted"),
        ):
            client.info()
        plain = daemon.address.removeprefix("tls://")
        with connect(plain) as client, pytest.raises(InpaintError) as caught:
            client.info()
        assert isinstance(caught.value, (DaemonNotFoundError, ConnectionLostError))


def test_mutual_tls(certificates: Path, job: Jobs) -> None:
    listening = Listening(
        tls_cert=str(certificates / "server.pem"),
        tls_key=str(certificates / "server.key"),
        tls_client_ca=str(certificates / "ca.pem"),
    )
    ca = str(certificates / "ca.pem")
    with FakeDaemon(listening=listening) as daemon:
        known = TlsFiles(ca, str(certificates / "client.pem"), str(certificates / "client.key"))
        with connect(daemon.address, tls=known) as client:
            assert isinstance(list(client.fill(job()))[-1], Done)
        with connect(daemon.address, tls=TlsFiles(ca)) as client, pytest.raises(InpaintError):
            client.info()


def test_all_connections_of_a_program_have_one_name() -> None:
    """By which the daemon gives each program the same share of its device."""

    async def names() -> list[str]:
        endpoint = parse_endpoint("127.0.0.1:1")
        clients = [Client(endpoint), Client(endpoint), Client(endpoint, name="another")]
        for client in clients:
            await client.aclose()
        return [client._metadata["inpaint-client"] for client in clients]

    one, same, another = asyncio.run(names())
    assert one == same
    assert 8 <= len(one) <= 64
    assert another == "another"


@pytest.mark.parametrize("token", ["", "wrong"])
def test_token_missing_or_wrong(slow_daemon: FakeDaemon, job: Jobs, token: str) -> None:
    with connect(slow_daemon.address, token) as client:
        with pytest.raises(UnauthenticatedError, match="INPAINT_TOKEN"):
            client.info()
        with pytest.raises(UnauthenticatedError):
            list(client.fill(job()))
        with pytest.raises(UnauthenticatedError):
            client.is_serving()
    assert not slow_daemon.service.fills


# --- mishaps -------------------------------------------------------------------------------------

REFUSALS = {
    "INVALID_ARGUMENT": errors.InvalidRequestError,
    "NOT_FOUND": errors.NotFoundError,
    "RESOURCE_EXHAUSTED": errors.ResourceExhaustedError,
    "FAILED_PRECONDITION": errors.WrongModelError,
    "UNAUTHENTICATED": errors.UnauthenticatedError,
    "CANCELLED": errors.UnavailableError,
    "DEADLINE_EXCEEDED": errors.RequestTimeoutError,
    "UNAVAILABLE": errors.UnavailableError,
    "INTERNAL": errors.DaemonInternalError,
    "UNKNOWN": errors.DaemonInternalError,
}


@pytest.mark.parametrize("status", list(REFUSALS))
@pytest.mark.parametrize("after", ["", ":0", ":2"])
def test_each_status_arrives_as_its_error(
    daemon: FakeDaemon, job: Jobs, status: str, after: str
) -> None:
    if status in {"UNAVAILABLE", "CANCELLED"} and after == ":2":
        pytest.skip("the missing candidates are requested again: see the next test")
    seen: list[FillEvent] = []
    with connect(daemon.address) as client:
        with pytest.raises(REFUSALS[status], match=f"{status} on demand") as caught:
            seen.extend(client.fill(job(model=f"fail:{status}{after}")))
        assert type(caught.value) is REFUSALS[status]
        assert sum(isinstance(event, Candidate) for event in seen) == (2 if after == ":2" else 0)
        assert isinstance(list(client.fill(job()))[-1], Done)  # the connection is still good


def test_a_daemon_that_stops_in_the_middle_is_asked_for_the_rest(
    daemon: FakeDaemon, job: Jobs
) -> None:
    with connect(daemon.address) as client:
        events = list(client.fill(job(model="fail:UNAVAILABLE:2", count=4)))
    assert isinstance(events[-1], Done)
    assert sum(isinstance(event, Resumed) for event in events) == 1
    assert [event.index for event in events if isinstance(event, Candidate)] == [0, 1, 2, 3]
    assert [list(fill.seeds) for fill in daemon.service.fills] == [[7, 8, 9, 10], [9, 10]]


@pytest.mark.parametrize("failure", ["END:0", "UNAVAILABLE:0"])
def test_an_edit_whose_daemon_stops_in_the_middle_is_requested_again(
    daemon: FakeDaemon, job: Jobs, failure: str
) -> None:
    with connect(daemon.address) as client:
        session = accepted(list(client.fill(job(count=2))))
        edit = EditJob(session_id=session.session_id, routing_key=session.routing_key, index=1)
        [expected] = [e for e in client.edit(edit) if isinstance(e, Candidate)]
        daemon.service.script.fail = failure
        events = []
        for event in client.edit(edit):
            events.append(event)
            daemon.service.script.fail = ""
        assert not any(isinstance(event, Resumed) for event in events)
        assert [e for e in events if isinstance(e, Candidate)] == [expected]
        assert isinstance(events[-1], Done)
        daemon.service.script.fail = "UNAVAILABLE:1"  # only the end of the answer is missing
        asked = len(daemon.service.edits)
        assert isinstance(list(client.edit(edit))[-1], Done)
    assert len(daemon.service.edits) == asked + 1


def test_an_edit_that_every_daemon_fails_at_ends(daemon: FakeDaemon, job: Jobs) -> None:
    with connect(daemon.address) as client:
        session = accepted(list(client.fill(job(count=1))))
        daemon.service.script.fail = "END:0"
        with pytest.raises(ConnectionLostError, match="incomplete answer"):
            list(client.edit(EditJob(session_id=session.session_id)))
    assert len(daemon.service.edits) == 2


def test_an_answer_without_its_end_is_incomplete(daemon: FakeDaemon, job: Jobs) -> None:
    """The client requests the missing candidates once more."""
    with connect(daemon.address) as client:
        with pytest.raises(ConnectionLostError, match="stopped twice") as caught:
            list(client.fill(job(model="fail:END:0")))
        assert "incomplete answer" in str(caught.value.__cause__)
        events = list(client.fill(job(model="fail:END:2", count=4)))
    assert isinstance(events[-1], Done)
    assert [event.index for event in events if isinstance(event, Candidate)] == [0, 1, 2, 3]


def test_the_networks_timeout_is_not_the_deadlines() -> None:
    endpoint = parse_endpoint("127.0.0.1:1")
    with pytest.raises(DaemonNotFoundError, match="does not answer"), _translated(endpoint):
        raise TimeoutError(errno.ETIMEDOUT, "Connection timed out")
    with pytest.raises(RequestTimeoutError), _translated(endpoint):
        raise TimeoutError


def test_a_host_that_swallows_everything(job: Jobs) -> None:
    """A TLS handshake without an answer fails as if no daemon were running."""

    async def ask(endpoint: Endpoint) -> None:
        async with Client(endpoint, connect_timeout_s=0.3) as client:
            with pytest.raises(DaemonNotFoundError, match="did not answer within"):
                await client.info()
            with pytest.raises(DaemonNotFoundError, match="did not answer within"):
                await anext(client.fill(job()))

    with socket.create_server(("127.0.0.1", 0)) as server:
        asyncio.run(ask(parse_endpoint(f"tls://127.0.0.1:{server.getsockname()[1]}")))


def test_a_daemon_that_refuses_early_is_heard_during_the_upload(
    slow_daemon: FakeDaemon,
) -> None:
    """The token is wrong: the answer comes while 48 MiB are on their way."""
    side = 4096
    crop = Picture(side, side, 3, bytes(side * side * 3))
    hole = Picture(side, side, 1, b"\xff" * (side * side))
    extent = Extent(side, side)
    box = Box.of_extent(extent)
    big = FillJob(capture=Capture(crop=crop, hole=hole, crop_box=box, document=extent))
    with connect(slow_daemon.address, "wrong") as client, pytest.raises(UnauthenticatedError):
        list(client.fill(big))


def test_what_the_client_did_not_check_the_daemon_names(daemon: FakeDaemon, job: Jobs) -> None:
    class Odd(Picture):
        def __post_init__(self) -> None:
            pass

    with connect(daemon.address) as client, pytest.raises(InvalidRequestError, match=r"crop\.data"):
        list(client.fill(job(crop=Odd(64, 48, 3, b"too short"))))


def test_leaving_the_loop_cancels_on_the_daemon(slow_daemon: FakeDaemon, job: Jobs) -> None:
    with connect(slow_daemon.address, "secret") as client:
        for event in client.fill(job(count=50)):
            if isinstance(event, Candidate):
                break
        assert eventually(lambda: slow_daemon.service.cancelled == ["session-1"])
        assert client.is_serving()


def test_cancelling_the_task_cancels_on_the_daemon(slow_daemon: FakeDaemon, job: Jobs) -> None:
    async def scenario() -> None:
        async with Client(parse_endpoint(slow_daemon.address, "secret")) as client:
            arrived = asyncio.Event()

            async def follow() -> None:
                async for _ in client.fill(job(count=50)):
                    arrived.set()

            task = asyncio.create_task(follow())
            await arrived.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert await client.is_serving()

    asyncio.run(scenario())
    assert eventually(lambda: slow_daemon.service.cancelled == ["session-1"])


def test_a_deadline_ends_the_fill_here_and_there(slow_daemon: FakeDaemon, job: Jobs) -> None:
    with connect(slow_daemon.address, "secret") as client:
        with pytest.raises(RequestTimeoutError, match="in time"):
            list(client.fill(job(count=50), timeout_s=0.5))
        assert eventually(lambda: slow_daemon.service.cancelled == ["session-1"])


def test_the_daemon_is_killed_in_the_middle(start_daemon: Callable[..., Any], job: Jobs) -> None:
    process = start_daemon("--delay", "0.2")
    with connect(process.address) as client:
        events = client.fill(job(count=50))
        while not isinstance(next(events), Candidate):
            pass
        process.kill()
        with pytest.raises(ConnectionLostError, match="log"):
            list(events)
        with pytest.raises(DaemonNotFoundError, match="inpaint-server"):
            client.info()


def test_the_daemon_comes_back_at_the_same_address(
    start_daemon: Callable[..., Any], job: Jobs
) -> None:
    first = start_daemon()
    with connect(first.address) as client:
        client.info()
        assert first.stop() == 0
        start_daemon("--port", first.address.rpartition(":")[2])
        assert isinstance(list(client.fill(job()))[-1], Done)


def test_no_daemon_answers(job: Jobs) -> None:
    with connect("127.0.0.1:1") as client:
        with pytest.raises(DaemonNotFoundError, match=r"127\.0\.0\.1:1"):
            client.info()
        with pytest.raises(DaemonNotFoundError):
            list(client.fill(job()))
    with connect("unix:/nowhere/x.sock") as client, pytest.raises(DaemonNotFoundError):
        client.info()


@pytest.mark.parametrize("greeting", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b""])
def test_something_else_listens_there(greeting: bytes, job: Jobs) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            while not finished:
                connection, _ = server.accept()
                with connection:
                    connection.recv(1 << 20)
                    connection.sendall(greeting)

        finished: list[bool] = []
        thread = threading.Thread(target=answer, daemon=True)
        thread.start()
        with connect(f"127.0.0.1:{server.getsockname()[1]}") as client:
            with pytest.raises(ConnectionLostError):
                client.info()
            with pytest.raises(ConnectionLostError):
                list(client.fill(job()))
        finished.append(True)
        socket.create_connection(server.getsockname()).close()
        thread.join(10)
