"""The simulation of a cluster, compared with the formulas of queueing theory."""

from __future__ import annotations

import random
from collections.abc import Generator
from dataclasses import replace
from typing import Any

import pytest
import simpy
from inpaint_server.scheduling.shares import Priority

from benchmarks import cluster_simulation
from benchmarks.cluster_simulation import (
    CANDIDATES,
    FRONTS,
    Cluster,
    FrontCost,
    FrontKind,
    Replica,
    artists_for,
    jain,
    service_times,
)

CPU = service_times("cpu-core")
COST = FrontCost(cores=1, s_per_request=0.002, s_per_mb=0.001)


@pytest.mark.slow
@pytest.mark.parametrize("load", [0.3, 0.6, 0.8])
def test_waits_are_those_of_constant_service(load: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """One client, arrivals by chance, steps of equal length: M/D/1."""
    monkeypatch.setattr(cluster_simulation, "SPREAD", 0.0)
    rng = random.Random(1)  # noqa: S311
    env = simpy.Environment()
    replica = Replica(env, CPU, rng)
    step_s, waits = 0.1, list[float]()

    def one() -> Generator[simpy.Event, Any, None]:
        work = replica.submit(0, Priority.FILL, [(step_s, 0)])
        yield work.finished
        assert work.started is not None
        waits.append(work.started - work.arrived)

    def arrivals() -> Generator[simpy.Event, Any, None]:
        while True:
            yield env.timeout(rng.expovariate(load / step_s))
            env.process(one())

    env.process(arrivals())
    env.run(6000)
    expected = load * step_s / (2 * (1 - load))
    assert sum(waits) / len(waits) == pytest.approx(expected, rel=0.1)
    assert replica.busy_s / 6000 == pytest.approx(load, rel=0.03)


def run(
    kind: FrontKind, load: float, seed: int = 0, replicas: int = 4, seconds: float = 60
) -> Cluster:
    cluster = Cluster(kind, replicas, CPU, COST if kind in {"envoy", "ray"} else None, seed)
    cluster.run(artists_for(load, replicas, CPU), seconds)
    return cluster


@pytest.mark.slow
@pytest.mark.parametrize("kind", FRONTS)
def test_every_device_works_as_long_as_its_requests_take(kind: FrontKind) -> None:
    measured = run(kind, 0.7).measured
    demand = len(measured.first_s) * CPU.fill_s + len(measured.edit_s) * CPU.edit
    assert measured.device_busy == pytest.approx(demand / (4 * measured.seconds), rel=0.15)
    assert min(measured.first_s) > 0.5 * CPU.encode
    assert all(first <= 60 for first in measured.first_s)


@pytest.mark.slow
def test_the_same_seed_gives_the_same_result_and_another_one_does_not() -> None:
    first, again, other = (run("envoy", 0.6, seed).measured.first_s for seed in (1, 1, 2))
    assert first == again != other


@pytest.mark.slow
def test_balancing_shortens_waits_and_a_slow_front_lengthens_them() -> None:
    def wait(kind: FrontKind, cost: FrontCost | None) -> float:
        values = list[float]()
        for seed in range(3):
            cluster = Cluster(kind, 8, CPU, cost, seed)
            values += cluster.run(artists_for(0.7, 8, CPU), 60).first_s
        return sum(values) / len(values)

    alone = wait("own", None)
    assert wait("least", None) < wait("ray", COST) < alone
    assert wait("ray", replace(COST, s_per_request=0.05)) > alone


@pytest.mark.slow
def test_a_busy_device_is_shared_fairly() -> None:
    measured = run("least", 1.5, replicas=1, seconds=200).measured
    assert measured.device_busy > 0.95
    assert len(measured.fills) >= 0.9 * artists_for(1.5, 1, CPU)  # nobody starves


def test_times_and_fairness() -> None:
    assert CPU.fill_s == pytest.approx(CPU.encode + CANDIDATES * CPU.render[1])
    gpu = service_times("gpu-estimate")
    assert gpu.fill_s < CPU.fill_s / 20
    assert gpu.bottleneck_s > gpu.fill_s  # the host limits it
    assert jain([5, 5, 5]) == 1.0
    assert jain([3, 0, 0]) == pytest.approx(1 / 3)
