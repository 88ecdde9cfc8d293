"""The session cache: bounded in number and bytes, with expiry; the registry of models."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, cast

import pytest
import torch
from inpaint_model import Inpainter
from inpaint_model.inference.tiny import tiny_inpainter
from inpaint_server.errors import (
    ConfigurationError,
    DeviceOutOfMemoryError,
    NotFoundError,
    WrongModelError,
)
from inpaint_server.filling.sessions import SessionCache
from inpaint_server.models.budget import Budget
from inpaint_server.models.device_models import DeviceModels
from inpaint_server.models.registry import BundleLoader, ModelInfo, ModelRegistry


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Session:
    """What the cache knows of a session, and of the model that it is served with."""

    name: str = "tiny"
    home: Any = None
    num_bytes: int = 1
    encodings: list[Any] | None = field(default_factory=lambda: [1])

    @property
    def entry(self) -> Session:
        return self

    @property
    def session(self) -> Session:
        return self


def cache(clock: Clock, count: int = 3, size: int = 100) -> SessionCache:
    return SessionCache(count, size, ttl_s=10.0, clock=clock)


def put(sessions: SessionCache, name: str, session: Session | None = None) -> bool:
    return sessions.put(name, cast(Any, session or Session()))


def test_the_least_recently_used_goes_first() -> None:
    sessions = cache(Clock())
    for name in "abc":
        assert put(sessions, name)
    assert sessions.get("a") is not None
    put(sessions, "d")
    assert [name for name in "abcd" if sessions.get(name)] == ["a", "c", "d"]


def test_bytes_are_bounded_too() -> None:
    sessions = cache(Clock())
    for name in "abc":
        put(sessions, name, Session(num_bytes=40))
    assert sessions.get("a") is None
    assert len(sessions) == 2
    assert not put(sessions, "huge", Session(num_bytes=101))
    assert len(sessions) == 2


def test_unused_sessions_expire() -> None:
    clock = Clock()
    sessions = cache(clock)
    put(sessions, "a")
    put(sessions, "b")
    clock.now = 8
    assert sessions.get("a") is not None
    clock.now = 12
    assert sessions.get("b") is None
    assert sessions.get("a") is not None
    clock.now = 23
    sessions.expire()
    assert len(sessions) == 0


def test_ids_cannot_be_guessed() -> None:
    ids = {SessionCache.new_id() for _ in range(1000)}
    assert len(ids) == 1000
    assert min(map(len, ids)) >= 22


def test_encodings_leave_with_their_model_and_its_device() -> None:
    sessions = cache(Clock())
    here, there = cast(Any, object()), cast(Any, object())
    ours, other, elsewhere = Session(home=here), Session("other", here), Session(home=there)
    for name, session in zip("abc", (ours, other, elsewhere), strict=True):
        put(sessions, name, session)
    sessions.forget_encodings("tiny", here)
    assert [session.encodings for session in (ours, other, elsewhere)] == [None, [1], [1]]


class Shelf(BundleLoader):
    """Models by name, all of the same size; `room` of them fit the device."""

    def __init__(self, room: int = 99) -> None:
        super().__init__(torch.device("cpu"))
        self.room = room
        self.models: DeviceModels | None = None
        self.registry: ModelRegistry | None = None

    def describe(self, source: str) -> ModelInfo:
        return replace(super().describe("tiny"), name=source, weights_sha256=source * 3)

    def load(self, source: str) -> Inpainter:
        assert self.registry is not None
        if len(loaded(self)) >= self.room:
            raise torch.OutOfMemoryError("planted")
        return tiny_inpainter()


def shelf(clock: Clock, room: int = 99, limit: int = 0) -> tuple[ModelRegistry, DeviceModels]:
    loader = Shelf(room)
    loader.registry = ModelRegistry("abc", loader)
    loader.models = DeviceModels(loader, Budget(limit), clock=clock)
    return loader.registry, loader.models


def loaded(loader: Shelf) -> str:
    assert loader.registry is not None
    assert loader.models is not None
    return "".join(n for n, e in loader.registry.entries.items() if loader.models.is_loaded(e))


def room_for(models: int) -> int:
    """The limit at which so many models of the shelf stay loaded."""
    need = Shelf().describe("a").footprint
    return models * need.weights + need.working(1)


@pytest.mark.parametrize(("room", "limit"), [(99, room_for(2)), (2, 0)], ids=["budget", "device"])
def test_the_least_recently_used_model_makes_room(room: int, limit: int) -> None:
    clock = Clock()
    registry, models = shelf(clock, room, limit)
    for now, name in enumerate("abac"):
        clock.now = now
        models.use(registry.find(name))
    assert loaded(cast(Shelf, models._loader)) == "ac"


def test_a_model_that_fits_nowhere() -> None:
    registry, models = shelf(Clock(), room=0)
    with pytest.raises(DeviceOutOfMemoryError, match="“a” does not fit"):
        models.use(registry.find("a"))


def test_idle_models_leave() -> None:
    clock = Clock()
    registry, models = shelf(clock)
    for name in "ab":
        models.use(registry.find(name))
    clock.now = 100
    models.use(registry.find("b"))
    list(models.unload_idle(50))
    assert loaded(cast(Shelf, models._loader)) == "b"


def test_finding_models() -> None:
    models, _ = shelf(Clock())
    assert models.find("").name == "a"
    assert models.find_weights("ccc", "c").name == "c"
    with pytest.raises(NotFoundError, match=r"“d”\. Choose one of these: a, b, c"):
        models.find("d")
    with pytest.raises(WrongModelError, match="a, b, c"):
        models.find_weights("ddd", "d")
    with pytest.raises(ConfigurationError, match="both named 'a'"):
        ModelRegistry("aa", Shelf())


def test_bundles_on_disk_are_described_without_their_weights(tmp_path: Any) -> None:
    from inpaint_model.bundle.manifest import Card
    from inpaint_model.bundle.writer import save_bundle
    from inpaint_model.inference.tiny import tiny_model

    save_bundle(tmp_path / "cats", tiny_model(), Card(name="cats", title="Cats"), dtype="fp16")
    loader = BundleLoader(torch.device("cpu"), "fp32")
    info = loader.describe(str(tmp_path / "cats"))
    stored = (tmp_path / "cats" / "weights.safetensors").stat().st_size
    assert (info.name, info.resolution, info.num_ws) == ("cats", 32, 8)
    assert info.memory_bytes == 2 * stored
    assert loader.load(str(tmp_path / "cats")).info.weights_sha256 == info.weights_sha256
    (tmp_path / "cats" / "model.yaml").write_text("format: 9")
    with pytest.raises(ConfigurationError, match="format"):
        ModelRegistry([str(tmp_path / "cats")], loader)
