"""Who is next: a device's time, shared among clients. No threads, and no clock of its own.

Every client has a time of its own: the seconds of the device that it was given. The client that
was given least is next (fair queueing by virtual time), so that a client with many requests, or
with one very long request, has no more of the device than one with a single fill. Whoever comes, or
comes back, starts at the time that an even share would have given by now: nobody can save up time
by staying away, and nobody who waits is overtaken by newcomers for ever.

Two things may run ahead of that order, but only so far:

- an edit, by `edit_head_start_s`: a slider that moves now and then is always first, and one that
  moves all the time has its share and no more;
- the fill of the client whose turn it is, by `turn_s`: switching after every step would give all
  first candidates late instead of one after the other.

So with N clients a fill that takes w seconds of the device is done after at most
`longest_wait(N, w, longest step)`.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from enum import IntEnum
from typing import Protocol, TypeVar

TURN_S = 0.2
EDIT_HEAD_START_S = 0.6
SMOOTHING = 0.2  # of the typical length of a step


class Priority(IntEnum):
    """Smaller goes first among one client's work; equal ones in the order of their arrival."""

    EDIT = 0
    FILL = 1
    BACKGROUND = 2  # of no client: when nothing else waits


class Schedulable(Protocol):
    """What waits for its next step."""

    @property
    def client(self) -> Hashable:
        """Whose work it is."""

    @property
    def priority(self) -> Priority:
        """How it stands to the other work of its client."""

    @property
    def arrival(self) -> int:
        """Greater for what came later."""


J = TypeVar("J", bound=Schedulable)


def longest_wait(
    clients: int, work_s: float, longest_step_s: float, head_start_s: float = EDIT_HEAD_START_S
) -> float:
    """Return the promise, s: when a client's fill is done at the latest, after it was submitted.

    clients: all that had work in the meantime, this one included. work_s: of the device, for this
    fill and what else its client asked for before.
    """
    others = (clients - 1) * (work_s + 2 * (head_start_s + longest_step_s))
    return longest_step_s + work_s + others


class Shares:
    """What each client was given of one device."""

    def __init__(
        self, turn_s: float = TURN_S, edit_head_start_s: float = EDIT_HEAD_START_S
    ) -> None:
        """turn_s, edit_head_start_s: how far a fill and an edit may run ahead, s."""
        self._turn_s = turn_s
        self._edit_head_start_s = edit_head_start_s
        self._times: dict[Hashable, float] = {}
        self._present: frozenset[Hashable] = frozenset()  # who had work at the last choice
        self._even = 0.0  # what an even share of every second until now would have given
        self._turns: dict[int, Hashable] = {}  # by worker: the client that it filled for last
        self._typical_s = 0.0  # of a step

    def choose(self, waiting: Sequence[J], busy: Iterable[Hashable] = (), worker: int = 0) -> J:
        """Return what is next of what waits, which is something.

        busy: clients with work that does not wait, since one of its steps runs or its reader has to
        deal with the last one: they are still there. worker: which of the device's will do it.
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
        """Return which of `others` may ride along with what was chosen, the best first.

        Time that is shared costs less for all. But nobody is carried further ahead than an edit may
        run: who comes next would have to wait for that.
        """
        limit = self._times.get(chosen.client, 0.0) + self._edit_head_start_s
        near = [job for job in others if self._times.get(job.client, 0.0) <= limit]
        return sorted(near, key=lambda job: (self._times[job.client], *_order(job)))

    def begin(self, client: Hashable) -> float:
        """Charge a step that begins, with what one typically takes; returned for `end`."""
        self._charge(client, self._typical_s)
        return self._typical_s

    def end(self, client: Hashable, expected_s: float, seconds: float) -> None:
        """Charge what a step really took."""
        self._charge(client, seconds - expected_s)
        self._typical_s += SMOOTHING * (seconds - self._typical_s)
        if self._present:
            self._even += seconds / len(self._present)
            self._even = self._within(self._present)

    def _charge(self, client: Hashable, seconds: float) -> None:
        if client in self._times:  # background work is nobody's
            self._times[client] += seconds

    def _rank(self, job: Schedulable, worker: int) -> float:
        """Return its client's time, less what it may run ahead. The smallest is next."""
        ahead = 0.0
        if job.priority == Priority.EDIT:
            ahead = self._edit_head_start_s
        elif job.client == self._turns.get(worker):
            ahead = self._turn_s
        return self._times[job.client] - ahead

    def _meet(self, present: set[Hashable]) -> None:
        """Let those who come start at the even share, and forget who has left and owes nothing."""
        stayed = self._present & present
        if stayed:
            self._even = self._within(stayed)
        owing = {c: time for c, time in self._times.items() if c in stayed or time > self._even}
        self._times = {**dict.fromkeys(present, self._even), **owing}
        self._present = frozenset(present)

    def _within(self, clients: Iterable[Hashable]) -> float:
        """Return the even share, but neither below nor above what all of these were given."""
        times = [self._times[client] for client in clients]
        return min(max(self._even, min(times)), max(times))


def _order(job: Schedulable) -> tuple[int, int]:
    return job.priority, job.arrival
