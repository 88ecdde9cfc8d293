"""Fair sharing of a device's time among clients. This module uses neither threads nor a clock.

For every client, it counts the seconds of the device that the client has used. The client with the
smallest count is next (fair queueing by virtual time). So a client with many requests, or with one
very long request, gets no more of the device than a client with a single fill. A new or returning
client starts at the count that an even share would have given by now. So clients cannot accumulate
time while they are away, and a waiting client is not overtaken by new ones indefinitely.

Two kinds of work may run ahead of this order, within limits:

- An edit, by `edit_head_start_s`: a slider that moves occasionally always goes first, and one that
  moves constantly gets its share and no more.
- The fill of the client that was served last, by `turn_s`: switching after every step would delay
  all first candidates instead of finishing one after the other.

With N clients, a fill that takes w seconds of the device is therefore done after at most
`longest_wait(N, w, longest step)`.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from enum import IntEnum
from typing import Protocol, TypeVar

TURN_S = 0.2
EDIT_HEAD_START_S = 0.6
SMOOTHING = 0.2  # weight of the latest step in the typical length of a step


class Priority(IntEnum):
    """Priority among one client's work; smaller goes first, equal ones in order of arrival."""

    EDIT = 0
    FILL = 1
    BACKGROUND = 2  # belongs to no client and runs when nothing else is waiting


class Schedulable(Protocol):
    """Work that is waiting for its next step."""

    @property
    def client(self) -> Hashable:
        """The client that the work belongs to."""

    @property
    def priority(self) -> Priority:
        """The priority among the work of its client."""

    @property
    def arrival(self) -> int:
        """A number that increases with the time of arrival."""


J = TypeVar("J", bound=Schedulable)


def longest_wait(
    clients: int, work_s: float, longest_step_s: float, head_start_s: float = EDIT_HEAD_START_S
) -> float:
    """Return the guaranteed maximum time from the submission of a fill to its end, in seconds.

    Args:
        clients: number of clients with work in the meantime, including this one.
        work_s: device time for this fill and for earlier requests of its client, in seconds.
        longest_step_s: length of the longest step, in seconds.
        head_start_s: how far an edit may run ahead, in seconds.
    """
    others = (clients - 1) * (work_s + 2 * (head_start_s + longest_step_s))
    return longest_step_s + work_s + others


class Shares:
    """The time of one device that each client has used."""

    def __init__(
        self, turn_s: float = TURN_S, edit_head_start_s: float = EDIT_HEAD_START_S
    ) -> None:
        """Start without clients.

        Args:
            turn_s: how far the fill of the client that was served last may run ahead, in seconds.
            edit_head_start_s: how far an edit may run ahead, in seconds.
        """
        self._turn_s = turn_s
        self._edit_head_start_s = edit_head_start_s
        self._times: dict[Hashable, float] = {}
        self._present: frozenset[Hashable] = frozenset()  # clients with work at the last choice
        self._even = 0.0  # the time that an even share would have given until now
        self._turns: dict[int, Hashable] = {}  # worker -> client whose fill it served last
        self._typical_s = 0.0  # length of a typical step, in seconds

    def choose(self, waiting: Sequence[J], busy: Iterable[Hashable] = (), worker: int = 0) -> J:
        """Return the work that is next.

        Args:
            waiting: the work that is waiting; at least one.
            busy: clients with work that is not waiting, because a step of it is running or its
                reader is processing a result; they count as present.
            worker: the worker of the device that will do the step.
        """
        foreground = [job for job in waiting if job.priority != Priority.BACKGROUND]
        if not foreground:
            return min(waiting, key=_order)
        self._meet({job.client for job in foreground}.union(busy))
        firsts: dict[Hashable, J] = {}
        for job in sorted(foreground, key=_order):
            firsts.setdefault(job.client, job)
        chosen = min(firsts.values(), key=lambda job: (self._rank(job, worker), job.arrival))
        if chosen.priority == Priority.FILL:
            self._turns[worker] = chosen.client
        return chosen

    def companions(self, chosen: J, others: Iterable[J]) -> list[J]:
        """Return which of `others` may be batched together with the chosen work, the best first.

        Batching reduces the cost for all. But no client may get further ahead than an edit may,
        because the next client would have to wait for that.
        """
        limit = self._times.get(chosen.client, 0.0) + self._edit_head_start_s
        near = [job for job in others if self._times.get(job.client, 0.0) <= limit]
        return sorted(near, key=lambda job: (self._times[job.client], *_order(job)))

    def begin(self, client: Hashable) -> float:
        """Charge a starting step with the typical length, and return that length for `end`."""
        self._charge(client, self._typical_s)
        return self._typical_s

    def end(self, client: Hashable, expected_s: float, seconds: float) -> None:
        """Correct the charge of a step to its actual length."""
        self._charge(client, seconds - expected_s)
        self._typical_s += SMOOTHING * (seconds - self._typical_s)
        if self._present:
            self._even += seconds / len(self._present)
            self._even = self._within(self._present)

    def _charge(self, client: Hashable, seconds: float) -> None:
        if client in self._times:  # background work belongs to no client
            self._times[client] += seconds

    def _rank(self, job: Schedulable, worker: int) -> float:
        """Return the client's time minus its allowed head start. The smallest is next."""
        ahead = 0.0
        if job.priority == Priority.EDIT:
            ahead = self._edit_head_start_s
        elif job.client == self._turns.get(worker):
            ahead = self._turn_s
        return self._times[job.client] - ahead

    def _meet(self, present: set[Hashable]) -> None:
        """Start new clients at the even share; drop absent clients unless they are above it."""
        stayed = self._present & present
        if stayed:
            self._even = self._within(stayed)
        owing = {c: time for c, time in self._times.items() if c in stayed or time > self._even}
        self._times = {**dict.fromkeys(present, self._even), **owing}
        self._present = frozenset(present)

    def _within(self, clients: Iterable[Hashable]) -> float:
        """Return the even share, limited to the range of the times of these clients."""
        times = [self._times[client] for client in clients]
        return min(max(self._even, min(times)), max(times))


def _order(job: Schedulable) -> tuple[int, int]:
    return job.priority, job.arrival
