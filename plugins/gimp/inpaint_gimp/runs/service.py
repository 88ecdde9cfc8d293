"""The fill service as the procedures use it: found or started, asked, waited for."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass

from inpaint_client import (
    BlockingClient,
    DaemonNotFoundError,
    EditJob,
    Endpoint,
    Job,
    Limits,
    Starting,
    connection_file,
    ensure_daemon,
    find_daemon,
)

from ..translation import _
from .collector import Collector

Report = Callable[[float, str], None]  # how far (0..1) and what is going on


def draw_seed() -> int:
    return secrets.randbits(32)


@dataclass(frozen=True)
class Locator:
    """Finds the daemon, starts it if need be, and says so. Runs in a thread of the client."""

    report: Callable[[str], None]
    is_wanted: Callable[[], bool] = lambda: True

    def __call__(self) -> Endpoint:
        return ensure_daemon(connection_file().load(), self._starting, self.is_wanted)

    def _starting(self, starting: Starting) -> None:
        self.report(_("Starting the daemon… {seconds} s").format(seconds=int(starting.elapsed_s)))


def run_and_wait(make: Callable[[Limits], Job], collector: Collector, report: Report) -> None:
    """Do a job to its end, for runs without a dialog. Raises InpaintError.

    `make` is asked for it once the daemon has told its limits.

    If GIMP ends this process because somebody pressed Cancel, the connection breaks and the daemon
    stops working for us; nothing was done to the image yet.
    """
    report(0.0, _("Looking for the daemon…"))
    try:
        find_daemon(connection_file().load())
    except DaemonNotFoundError:
        report(0.0, _("Starting the daemon…"))
    with BlockingClient(Locator(lambda text: None)) as client:
        limits = client.info().limits
        report(0.0, _("Reading the image…"))
        job = make(limits)
        report(0.0, collector.status)
        events = client.edit(job) if isinstance(job, EditJob) else client.fill(job)
        for event in events:
            collector.receive(event)
            report(collector.fraction, collector.status)
